import numpy as np
import pytest

from diptych.training.drawing import balancing_weights, draw_spectra, molecule_order
from diptych.training.ragged import Ragged

SPECTRA = Ragged.from_lists([[0, 1, 2, 3], [4], [5, 6]])


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("batches", ["random", "formula", "mass"])
def test_every_molecule_stands_in_exactly_one_batch_and_sizes_differ_by_one(batches: str):
    keys = generator(5).integers(0, 30, 103).astype(float)
    for seed in range(5):
        order = molecule_order(103, batches=batches, keys=keys, n_batches=10, rng=generator(seed))
        assert sorted(np.concatenate(order).tolist()) == list(range(103))
        assert sorted({len(batch) for batch in order}) == [10, 11]


def test_molecules_of_one_formula_follow_one_another():
    keys = np.array([1.0, 2.0, 1.0, 3.0, 2.0, 1.0, 3.0, 3.0])
    seen = set()
    for seed in range(20):
        order = np.concatenate(molecule_order(8, batches="formula", keys=keys, n_batches=2, rng=generator(seed)))
        formulas = keys[order]
        assert (np.diff(formulas) != 0).sum() == 2
        seen.add(tuple(order.tolist()))
    assert len(seen) > 15


def test_neighbours_in_mass_share_a_batch_and_no_two_epochs_are_alike():
    masses = generator(1).permutation(1000).astype(float)
    epochs = [molecule_order(1000, batches="mass", keys=masses, n_batches=20, rng=generator(seed)) for seed in (1, 2)]
    for order in epochs:
        # A batch of 50 neighbours, each moved by at most 25 places, spans at most 100 of them.
        assert max(np.ptp(masses[batch]) for batch in order) <= 100
    assert {tuple(sorted(batch)) for batch in epochs[0]} != {tuple(sorted(batch)) for batch in epochs[1]}
    assert np.diff([masses[batch].mean() for batch in epochs[0]]).min() < 0


def test_several_spectra_of_a_molecule_are_different_ones_while_there_are_enough():
    for seed in range(30):
        drawn = draw_spectra(SPECTRA, n=3, weights=None, rng=generator(seed))
        assert drawn.shape == (3, 3)
        assert len(set(drawn[0].tolist())) == 3
        assert set(drawn[0].tolist()) <= {0, 1, 2, 3}
        assert drawn[1].tolist() == [4, 4, 4]
        assert set(drawn[2].tolist()) == {5, 6}


def test_spectra_are_drawn_in_proportion_to_their_weights():
    weights = np.array([1.0, 1.0, 1.0, 3.0, 1.0, 1.0, 1.0])
    rng = generator()
    drawn = np.array([draw_spectra(SPECTRA, n=1, weights=weights, rng=rng)[0, 0] for _ in range(4000)])
    assert (drawn == 3).mean() == pytest.approx(0.5, abs=0.03)
    assert (drawn == 0).mean() == pytest.approx(1 / 6, abs=0.03)


def test_what_is_drawn_again_follows_the_weights_too():
    spectra, rng = Ragged.from_lists([[7, 8]]), generator()
    draws = [draw_spectra(spectra, n=3, weights=np.array([1.0, 9.0]), rng=rng)[0] for _ in range(2000)]
    assert np.mean([np.sum(drawn == 8) - 1 for drawn in draws]) == pytest.approx(0.9, abs=0.03)


def test_rare_instruments_weigh_as_much_as_common_ones():
    weights = balancing_weights(np.array(["FT", "TOF", "FT", "FT", "ion trap"]))
    assert weights.tolist() == [1 / 3, 1.0, 1 / 3, 1 / 3, 1.0]
