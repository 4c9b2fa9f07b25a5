import math

import numpy as np
import pytest

from diptych.evaluation.list_length import by_list_length, length_effect
from diptych.evaluation.results import QueryResults


def results(ranks: list[float], lengths: list[int]) -> QueryResults:
    n = len(ranks)
    unknown = np.full(n, math.nan)
    return QueryResults(
        queries=tuple(map(str, range(n))),
        targets=tuple(f"M{i}" for i in range(n)),
        ranks=np.array(ranks, dtype=float),
        n_candidates=np.array(lengths),
        target_scores=unknown,
        best_scores=unknown,
        best=("",) * n,
    )


def test_bins_worked_out_by_hand():
    one, short, long = by_list_length(results([1, 1, 2, 3], [1, 2, 4, 30]), n_bootstrap=20)
    assert (one.shortest, one.longest, one.hit_rate, one.chance) == (1, 1, 1.0, 1.0)
    assert math.isnan(one.beyond_chance)
    assert (short.shortest, short.longest, short.n_queries, short.hit_rate) == (2, 4, 2, 0.5)
    assert short.chance == pytest.approx((1 / 2 + 1 / 4) / 2)
    assert short.beyond_chance == pytest.approx((0.5 - 0.375) / 0.625)
    assert long.n_queries == 1
    assert long.beyond_chance == pytest.approx((0 - 1 / 30) / (1 - 1 / 30))


def test_empty_lists_are_a_bin_of_their_own():
    assert by_list_length(results([math.inf, 1], [0, 3]), n_bootstrap=0)[0].longest == 0


def test_the_slope_of_two_list_lengths_is_the_difference_of_their_log_odds():
    # 3 of 4 hits in lists of 2, 1 of 4 in lists of 8: log odds fall by 2 ln 3 over two doublings.
    effect = length_effect(results([1, 1, 1, 2, 1, 2, 2, 2], [2] * 4 + [8] * 4))
    assert effect is not None
    assert effect.slope == pytest.approx(-math.log(3))
    # One query a molecule: the sandwich gives a log odds the variance 1 / (n p (1 - p)) = 4/3 at both ends.
    assert effect.standard_error == pytest.approx(math.sqrt(4 / 3 + 4 / 3) / 2)
    assert effect.at_100 == pytest.approx(1 / (1 + math.exp(-(math.log(3) - math.log(3) * (math.log2(100) - 1)))))


@pytest.mark.parametrize(
    ("ranks", "lengths"),
    [([1, 1], [2, 4]), ([2, 2], [2, 4]), ([1, 2], [4, 4]), ([1, 1, 2, 2], [2, 3, 20, 30])],
)
def test_there_is_no_slope_where_nothing_can_be_told(ranks: list[float], lengths: list[int]):
    assert length_effect(results(ranks, lengths)) is None
