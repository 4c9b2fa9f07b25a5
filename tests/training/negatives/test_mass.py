import numpy as np

from diptych.training.negatives import negatives_by_mass

# 10 ppm of 200 Da are 0.002 Da.
MASSES = np.array([200.0, 300.0, 200.0019, 199.9981, 200.0021, 300.01, 100.0])


def lists_of(*, at_most: int = 9, seed: int = 0) -> list[list[int]]:
    lists = negatives_by_mass(MASSES, n_molecules=3, window_ppm=10, at_most=at_most, seed=seed)
    return [lists[i].tolist() for i in range(3)]


def test_lists_hold_what_lies_within_the_window_but_not_the_molecule():
    assert lists_of() == [[3, 2], [], [0, 4]]


def test_long_lists_are_drawn_from_by_the_seed():
    assert all(len(rows) <= 1 for rows in lists_of(at_most=1))
    assert {tuple(lists_of(at_most=1, seed=seed)[0]) for seed in range(20)} == {(2,), (3,)}
    assert lists_of(at_most=1, seed=3) == lists_of(at_most=1, seed=3)
