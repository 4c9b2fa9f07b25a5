import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diptych.errors import EvaluationError
from diptych.evaluation.statistics.answer_absent import (
    auroc,
    conformal_sets,
    conformal_threshold,
    expected_calibration_error,
    risk_coverage,
    take_out_answers,
)

few = st.lists(st.integers(0, 5).map(float), min_size=1, max_size=12)


def test_the_best_score_with_and_without_the_answer():
    top = take_out_answers([[0.9, 0.5, 0.2], [0.1, 0.8, math.nan]], [0, 0])
    assert top.present.tolist() == [0.9, 0.8]
    assert top.absent.tolist() == [0.5, 0.8]
    assert top.n_left_out == 0


def test_queries_that_cannot_be_asked_are_counted():
    # The list lacks its answer; the answer is alone; nothing else is scored; an empty list.
    top = take_out_answers([[0.9], [0.9], [0.9, math.nan], []], [None, 0, 0, None])
    assert (top.present.size, top.absent.size, top.n_left_out) == (0, 0, 4)


def test_auroc_worked_out_by_hand():
    assert auroc([3, 4], [1, 2]) == 1
    assert auroc([1, 2], [3, 4]) == 0
    assert auroc([1], [1, 1]) == 0.5
    # Pairs: 3 > 2, 3 > 1, 1 < 2, 1 = 1.
    assert auroc([3, 1], [2, 1]) == pytest.approx(2.5 / 4)


@pytest.mark.filterwarnings("error")
def test_the_area_of_one_kind_alone_is_unknown():
    assert math.isnan(auroc([], [1]))
    assert math.isnan(auroc([1], []))


@given(first=few, second=few)
def test_auroc_is_the_fraction_of_pairs_in_order(first: list[float], second: list[float]):
    pairs = [(a > b) + 0.5 * (a == b) for a in first for b in second]
    assert auroc(first, second) == pytest.approx(np.mean(pairs))
    assert auroc(first, second) + auroc(second, first) == pytest.approx(1)


def test_risk_and_coverage_worked_out_by_hand():
    curve = risk_coverage([0.2, 0.8, 0.4, 0.6], [0, 1, 0, 1])
    assert curve.coverage.tolist() == [0.25, 0.5, 0.75, 1]
    assert curve.risk == pytest.approx([0, 0, 1 / 3, 1 / 2])
    assert curve.area == pytest.approx((1 / 3 + 1 / 2) / 4)


def test_the_area_counts_the_risk_of_the_surest_answers_by_what_they_cover():
    # The surest is wrong: risks 1, 1/2, 1/3 at coverages that grow by 1/3.
    assert risk_coverage([0.9, 0.8, 0.7], [0, 1, 1]).area == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)
    # Two tie: risk 1/2 over 2/3, then 1/3 over 1/3.
    assert risk_coverage([0.9, 0.9, 0.7], [0, 1, 1]).area == pytest.approx(1 / 2 * 2 / 3 + 1 / 3 * 1 / 3)


def test_infinite_confidences_count_by_their_order():
    inf = math.inf
    curve = risk_coverage([inf, inf, 0.5, -inf, -inf], [1, 0, 1, 0, 0])
    assert curve.coverage.tolist() == [0.4, 0.6, 1]
    assert curve.risk == pytest.approx([1 / 2, 1 / 3, 3 / 5])
    assert auroc([inf, 1.0], [-inf, inf]) == pytest.approx(2.5 / 4)
    with pytest.raises(EvaluationError, match=r"probabilities from 0\.5 to inf"):
        expected_calibration_error([inf, 0.5], [1, 0])


@given(answers=st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=12), data=st.data())
def test_the_order_of_equally_sure_answers_changes_nothing(answers: list[tuple[int, bool]], data: st.DataObject):
    shuffled = data.draw(st.permutations(answers))
    first, second = (risk_coverage(*zip(*some, strict=True)) for some in (answers, shuffled))
    np.testing.assert_allclose(first.risk, second.risk)
    assert first.coverage[-1] == 1
    assert first.risk[-1] == pytest.approx(np.mean([not right for _, right in answers]))


