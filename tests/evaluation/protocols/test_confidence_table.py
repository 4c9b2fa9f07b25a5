import numpy as np
import pytest

from diptych.errors import EvaluationError
from diptych.evaluation.protocols.confidence_table import AskedLists, answer_absent_table, conformal_notes
from diptych.evaluation.protocols.tables import table_lines
from diptych.evaluation.statistics.answer_absent import auroc, take_out_answers

RNG = np.random.default_rng(0)
MOLECULES = [f"M{i // 2}" for i in range(80)]
LISTS = AskedLists(molecules=MOLECULES, positions=[0] * 80)
SURE = [np.array([1.0, *RNG.random(4) * 0.5]) for _ in range(80)]
NOISE = [RNG.random(5) for _ in range(80)]


def test_a_method_that_knows_is_told_from_one_that_does_not():
    rows = answer_absent_table({"sure": SURE, "noise": NOISE}, LISTS, temperatures={"sure": 0.1}, n_bootstrap=200)
    sure, noise = rows
    assert (sure["queries"], sure["left_out"], sure["auroc"]) == (80, 0, 1.0)
    assert sure["risk_coverage_area"] == 0
    assert sure["auroc_probability"] > 0.9
    assert sure["calibration_error"] < 0.1
    assert (sure["conformal_coverage"], sure["conformal_size"], sure["conformal_empty"]) == (1.0, 1.0, 0.0)
    top = take_out_answers(NOISE, [0] * 80)
    assert noise["auroc"] == pytest.approx(auroc(top.present, top.absent))
    assert noise["low"] < noise["auroc"] < noise["high"]
    assert noise["auroc_probability"] is None
    assert noise["conformal_size"] > 3
    assert list(sure) == list(noise)


def test_conformal_sets_cover_what_they_promise_of_exchangeable_molecules():
    scores = [RNG.normal(size=10) + np.eye(10)[0] for _ in range(2000)]
    lists = AskedLists(molecules=[f"M{i}" for i in range(2000)], positions=[0] * 2000)
    (row,) = answer_absent_table({"m": scores}, lists, error_rate=0.2, n_bootstrap=0)
    assert row["conformal_coverage"] == pytest.approx(0.8, abs=0.02)
    assert (row["conformal_calibration_molecules"], row["conformal_tested"]) == (1000, 1000)
    assert 0 < row["conformal_coverage_deviation"] < 0.05
    assert row["conformal_unbounded_splits"] == 0
    assert conformal_notes([row]) == []
    assert row["low"] is None


def test_few_calibration_molecules_take_every_candidate_and_it_is_said():
    lists = AskedLists(molecules=list("AABCDEFG"), positions=[0] * 8)
    scores = [RNG.random(4) for _ in range(8)]
    (row,) = answer_absent_table({"m": scores}, lists, n_bootstrap=0)
    assert (row["conformal_coverage"], row["conformal_size"], row["conformal_unbounded_splits"]) == (1.0, 4.0, 100)
    assert conformal_notes([row]) == [
        "m: the conformal sets of 100 of 100 splits hold every candidate, so that their coverage says nothing; 3 "
        "molecules set the threshold, and an error rate of 0.1 needs at least 9."
    ]
    said = table_lines([row])
    assert "conformal unbounded splits" in said[0]
    assert " 4.0 | 0.0 | 0.0 | 3 | " in said[2]


@pytest.mark.parametrize("none", [np.nan, np.inf, -np.inf])
def test_what_cannot_be_told_is_left_out_and_counted(none: float):
    lists = AskedLists(molecules=["A", "B", "C", "D"], positions=[0, None, 0, 0])
    scores = [np.array([1.0, 0.5]), np.array([1.0, 0.5]), np.array([none, 0.5]), np.array([1.0, none])]
    (row,) = answer_absent_table({"m": scores}, lists)
    assert (row["queries"], row["left_out"], row["auroc"]) == (1, 3, None)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinite_scores_are_none_and_spoil_no_figure(value: float):
    scores = [np.array([value, value]), np.array([1.0, value]), np.array([value, 0.5]), np.array([1.0, 0.5])]
    lists = AskedLists(molecules=["A", "B", "C", "D"], positions=[0] * 4)
    (row,) = answer_absent_table({"m": scores}, lists, temperatures={"m": 0.1}, n_bootstrap=20)
    assert (row["queries"], row["left_out"]) == (1, 3)
    assert row["calibration_error"] is None or 0 <= row["calibration_error"] <= 1


def test_one_position_is_wanted_for_each_query():
    with pytest.raises(EvaluationError, match="2 molecules and 1 positions"):
        AskedLists(molecules=["A", "B"], positions=[0])
