import numpy as np
import pytest

from diptych.training.negatives import NegativeMixture, NegativeSource
from diptych.training.ragged import Ragged


def source(name: str, *lists: list[int], **options: object) -> NegativeSource:
    return NegativeSource(name=name, lists=Ragged.from_lists(lists), **options)


def test_one_kind_is_drawn_as_its_lists_are():
    only = source("formula", [1, 2, 3, 4], [5, 6])
    mixed = NegativeMixture(sources=[only]).shuffled(np.random.default_rng(3))
    assert mixed.values.tolist() == only.lists.shuffled(np.random.default_rng(3)).values.tolist()


def test_the_first_of_a_list_hold_each_kind_by_its_share():
    mixture = NegativeMixture(
        sources=[
            source("formula", list(range(100)), share=3.0),
            source("mass", list(range(100, 200)), share=1.0),
        ]
    )
    counts = [int((mixture.shuffled(np.random.default_rng(seed))[0][:8] < 100).sum()) for seed in range(200)]
    assert set(counts) <= {5, 6, 7}
    assert np.mean(counts) == pytest.approx(6, abs=0.15)


def test_what_one_kind_lacks_the_others_give_and_nothing_stands_twice():
    mixture = NegativeMixture(sources=[source("formula", [1, 2], []), source("mass", [2, 3, 4], [])])
    for seed in range(10):
        mixed = mixture.shuffled(np.random.default_rng(seed))
        assert sorted(mixed[0].tolist()) == [1, 2, 3, 4]
        assert mixed[1].tolist() == []


def test_sharpness_draws_similar_structures_more_often():
    # exp(2 * 1) against exp(0): the similar one comes first with probability e^2 / (1 + e^2) = 0.881.
    alike = source("formula", [7, 8], similarity=np.array([1.0, 0.0], dtype=np.float32))
    mixture = NegativeMixture(sources=[alike], sharpness=2.0)
    first = [int(mixture.shuffled(np.random.default_rng(seed))[0][0]) for seed in range(2000)]
    assert np.mean(np.array(first) == 7) == pytest.approx(0.881, abs=0.02)


def test_lists_of_one_kind_can_be_replaced():
    mixture = NegativeMixture(sources=[source("formula", [1]), source("mined", [2])])
    changed = mixture.with_lists("mined", Ragged.from_lists([[9]]), np.ones(1, dtype=np.float32))
    assert sorted(changed.shuffled(np.random.default_rng(0))[0].tolist()) == [1, 9]
    assert sorted(mixture.shuffled(np.random.default_rng(0))[0].tolist()) == [1, 2]