def test_calibration_error_worked_out_by_hand():
    # Two bins: 0.2 and 0.4 with one of two right (0.5 - 0.3 = 0.2), 1.0 wrong (1.0): (2 * 0.2 + 1.0) / 3.
    assert expected_calibration_error([0.2, 0.4, 1.0], [1, 0, 0], n_bins=2) == pytest.approx(1.4 / 3)
    assert expected_calibration_error([0.5, 0.5], [1, 0]) == 0


def test_a_probability_of_one_is_in_the_last_bin_and_one_on_a_border_in_the_bin_above():
    # One bin of both, 0.9 + 1.0 for one right answer: |1 - 1.9| / 2.
    assert expected_calibration_error([0.9, 1.0], [1, 0], n_bins=2) == pytest.approx(0.45)
    # 0.5 is in the bin of 0.9, (0.4 + |1 - 1.4|) / 3; in that of 0.4 it would be (0.9 + 0.1) / 3.
    assert expected_calibration_error([0.4, 0.5, 0.9], [0, 0, 1], n_bins=2) == pytest.approx(0.8 / 3)
    assert expected_calibration_error([0.2, 0.9], [1, 0], n_bins=1) == pytest.approx(0.05)


def test_the_conformal_threshold_is_an_order_statistic():
    # (9 + 1) * 0.3 = 3, the third smallest; of three scores none is below with certainty enough.
    assert conformal_threshold(np.arange(1, 10) / 10, error_rate=0.3) == pytest.approx(0.3)
    assert conformal_threshold([0.1, 0.2, 0.3], error_rate=0.2) == -math.inf
    # (9 + 1) * 0.1 = 1, the smallest; of eight there is none. 100 * 0.29 is 29, but for the last bit.
    assert conformal_threshold(np.arange(1, 10), error_rate=0.1) == 1
    assert conformal_threshold(np.arange(1, 9), error_rate=0.1) == -math.inf
    assert conformal_threshold(np.arange(1, 100), error_rate=0.29) == 29
    # A target without a score is below every threshold that has to cover it.
    assert conformal_threshold([math.nan, 0.5], error_rate=0.34) == -math.inf


def test_conformal_sets_worked_out_by_hand():
    sets = conformal_sets([[0.9, 0.6, 0.1], [0.2, 0.7], [0.1], [0.8]], [1, 0, 0, None], threshold=0.5)
    # Sizes 2, 1, 0, 1; only the first holds its answer.
    assert (sets.coverage, sets.mean_size, sets.n_empty) == (0.25, 1.0, 1)


def test_conformal_sets_cover_exchangeable_answers():
    scores = np.random.default_rng(0).random(40_000)
    threshold = conformal_threshold(scores[:20_000], error_rate=0.1)
    sets = conformal_sets(scores[20_000:, None], [0] * 20_000, threshold=threshold)
    assert sets.coverage == pytest.approx(0.9, abs=0.01)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: take_out_answers([[1.0]], []), "1 arrays of scores and 0 positions"),
        (lambda: take_out_answers([[1.0]], [1]), "query 0: the answer is at position 1 of 1 candidates"),
        (lambda: conformal_sets([], [], threshold=0.5), "there is no query to test"),
        (lambda: conformal_threshold([], error_rate=0.1), "0 scores and error rate 0.1"),
        (lambda: conformal_threshold([0.5], error_rate=1.0), "1 scores and error rate 1.0"),
        (lambda: risk_coverage([0.5, math.nan], [1, 0]), r"shape \(2,\) \(1 of them NaN\)"),
        (lambda: risk_coverage([], []), "at least one"),
        (lambda: expected_calibration_error([1.5], [1]), r"from 1.5 to 1.5 in 15 bins; expected probabilities in"),
        (lambda: expected_calibration_error([0.5], [1], n_bins=0), "in 0 bins"),
    ],
)
def test_impossible_input_is_refused(call, message: str):
    with pytest.raises(EvaluationError, match=message):
        call()
