"""Orthogonal pairs at temperature 1, so that every softmax is a quotient of sums of e and 1."""

from math import e, log

import pytest
import torch

from diptych.training.losses import LOSSES, ContrastiveBatch, LossSettings, symmetric_info_nce
from diptych.training.losses.main import listwise, mean_over_positives, multi_positive, multiview_coding, nt_xent

ONE = torch.tensor(1.0)
PAIRS = [[1.0, 0.0], [0.0, 1.0]]
# Two spectra of the first molecule, one of the second.
REPLICATES = [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]


def batch_of(spectra, *, molecule=None, negatives=(), owner=(), rows=None) -> ContrastiveBatch:
    return ContrastiveBatch(
        spectra=torch.tensor(spectra),
        structures=torch.tensor(PAIRS),
        negatives=torch.tensor(negatives).reshape(-1, 2),
        owner=torch.tensor(owner, dtype=torch.int64),
        molecule=None if molecule is None else torch.tensor(molecule),
        rows=None if rows is None else torch.tensor(rows),
    )


def value(loss, batch: ContrastiveBatch, **settings: float) -> float:
    return loss(batch, ONE, settings=LossSettings(**settings)).item()


def test_multiview_coding_is_the_sum_of_both_directions():
    assert value(multiview_coding, batch_of(PAIRS)) == pytest.approx(2 * log((e + 1) / e))
    assert value(multiview_coding, batch_of(PAIRS), structure_weight=0.0) == pytest.approx(2 * log((e + 1) / e))


def test_nt_xent_has_negatives_of_the_own_kind_too():
    # the positive e against 1 of the other structure and 1 of the other spectrum
    assert value(nt_xent, batch_of(PAIRS)) == pytest.approx(log((e + 2) / e))


def test_nt_xent_counts_hard_negatives_and_leaves_replicates_out():
    # spectra 1 and 2: own structure e, the other 1, the other molecule's spectrum 1; spectrum 3: e, 1 and twice 1
    batch = batch_of(REPLICATES, molecule=[0, 0, 1])
    by_spectrum = (2 * log((e + 2) / e) + log((e + 3) / e)) / 3
    assert value(nt_xent, batch, structure_weight=0.0) == pytest.approx(by_spectrum)
    # the first structure asked by either of its spectra: e, 1 of spectrum 3, 1 of the other structure
    assert value(nt_xent, batch, structure_weight=1.0) == pytest.approx(by_spectrum)
    hard = batch_of(PAIRS, negatives=[[1.0, 0.0]], owner=[0])
    assert value(nt_xent, hard, structure_weight=0.0) == pytest.approx((log((2 * e + 2) / e) + log((e + 2) / e)) / 2)


def test_info_nce_leaves_replicates_out_of_the_negatives():
    batch = batch_of(REPLICATES, molecule=[0, 0, 1])
    by_structure = (2 * log((e + 1) / e) + log((e + 2) / e)) / 3
    assert value(symmetric_info_nce, batch, structure_weight=1.0) == pytest.approx(by_structure)
    assert value(symmetric_info_nce, batch, structure_weight=0.0) == pytest.approx(log((e + 1) / e))


def test_with_several_positives_each_shares_the_denominator():
    # structure 1: two positives of e each in 2 e + 1; structure 2: e in e + 2
    batch = batch_of(REPLICATES, molecule=[0, 0, 1])
    by_structure = (log((2 * e + 1) / e) + log((e + 2) / e)) / 2
    assert value(multi_positive, batch, structure_weight=1.0) == pytest.approx(by_structure)
    assert value(multi_positive, batch, structure_weight=0.0) == pytest.approx(log((e + 1) / e))


def test_with_one_spectrum_a_molecule_several_positives_are_info_nce():
    assert value(multi_positive, batch_of(PAIRS)) == pytest.approx(value(symmetric_info_nce, batch_of(PAIRS)))


def test_the_listwise_loss_sees_the_own_candidates_alone():
    # the first list: answer and an equal decoy, log 2; the second: the answer alone, 0
    batch = batch_of(PAIRS, negatives=[[1.0, 0.0]], owner=[0])
    assert value(listwise, batch) == pytest.approx(log(2) / 2)


@pytest.mark.parametrize("name", list(LOSSES))
def test_the_same_molecule_drawn_on_two_processes_is_no_negative(name: str):
    # rows 7 and 7: nothing is left to tell apart, but the two spectra of one molecule share the softmax
    batch = batch_of(PAIRS, rows=[7, 7])
    # each structure has both spectra as positives, e and 1 in e + 1
    expected = 0.5 * (log((e + 1) / e) + log(e + 1)) / 2 if name == "multi-positive" else 0.0
    assert value(LOSSES[name], batch) == pytest.approx(expected)


@pytest.mark.parametrize("name", list(LOSSES))
def test_every_main_loss_has_a_finite_gradient_with_foreign_negatives_and_a_learned_temperature(name: str):
    generator = torch.Generator().manual_seed(0)
    x, y, h = (torch.randn(n, 3, generator=generator, requires_grad=True) for n in (4, 3, 2))
    batch = ContrastiveBatch(
        spectra=x, structures=y, negatives=h, owner=torch.tensor([0, 2]), molecule=torch.tensor([0, 0, 1, 2])
    )
    temperature = torch.tensor(0.1, requires_grad=True)
    LOSSES[name](batch, temperature, settings=LossSettings(label_smoothing=0.1)).backward()
    assert all(torch.isfinite(tensor.grad).all() for tensor in (x, y, h, temperature))


def test_rows_without_a_positive_do_not_count():
    values = torch.tensor([[1.0, 3.0], [5.0, -torch.inf], [9.0, 9.0]])
    positive = torch.tensor([[True, True], [True, False], [False, False]])
    assert mean_over_positives(values, positive).item() == pytest.approx((2.0 + 5.0) / 2)
    assert mean_over_positives(values, torch.zeros(3, 2, dtype=torch.bool)).item() == 0.0
