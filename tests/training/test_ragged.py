import numpy as np

from diptych.training.ragged import Ragged, sorted_within


def test_ragged_lists_come_back():
    ragged = Ragged.from_lists([[3, 1], [], [7]])
    assert [ragged[i].tolist() for i in range(len(ragged))] == [[3, 1], [], [7]]
    assert ragged.lengths.tolist() == [2, 0, 1]
    assert ragged.owners.tolist() == [0, 0, 2]


def test_shuffling_keeps_every_list_its_own():
    ragged = Ragged.from_lists([list(range(10)), [], [10, 11]]).shuffled(np.random.default_rng(0))
    assert sorted(ragged[0].tolist()) == list(range(10))
    assert ragged[0].tolist() != list(range(10))
    assert sorted(ragged[2].tolist()) == [10, 11]


def test_lists_are_united_owner_by_owner():
    united = Ragged.from_lists([[3, 1], [], [9]]).united(Ragged.from_lists([[1, 2], [], []]))
    assert [united[i].tolist() for i in range(3)] == [[1, 2, 3], [], [9]]
    none = Ragged.from_lists([[], []])
    assert none.united(none).lengths.tolist() == [0, 0]


def test_sorting_within_owners_is_that_by_both_keys_even_where_keys_are_nearly_or_quite_equal():
    rng = np.random.default_rng(1)
    owners = np.sort(rng.integers(0, 300, 5000))
    keys = rng.random(5000)
    nearly = keys.copy()
    nearly[1::2] = nearly[::2] + 2.0**-52
    for some in (keys, np.minimum(nearly, 1 - 2.0**-53), np.round(keys, 1) * 0.9, keys[:0]):
        assert np.array_equal(sorted_within(some, owners[: len(some)]), np.lexsort((some, owners[: len(some)])))
