import math

import numpy as np
import pytest

from diptych.evaluation.results.query_results import QueryResults
from diptych.evaluation.statistics.against_controls import (
    Against,
    against_said,
    below_said,
    group_rate,
    strongest_controls,
    with_controls,
)
from diptych.evaluation.statistics.comparison_table import paired_bootstrap
from diptych.evaluation.statistics.figures_of_merit import summarised
from diptych.evaluation.statistics.strata import Stratum


def results(ranks: list[float], *, first: int = 0, **controls: list[float]) -> QueryResults:
    n = len(ranks)
    unknown = np.full(n, math.nan)
    return QueryResults(
        queries=tuple(f"q{first + i}" for i in range(n)),
        targets=tuple(f"M{i // 2}" for i in range(n)),
        ranks=np.array(ranks, dtype=float),
        n_candidates=np.full(n, 4),
        target_scores=unknown,
        best_scores=unknown,
        best=("",) * n,
        control_ranks={name: np.array(given, dtype=float) for name, given in controls.items()},
    )


def stratum(*against: Against, n_queries: int = 9) -> Stratum:
    return Stratum(column="adduct", label="H", n_queries=n_queries, n_molecules=5, against=against)


def test_the_strongest_control_is_the_baseline_of_the_highest_hit_rate_then_the_blind_one():
    controls = {
        "spectrum_blind": [1, 1],
        "random": [1, 1],
        "formula_only": [1, 1],
        "shuffled_spectra": [1, 1],
        "prior": [2, 2],
        "neighbours": [9, 1],
    }
    assert strongest_controls(results([1, 1], **controls)) == ("neighbours", "spectrum_blind")
    assert strongest_controls(results([1, 1], random=[1, 1])) == ()


def test_other_methods_are_controls_where_they_were_asked_every_query():
    whole, part = results([4, 3, 2]), results([1, 1], first=1)
    shuffled = whole.take([2, 0, 1])
    found = with_controls(results([1, 1, 1], random=[2, 2, 2]), {"whole": shuffled, "part": part})
    assert list(found.control_ranks) == ["random", "whole"]
    assert found.control_ranks["whole"].tolist() == [4, 3, 2]


def test_rates_and_differences_are_those_of_the_whole_table():
    rng = np.random.default_rng(0)
    found = results(rng.integers(1, 4, size=60).tolist(), baseline=rng.integers(1, 4, size=60).tolist())
    rate = group_rate(found, ["baseline"], k=1, n_bootstrap=500, seed=3)
    hit, other = (ranks <= 1 for ranks in (found.ranks, found.control_ranks["baseline"]))
    alone = summarised({"hit": hit.astype(float)}, molecules=found.targets, n_bootstrap=500, seed=3)["hit"]
    assert (rate.hit_rate, rate.low, rate.high) == pytest.approx((alone.spectrum, alone.low, alone.high))
    low, high, _ = paired_bootstrap(hit.astype(float) - other, found.targets, n_bootstrap=500, seed=3)
    assert (rate.against[0].low, rate.against[0].high) == pytest.approx((low, high))
    assert rate.against[0].difference == pytest.approx(hit.mean() - other.mean())


def test_one_molecule_has_a_difference_without_interval():
    (against,) = group_rate(results([2, 2], baseline=[1, 2]), ["baseline"], k=1, n_bootstrap=50, seed=0).against
    assert (against.difference, against.mark) == (-0.5, "↓")
    assert math.isnan(against.low)


def test_marks_say_how_far_below_a_method_stands():
    assert Against(name="a", difference=-0.1, low=-0.2, high=-0.05).mark == "↓↓"
    assert Against(name="a", difference=-0.1, low=-0.2, high=0.0).mark == "↓"
    assert Against(name="a", difference=0.0, low=0.0, high=0.0).mark == ""
    assert Against(name="a").mark == ""


def test_strata_below_a_control_are_counted():
    below = stratum(Against(name="a", difference=-0.1, low=-0.2, high=-0.05), Against(name="spectrum_blind"))
    above = stratum(Against(name="a", difference=0.1, low=0, high=0.2), Against(name="spectrum_blind"))
    empty = stratum(Against(name="a"), Against(name="spectrum_blind"), n_queries=0)
    groups = [below, above, empty]
    assert below_said(groups, of="strata") == "Below a in 1 of 2 strata, in 1 with the whole interval."
    assert below_said([above], of="strata") == ""
    said = against_said(groups)
    assert said.startswith("a is the strongest of its controls over all queries and spectrum_blind is the same model")
    assert against_said([stratum()]) == ""
