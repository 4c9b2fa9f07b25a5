import math
from dataclasses import replace

import numpy as np
import pytest

from diptych.evaluation.report.groups import length_section
from diptych.evaluation.report.tables import length_table
from diptych.evaluation.results.query_results import QueryResults
from diptych.evaluation.statistics.list_length import by_list_length, length_effect


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
    bins = by_list_length(results([1, 1, 2, 3], [1, 2, 4, 30]), n_bootstrap=20)
    one, short, long = (found for found in bins if found.n_queries)
    assert (one.shortest, one.longest, one.hit_rate, one.chance) == (1, 1, 1.0, 1.0)
    assert math.isnan(one.beyond_chance)
    assert (short.shortest, short.longest, short.n_queries, short.hit_rate) == (2, 4, 2, 0.5)
    assert short.chance == pytest.approx((1 / 2 + 1 / 4) / 2)
    assert short.beyond_chance == pytest.approx((0.5 - 0.375) / 0.625)
    assert long.n_queries == 1
    assert long.beyond_chance == pytest.approx((0 - 1 / 30) / (1 - 1 / 30))


def test_bins_have_their_own_ends_and_the_empty_are_listed_with_dashes():
    bins = by_list_length(results([1, 2], [60, 96]), n_bootstrap=20)
    labels = ["1", "2 to 4", "5 to 9", "10 to 19", "20 to 49", "50 to 99", "100 to 255", "256 and more"]
    assert [one.label for one in bins] == labels
    assert [one.n_queries for one in bins] == [0, 0, 0, 0, 0, 2, 0, 0]
    assert (bins[-1].shortest, bins[-1].longest) == (256, None)
    _, rows = length_table(bins)
    assert rows[-1] == ("256 and more", "0", "0", "–", "–", "–", "–")
    assert rows[5][0] == "50 to 99"


def test_a_bin_beside_a_control_has_its_rate_and_the_paired_difference():
    found = replace(results([1, 2, 2], [3, 3, 60]), control_ranks={"baseline": np.array([1.0, 1.0, 2.0])})
    bins = {one.label: one for one in by_list_length(found, controls=["baseline"], n_bootstrap=50)}
    (against,) = bins["2 to 4"].against
    assert (against.name, against.hit_rate, against.difference, against.mark) == ("baseline", 1.0, -0.5, "↓")
    header, rows = length_table(list(bins.values()))
    assert header[-2:] == ("baseline @1", "above baseline")
    assert rows[1][-2:] == ("100.0", "-50.0 (-100.0 to 0.0) ↓")
    assert rows[0][-2:] == ("–", "–")


def test_empty_lists_are_a_bin_of_their_own():
    empty = by_list_length(results([math.inf, 1], [0, 3]), n_bootstrap=0)[0]
    assert (empty.label, empty.n_queries, empty.hit_rate) == ("0", 1, 0.0)


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


def test_lists_of_one_candidate_count_for_the_slope_and_empty_ones_do_not():
    # As above, 3 of 4 hits in lists of 1, where the other list lacks the answer, and 1 of 4 in lists of 4.
    effect = length_effect(results([1, 1, 1, math.inf, 1, 2, 2, 2, math.inf], [1] * 4 + [4] * 4 + [0]))
    assert effect is not None
    assert effect.slope == pytest.approx(-math.log(3))
    assert effect.p_value == pytest.approx(math.erfc(math.log(3) / math.sqrt(2 / 3) / math.sqrt(2)))


def test_one_molecule_has_a_slope_without_standard_error_or_p_value():
    found = results([1, 1, 1, 2, 1, 2, 2, 2], [2] * 4 + [8] * 4)
    effect = length_effect(replace(found, targets=("A",) * 8))
    assert effect is not None
    assert effect.slope == pytest.approx(-math.log(3))
    assert np.isnan([effect.standard_error, effect.p_value]).all()
    said = length_section({"mine": replace(found, targets=("A",) * 8)}, n_bootstrap=0, seed=0).text
    assert "mine -1.10 (of one molecule, so without a standard error)." in said
    assert "mine -1.10 (standard error 0.82)." in length_section({"mine": found}, n_bootstrap=0, seed=0).text


def test_replicates_of_a_molecule_count_once_in_the_standard_error():
    # Every query twice, as replicates: the same slope, and the same standard error, not one smaller by sqrt(2).
    ranks, lengths = [1, 1, 1, 2, 1, 2, 2, 2], [2] * 4 + [8] * 4
    once = results(ranks, lengths)
    twice = replace(results(ranks * 2, lengths * 2), targets=once.targets * 2)
    effect, repeated = length_effect(once), length_effect(twice)
    assert effect is not None
    assert repeated is not None
    assert (repeated.slope, repeated.standard_error) == pytest.approx((effect.slope, effect.standard_error))
