import math

import pytest
import torch

from diptych.training.losses import ContrastiveBatch, LossSettings, symmetric_info_nce

ONE = torch.tensor(1.0)


def batch_of(spectra, structures, negatives=(), owner=()) -> ContrastiveBatch:
    dim = len(spectra[0])
    return ContrastiveBatch(
        spectra=torch.tensor(spectra),
        structures=torch.tensor(structures),
        negatives=torch.tensor(negatives).reshape(-1, dim),
        owner=torch.tensor(owner, dtype=torch.int64),
    )


def random_batch(seed: int = 0, n: int = 5, k: int = 3) -> ContrastiveBatch:
    generator = torch.Generator().manual_seed(seed)
    x, y, h = (
        torch.nn.functional.normalize(torch.randn(rows, 4, generator=generator), dim=1) for rows in (n, n, n * k)
    )
    return ContrastiveBatch(spectra=x, structures=y, negatives=h, owner=torch.arange(n).repeat_interleave(k))


IDENTITY = [[1.0, 0.0], [0.0, 1.0]]


def test_two_orthogonal_pairs_at_temperature_one():
    # s = [[1, 0], [0, 1]]: each softmax is e / (e + 1)
    loss = symmetric_info_nce(batch_of(IDENTITY, IDENTITY), ONE, settings=LossSettings())
    assert loss.item() == pytest.approx(math.log((math.e + 1) / math.e))


def test_the_temperature_divides_the_scores():
    loss = symmetric_info_nce(batch_of(IDENTITY, IDENTITY), torch.tensor(0.5), settings=LossSettings())
    assert loss.item() == pytest.approx(math.log((math.e**2 + 1) / math.e**2))


def test_a_hard_negative_counts_for_its_owner_and_in_one_direction_only():
    # the negative is identical with the answer of the first spectrum, whose softmax becomes e / (2 e + 1)
    batch = batch_of(IDENTITY, IDENTITY, negatives=[[1.0, 0.0]], owner=[0])
    plain = math.log((math.e + 1) / math.e)
    with_negative = math.log((2 * math.e + 1) / math.e)
    loss = symmetric_info_nce(batch, ONE, settings=LossSettings())
    assert loss.item() == pytest.approx(0.5 * (with_negative + plain) / 2 + 0.5 * plain)


def test_with_the_whole_batch_every_spectrum_sees_every_negative():
    # the second spectrum is orthogonal to the negative: e / (e + 2)
    batch = batch_of(IDENTITY, IDENTITY, negatives=[[1.0, 0.0]], owner=[0])
    by_spectrum = (math.log((2 * math.e + 1) / math.e) + math.log((math.e + 2) / math.e)) / 2
    loss = symmetric_info_nce(batch, ONE, settings=LossSettings(negatives="batch", structure_weight=0.0))
    assert loss.item() == pytest.approx(by_spectrum)


def test_label_smoothing_spreads_over_the_entries_that_are_there():
    # first row: 3 entries (1, 0, 1), second: 2 (0, 1), the foreign negative not counted
    batch = batch_of(IDENTITY, IDENTITY, negatives=[[1.0, 0.0]], owner=[0])
    first, second = math.log(2 * math.e + 1), math.log(math.e + 1)
    exact = ((first - 1) + (second - 1)) / 2
    even = ((first - 2 / 3) + (second - 1 / 2)) / 2
    loss = symmetric_info_nce(batch, ONE, settings=LossSettings(label_smoothing=0.2, structure_weight=0.0))
    assert loss.item() == pytest.approx(0.8 * exact + 0.2 * even)


def test_the_structure_weight_chooses_between_directions():
    batch = random_batch(k=0)
    settings = [LossSettings(structure_weight=weight) for weight in (0.0, 1.0, 0.25)]
    by_spectrum, by_structure, mixed = (symmetric_info_nce(batch, ONE, settings=s) for s in settings)
    logits = batch.spectra @ batch.structures.T
    target = torch.arange(5)
    torch.testing.assert_close(by_spectrum, torch.nn.functional.cross_entropy(logits, target))
    torch.testing.assert_close(by_structure, torch.nn.functional.cross_entropy(logits.T, target))
    torch.testing.assert_close(mixed, 0.75 * by_spectrum + 0.25 * by_structure)


@pytest.mark.parametrize("settings", [LossSettings(), LossSettings(negatives="batch", label_smoothing=0.1)])
def test_the_order_of_the_batch_changes_nothing(settings: LossSettings):
    batch = random_batch()
    order, hard_order = torch.tensor([3, 1, 4, 0, 2]), torch.randperm(15)
    position = torch.argsort(order)
    permuted = ContrastiveBatch(
        spectra=batch.spectra[order],
        structures=batch.structures[order],
        negatives=batch.negatives[hard_order],
        owner=position[batch.owner[hard_order]],
    )
    torch.testing.assert_close(
        symmetric_info_nce(batch, ONE, settings=settings), symmetric_info_nce(permuted, ONE, settings=settings)
    )


def test_gradients_are_finite_with_masked_negatives_and_smoothing():
    batch = random_batch()
    batch.spectra.requires_grad_()
    symmetric_info_nce(batch, torch.tensor(0.05), settings=LossSettings(label_smoothing=0.1)).backward()
    assert torch.isfinite(batch.spectra.grad).all()
