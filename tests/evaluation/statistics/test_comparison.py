import math
from dataclasses import replace

import numpy as np
import pytest

from diptych.errors import EvaluationError
from diptych.evaluation import Answers, Evaluation, mcnemar, paired_difference


def evaluation(ranks: list[float], *, targets: str | None = None, queries: tuple[str, ...] | None = None) -> Evaluation:
    n = len(ranks)
    unknown = np.full(n, np.nan)
    return Evaluation(
        queries=queries or tuple(str(i) for i in range(n)),
        targets=tuple(targets) if targets else tuple(f"M{i}" for i in range(n)),
        list_lengths=np.full(n, 10),
        answers=Answers(ranker="m", ranks=np.array(ranks), target_scores=unknown, best_scores=unknown, best=("",) * n),
        provenance={},
    )


def test_mcnemar_worked_out_by_hand():
    # Only the first hits 5 queries, only the second 1: p = 2 (C(6,0) + C(6,1)) / 2^6 = 14 / 64.
    first = evaluation([1] * 5 + [2] + [1, 3])
    second = evaluation([2] * 5 + [1] + [1, 3])
    test = mcnemar(first, second)
    assert (test.only_first, test.only_second) == (5, 1)
    assert test.p_value == pytest.approx(14 / 64)
    assert mcnemar(second, first).p_value == pytest.approx(14 / 64)


def test_a_report_adjusts_mcnemar_s_p_values_over_its_controls():
    # Above the first control by 8 queries to none, p = 2 / 2^8; above the second by 3 to none, p = 2 / 2^3.
    first, weak, strong = evaluation([1] * 8), evaluation([2] * 8), evaluation([1] * 5 + [2] * 3)
    controls = [replace(one.answers, ranker=name) for name, one in (("weak", weak), ("strong", strong))]
    above = replace(first, controls=tuple(controls), n_bootstrap=20).to_report()["above_controls"]
    assert [above[name]["mcnemar_p"] for name in ("weak", "strong")] == pytest.approx([2 / 256, 2 / 8])
    assert [above[name]["mcnemar_p_adjusted"] for name in ("weak", "strong")] == pytest.approx([4 / 256, 2 / 8])


def test_mcnemar_of_equal_methods_is_one():
    same = evaluation([1, 2, math.inf])
    assert mcnemar(same, same).p_value == pytest.approx(1)


def test_mcnemar_agrees_with_an_independent_library():
    stats = pytest.importorskip("scipy.stats")
    first = evaluation([1] * 300 + [2] * 240)
    second = evaluation([2] * 300 + [1] * 240)
    assert mcnemar(first, second).p_value == pytest.approx(stats.binomtest(240, 540).pvalue)


def test_the_queries_are_matched_by_identifier_and_not_by_place():
    first = evaluation([1, 2, 3], queries=("a", "b", "c"))
    second = evaluation([3, 1, 2], queries=("c", "a", "b"))
    assert mcnemar(first, second, k=2) == mcnemar(first, first, k=2)


def test_a_paired_difference_has_the_value_of_the_difference():
    difference = paired_difference(evaluation([1, 1, 1, 2]), evaluation([1, 2, 2, 2]))
    assert difference.value == pytest.approx(0.5)
    assert difference.low <= 0.5 <= difference.high


def test_a_clear_difference_lies_beyond_the_interval_and_none_does_not():
    better, worse = evaluation([1] * 40), evaluation([1] * 10 + [2] * 30)
    assert paired_difference(better, worse).beyond_the_interval
    assert not paired_difference(better, better).beyond_the_interval


def test_replicates_of_one_molecule_do_not_make_a_difference_sure():
    targets = "A" * 50 + "B" + "C"
    better = evaluation([1.0] * 50 + [2, 2], targets=targets)
    worse = evaluation([2.0] * 52, targets=targets)
    assert not paired_difference(better, worse).beyond_the_interval


@pytest.mark.parametrize("metric", ["hit_rate@5", "hit_rate@20", "mrr"])
def test_every_metric_can_be_compared(metric: str):
    assert paired_difference(evaluation([1, 30]), evaluation([30, 30]), metric=metric).value > 0


def test_an_unknown_metric_is_refused():
    with pytest.raises(EvaluationError, match="no metric 'map'; expected one of hit_rate@1"):
        paired_difference(evaluation([1, 2]), evaluation([1, 2]), metric="map")


def test_other_queries_are_refused():
    with pytest.raises(EvaluationError, match="was asked 2 queries and 'm' 3, 2 of them the same"):
        mcnemar(evaluation([1, 2]), evaluation([1, 2, 3]))
    with pytest.raises(EvaluationError, match="was asked 3 queries and 'm' 2, 2 of them the same"):
        mcnemar(evaluation([1, 2, 3]), evaluation([1, 2]))
    with pytest.raises(EvaluationError, match="was asked 1 queries and 'm' 1, 0 of them the same"):
        mcnemar(evaluation([1], queries=("a",)), evaluation([1], queries=("b",)))


def test_one_molecule_is_no_basis_for_a_difference():
    with pytest.raises(EvaluationError, match="all queries are of one molecule"):
        paired_difference(evaluation([1, 2], targets="AA"), evaluation([2, 2], targets="AA"))
