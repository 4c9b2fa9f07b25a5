import numpy as np

from diptych.training.negatives import negatives_by_formula

FORMULAS = ["A", "A", "B", "C", "A", "B", "D", "A"]
MASSES = np.array([10.0, 10.0, 20.0, 30.0, 10.0, 20.0, 31.0, 10.0])


def test_lists_of_one_formula_leave_the_molecule_itself_out():
    lists = negatives_by_formula(FORMULAS, MASSES, n_molecules=4, wanted=3, fill="none")
    assert [lists[i].tolist() for i in range(4)] == [[1, 4, 7], [0, 4, 7], [5], []]


def test_short_lists_are_filled_by_mass():
    lists = negatives_by_formula(FORMULAS, MASSES, n_molecules=4, wanted=2, fill="mass")
    assert lists[0].tolist() == [1, 4, 7]
    assert lists[2].tolist()[0] == 5
    assert set(lists[2].tolist()[1:]) <= {0, 1, 3, 4, 7}
    assert lists[3].tolist()[0] == 6
    assert set(lists[3].tolist()[1:]) <= {2, 5}
