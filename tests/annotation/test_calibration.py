import math

import numpy as np
import pytest

from diptych.annotation import ScoreCalibration, expected_calibration_error, fit_temperature
from diptych.errors import ModelError


def test_probabilities_are_the_softmax_of_score_over_temperature():
    probability = ScoreCalibration(temperature=0.5).probabilities(np.array([0.5, 0.0], dtype=np.float32))
    assert probability == pytest.approx([math.e / (math.e + 1), 1 / (math.e + 1)])


def test_probabilities_of_far_apart_scores_do_not_overflow():
    probability = ScoreCalibration(temperature=1e-4).probabilities(np.array([1.0, -1.0], dtype=np.float32))
    assert probability.tolist() == [1.0, 0.0]


def test_a_lone_candidate_is_certain_given_that_the_answer_is_in_the_library():
    calibration = ScoreCalibration(temperature=0.1)
    assert calibration.probabilities(np.array([-0.3], dtype=np.float32)).tolist() == [1.0]
    assert "outside the library" in calibration.to_dict()["condition"]


def test_the_temperature_comes_from_the_metadata_of_a_model():
    assert ScoreCalibration.from_metadata({"calibration": {"temperature": 0.07, "queries": 10}}) == ScoreCalibration(
        temperature=0.07
    )
    assert ScoreCalibration.from_metadata({}) is None


@pytest.mark.parametrize("stored", [{}, {"temperature": "warm"}, 3, {"temperature": None}])
def test_a_calibration_without_a_temperature_is_named(stored: object):
    with pytest.raises(ModelError, match="a positive number"):
        ScoreCalibration.from_metadata({"calibration": stored})


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan, math.inf])
def test_a_temperature_must_be_positive_and_finite(temperature: float):
    with pytest.raises(ModelError, match="expected a positive finite number"):
        ScoreCalibration(temperature=temperature)


def test_the_fitted_temperature_is_the_one_that_was_drawn_from():
    rng = np.random.default_rng(0)
    scores = rng.uniform(-1, 1, size=(4000, 12))
    weights = np.exp(scores / 0.25)
    answers = [int(rng.choice(12, p=row / row.sum())) for row in weights]
    assert fit_temperature(list(scores), answers) == pytest.approx(0.25, rel=0.05)


def test_lists_of_different_length_are_fitted_together():
    # Two even candidates say nothing about T, so the other query alone decides: right three times in four, 1/T = log 3.
    even = [[0.3, 0.3, 0.3]]
    assert fit_temperature([[1.0, 0.0]] * 4 + even, [0, 0, 0, 1, 2]) == pytest.approx(1 / math.log(3), rel=1e-4)


def test_answers_that_always_stand_first_give_the_lowest_temperature():
    assert fit_temperature([[1.0, 0.0], [0.5, 0.1]], [0, 0]) <= 1e-2


def test_answers_that_always_stand_last_give_the_highest_temperature():
    assert fit_temperature([[1.0, 0.0]], [1]) == pytest.approx(100, rel=1e-3)


@pytest.mark.parametrize(
    ("scores", "positions", "message"),
    [
        ([], [], "got 0 queries and 0 answers"),
        ([[0.1]], [0, 0], "got 1 queries and 2 answers"),
        ([[0.1]], [1], "query 0: answer at position 1 of 1 candidates"),
        ([[0.1], []], [0, 0], "query 1: answer at position 0 of 0 candidates"),
        ([[0.1, math.nan]], [0], "finite scores only"),
    ],
)
def test_a_temperature_cannot_be_fitted_to_nonsense(scores: list[list[float]], positions: list[int], message: str):
    with pytest.raises(ModelError, match=message):
        fit_temperature(scores, positions)


def test_calibration_error_is_zero_where_confidence_is_accuracy():
    assert expected_calibration_error([0.5, 0.5], [True, False]) == 0.0


def test_calibration_error_weighs_bins_by_their_size():
    # One bin of three at 0.9 with accuracy 2/3, one of one at 0.1 with accuracy 0: (3 * 0.2333 + 1 * 0.1) / 4.
    error = expected_calibration_error([0.9, 0.9, 0.9, 0.1], [1, 1, 0, 0], n_bins=10)
    assert error == pytest.approx((3 * (0.9 - 2 / 3) + 0.1) / 4)


def test_calibration_error_takes_confidences_of_zero_and_one():
    assert expected_calibration_error([0.0, 1.0], [False, True]) == 0.0


def test_calibration_error_needs_as_many_outcomes_as_confidences():
    with pytest.raises(ModelError, match="got 2 confidences and 1 outcomes"):
        expected_calibration_error([0.1, 0.2], [True])
