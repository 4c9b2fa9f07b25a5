import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diptych.errors import ConfigError
from diptych.ranking import FusionRanker, RankFusionRanker, SumScorer
from diptych.ranking.fusion import RememberedRanker, fuse, fuse_ranks, z_scores


class Fixed:
    def __init__(self, *scores: float) -> None:
        self.name = "fixed"
        self.scores = np.array(scores)

    def score(self, queries):
        return [self.scores for _ in queries]


def test_z_scores_are_added_with_equal_weights():
    # z of (1, 3) is (-1, 1), whatever the scale; z of (30, 10) is (1, -1): they cancel.
    (scores,) = FusionRanker((Fixed(1, 3), Fixed(30, 10))).score(["query"])
    np.testing.assert_allclose(scores, [0, 0])


def test_a_candidate_that_one_ranker_cannot_score_gets_its_lowest_score():
    np.testing.assert_allclose(fuse([np.array([1, 3, np.nan]), np.array([0.0, 0.0, 0.0])]), [-0.5, 0.5, -0.5])


def test_a_candidate_that_no_ranker_can_score_stays_unscored():
    np.testing.assert_array_equal(np.isnan(fuse([np.array([1, np.nan]), np.array([np.nan, np.nan])])), [False, True])


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_an_infinity_is_no_score_in_any_fusion(value: float):
    one, other = np.array([value, 1.0, 3.0]), np.array([value, 2.0, 2.0])
    for found in (fuse([one, other]), fuse_ranks([one, other])):
        assert np.isnan(found).tolist() == [True, False, False]
    # It is the lowest of its list, and gets no reciprocal rank.
    np.testing.assert_allclose(fuse([one, np.zeros(3)]), [-0.5, -0.5, 0.5])
    np.testing.assert_allclose(fuse_ranks([one, np.array([2.0, 1.0, 1.0])], offset=0), [1, 1 / 2 + 1 / 3, 1 + 1 / 3])


def test_candidates_of_the_same_scores_by_other_rankers_tie():
    # Every candidate has each score once, so that only the order in which they are added differs.
    first = np.array([0.1, 0.25, 0.7, 0.31, 0.83])
    turned = [np.roll(first, shift) for shift in range(5)]
    unrounded = np.mean([z_scores(row) for row in turned], axis=0)
    assert len(set(unrounded.tolist())) > 1
    assert len(set(fuse(turned).tolist())) == 1
    ranks = [np.roll(np.arange(1.0, 12), shift) for shift in range(11)]
    assert len(set(np.sum([1 / (60 + row) for row in ranks], axis=0).tolist())) > 1
    assert len(set(fuse_ranks([-row for row in ranks]).tolist())) == 1


def test_a_list_of_equal_scores_says_nothing():
    np.testing.assert_array_equal(z_scores(np.array([2.0, 2.0])), [0, 0])


def test_an_empty_list_stays_empty():
    assert fuse([np.empty(0), np.empty(0)]).shape == (0,)


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=8))
def test_fusing_a_ranker_with_itself_keeps_its_order(scores: list[float]):
    fused = fuse([np.array(scores), np.array(scores)])
    order = np.argsort(scores, kind="stable")
    assert np.all(np.diff(fused[order]) >= -1e-6)


def test_reciprocal_ranks_are_added():
    # Ranks (2, 1) and (2, 2), ties sharing the worst: 1/62 + 1/62 and 1/61 + 1/62.
    (scores,) = RankFusionRanker(rankers=(Fixed(1, 3), Fixed(7, 7))).score(["query"])
    np.testing.assert_allclose(scores, [2 / 62, 1 / 61 + 1 / 62], atol=1e-8)


def test_a_ranker_that_cannot_score_a_candidate_adds_nothing():
    found = fuse_ranks([np.array([1.0, np.nan, np.nan]), np.array([1.0, 2.0, np.nan])], offset=0)
    np.testing.assert_allclose(found, [1 + 1 / 2, 1, np.nan])


class Counting:
    name = "counting"

    def __init__(self) -> None:
        self.n_asked = 0

    def score(self, queries):
        self.n_asked += 1
        return [np.array([float(id(query))]) for query in queries]


def test_a_remembered_ranker_is_asked_anew_where_any_query_is_another():
    first, second, third = ([] for _ in range(3))
    inner = Counting()
    remembered = RememberedRanker(inner)
    for n_asked, queries in ((1, [first, second]), (1, [first, second]), (2, [first, third]), (3, [first]), (4, [])):
        scores = remembered.score(queries)
        assert [float(one[0]) for one in scores] == [float(id(query)) for query in queries]
        assert inner.n_asked == n_asked
    assert remembered.score([]) == []
    assert (inner.n_asked, remembered.name) == (4, "counting")


class InBlocks:
    """Scores that come so many queries at a time."""

    name = "blocks"

    def __init__(self, table: list[list[float]], size: int) -> None:
        self.table, self.size = np.array(table), size

    def scores(self, queries, references):
        for start in range(0, len(self.table), self.size):
            yield self.table[start : start + self.size]


def test_scores_in_blocks_of_any_size_are_added_with_their_weights():
    first, second = InBlocks([[1.0, 2.0], [3.0, np.nan]], 2), InBlocks([[10.0, 20.0], [30.0, 40.0]], 1)
    found = np.concatenate(list(SumScorer(scorers=(first, second), weights=(1.0, 0.5)).scores([1, 2], [1, 2])))
    np.testing.assert_allclose(found, [[6.0, 12.0], [18.0, np.nan]])
    (row, _) = SumScorer(scorers=(first, second)).scores([1, 2], [1, 2])
    np.testing.assert_allclose(row, [[11.0, 22.0]])


@pytest.mark.parametrize(("n_scorers", "weights"), [(0, ()), (2, (1.0,))])
def test_a_sum_of_nothing_or_with_too_few_weights_is_refused(n_scorers: int, weights: tuple[float, ...]):
    with pytest.raises(ConfigError, match="a weight for each"):
        SumScorer(scorers=(InBlocks([[1.0]], 1),) * n_scorers, weights=weights)
