import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional

from diptych.encoders.pairs import late_interaction as module
from diptych.encoders.pairs.late_interaction import late_interaction
from diptych.errors import ConfigError


def tokens(n: int, slots: int, *, seed: int, dim: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    vectors = functional.normalize(torch.randn(n, slots, dim, generator=generator), dim=-1)
    mask = torch.arange(slots) < torch.randint(1, slots + 1, (n, 1), generator=generator)
    return vectors * mask[..., None], mask


def by_hand(peaks, peak_mask, atoms, atom_mask, weights) -> np.ndarray:
    table = np.zeros((len(peaks), len(atoms)))
    for i, j in itertools.product(range(len(peaks)), range(len(atoms))):
        best = [
            (float(weights[i, p]), max(float(peaks[i, p] @ atoms[j, a]) for a in np.flatnonzero(atom_mask[j])))
            for p in np.flatnonzero(peak_mask[i])
        ]
        table[i, j] = sum(w * cosine for w, cosine in best) / sum(w for w, _ in best)
    return table


def test_a_score_is_the_mean_of_the_best_cosines():
    peaks = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]])
    atoms = torch.tensor([[[1.0, 0.0], [0.8, 0.6]]])
    score = late_interaction(peaks, torch.ones(1, 3).bool(), atoms, torch.ones(1, 2).bool())
    assert score.item() == pytest.approx((1.0 + 0.6 + 0.96) / 3)


def test_intensities_weigh_the_peaks():
    peaks, atoms = torch.eye(2)[None], torch.tensor([[[1.0, 0.0]]])
    masks = torch.ones(1, 2).bool(), torch.ones(1, 1).bool()
    score = late_interaction(peaks, masks[0], atoms, masks[1], weights=torch.tensor([[3.0, 1.0]]))
    assert score.item() == pytest.approx(0.75)


@pytest.mark.parametrize("most", [1, 40, 2**24])
@pytest.mark.parametrize("weighted", [False, True])
def test_blocks_of_any_size_give_the_same_scores(most: int, weighted: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_MOST_COSINES", most)
    monkeypatch.setattr(module, "_MOST_STRUCTURES", 2)
    peaks, peak_mask = tokens(4, 6, seed=1)
    atoms, atom_mask = tokens(3, 7, seed=2)
    weights = torch.rand(4, 6) + 0.1 if weighted else torch.ones(4, 6)
    scores = late_interaction(peaks, peak_mask, atoms, atom_mask, weights=weights if weighted else None)
    np.testing.assert_allclose(scores, by_hand(peaks, peak_mask, atoms, atom_mask, weights), atol=1e-6)


def test_what_stands_in_the_padding_changes_nothing():
    peaks, peak_mask = tokens(2, 4, seed=1)
    atoms, atom_mask = tokens(2, 5, seed=2)
    filled = torch.where(peak_mask[..., None], peaks, 0.9), torch.where(atom_mask[..., None], atoms, 0.9)
    torch.testing.assert_close(
        late_interaction(filled[0], peak_mask, filled[1], atom_mask),
        late_interaction(peaks, peak_mask, atoms, atom_mask),
    )


def test_a_best_atom_may_lie_at_a_right_angle_or_beyond():
    score = late_interaction(
        torch.tensor([[[1.0, 0.0]]]),
        torch.ones(1, 1).bool(),
        torch.tensor([[[-1.0, 0.0], [0.0, 0.0]]]),
        torch.tensor([[True, False]]),
    )
    assert score.item() == pytest.approx(-1)


def test_nothing_scores_nothing():
    peaks, _ = tokens(2, 3, seed=1)
    atoms, atom_mask = tokens(2, 3, seed=2)
    no_peaks = late_interaction(peaks, torch.zeros(2, 3).bool(), atoms, atom_mask)
    no_atoms = late_interaction(peaks, torch.ones(2, 3).bool(), atoms, torch.zeros(2, 3).bool())
    no_slots = late_interaction(peaks, torch.ones(2, 3).bool(), atoms[:, :0], atom_mask[:, :0])
    assert all((scores == 0).all() for scores in (no_peaks, no_atoms, no_slots))
    assert late_interaction(peaks[:0], torch.ones(0, 3).bool(), atoms, atom_mask).shape == (0, 2)
    assert late_interaction(peaks, torch.ones(2, 3).bool(), atoms[:0], atom_mask[:0]).shape == (2, 0)


def dense(peaks, peak_mask, atoms, atom_mask, weights) -> torch.Tensor:
    cosines = torch.einsum("npd,mad->npma", peaks, atoms).masked_fill(~atom_mask[None, None], -9)
    best = torch.where(atom_mask.any(dim=1), cosines.amax(dim=-1), 0.0)
    shares = weights * peak_mask
    return (best * (shares / shares.sum(dim=1, keepdim=True))[..., None]).sum(dim=1)


@pytest.mark.parametrize("most", [1, 30, 2**24])
def test_gradients_are_those_of_the_whole_table(most: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "_MOST_COSINES", most)
    monkeypatch.setattr(module, "_MOST_STRUCTURES", 2)
    peaks, peak_mask = tokens(3, 4, seed=1)
    atoms, atom_mask = tokens(5, 5, seed=2)
    atom_mask[1] = False
    weights = torch.rand(3, 4) + 0.1
    gradients = []
    for of in (late_interaction, dense):
        given = leaves(peaks, peak_mask, atoms, atom_mask)
        of(*given, weights=weights).square().sum().backward()
        gradients.append((given[0].grad, given[2].grad))
    torch.testing.assert_close(*gradients)


def leaves(peaks, peak_mask, atoms, atom_mask) -> tuple[torch.Tensor, ...]:
    return peaks.clone().requires_grad_(), peak_mask, atoms.clone().requires_grad_(), atom_mask


def test_gradients_pass_in_bfloat16_and_where_there_is_nothing():
    peaks, peak_mask, atoms, atom_mask = leaves(*tokens(3, 4, seed=1), *tokens(3, 4, seed=2))
    with torch.autocast("cpu", torch.bfloat16):
        late_interaction(peaks, peak_mask, atoms, atom_mask).sum().backward()
    assert torch.isfinite(peaks.grad).all()
    assert peaks.grad.abs().sum() > 0
    peaks.grad = None
    late_interaction(peaks, torch.zeros(3, 4).bool(), atoms, atom_mask).sum().backward()
    assert (peaks.grad == 0).all()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same_scores():
    peaks, peak_mask = tokens(4, 6, seed=1)
    atoms, atom_mask = tokens(40, 7, seed=2)
    found = late_interaction(*(part.cuda() for part in (peaks, peak_mask, atoms, atom_mask)))
    torch.testing.assert_close(found.cpu(), late_interaction(peaks, peak_mask, atoms, atom_mask))


def test_vectors_of_other_lengths_are_one_clear_line():
    with pytest.raises(ConfigError, match="vectors of 2 numbers for peaks and of 3 for atoms"):
        late_interaction(torch.ones(1, 1, 2), torch.ones(1, 1).bool(), torch.ones(1, 1, 3), torch.ones(1, 1).bool())
