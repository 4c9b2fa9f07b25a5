import math

import numpy as np
import pytest

from diptych.errors import EvaluationError
from diptych.evaluation.statistics.answer_absent import auroc
from diptych.evaluation.statistics.pair_scores import pair_curve, within_query_auroc


def test_areas_worked_out_by_hand():
    # At the levels 0.9, 0.8, 0.1 (false, true) positive rates are (0, .5), (.5, 1), (1, 1).
    curve = pair_curve([0.9, 0.8, 0.8, 0.1], [1, 0, 1, 0])
    np.testing.assert_allclose(curve.false_positive_rate, [0, 0.5, 1])
    np.testing.assert_allclose(curve.true_positive_rate, [0.5, 1, 1])
    assert curve.auroc == pytest.approx(0.5 * (0.5 + 1) / 2 + 0.5)
    assert curve.average_precision == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert curve.prevalence == 0.5


def test_the_area_is_the_probability_that_right_stands_above_wrong():
    generator = np.random.default_rng(0)
    scores, right = generator.normal(size=200).round(1), generator.random(200) < 0.3
    assert pair_curve(scores, right).auroc == pytest.approx(auroc(scores[right], scores[~right]))


def test_areas_agree_with_an_independent_library():
    metrics = pytest.importorskip("sklearn.metrics")
    generator = np.random.default_rng(1)
    scores, right = generator.normal(size=300).round(1), generator.random(300) < 0.2
    curve = pair_curve(scores, right)
    assert curve.auroc == pytest.approx(metrics.roc_auc_score(right, scores))
    assert curve.average_precision == pytest.approx(metrics.average_precision_score(right, scores))


@pytest.mark.filterwarnings("error")
def test_infinite_scores_that_tie_are_one_level():
    # (false, true) positive rates at inf, 0 and -inf: (.5, .5), (.5, 1), (1, 1).
    curve = pair_curve([math.inf, math.inf, 0.0, -math.inf], [1, 0, 1, 0])
    assert curve.threshold.tolist() == [math.inf, 0.0, -math.inf]
    assert curve.auroc == pytest.approx(0.5 * 0.5 / 2 + 0.5)


def test_pairs_without_a_score_stand_last_and_are_counted():
    curve = pair_curve([0.9, math.nan, 0.1], [1, 1, 0])
    assert curve.n_unscored == 1
    # (0, .5), (1, .5), then the unscored: (1, 1).
    assert curve.auroc == pytest.approx(0.5)
    assert curve.average_precision == pytest.approx(0.5)
    # Right 0.9 and none, wrong 0.1 and none: of four pairs two in order, one against it, and one tie.
    assert pair_curve([0.9, math.nan, math.nan, 0.1], [1, 1, 0, 0]).auroc == pytest.approx(2.5 / 4)


@pytest.mark.parametrize("right", [[1, 1], [0, 0], [1]])
def test_pairs_of_one_kind_have_no_curve(right: list[int]):
    with pytest.raises(
        EvaluationError, match="expected one score for each pair, and right pairs as well as wrong ones"
    ):
        pair_curve([0.5, 0.4], right)


@pytest.mark.filterwarnings("error")
def test_queries_without_another_candidate_say_nothing_within_queries():
    assert math.isnan(within_query_auroc([1.0], [1]))
    assert within_query_auroc([1, 2, 1, 2], [1, 2, 2, 5]) == pytest.approx((0 + 1 + 3 / 4) / 3)
