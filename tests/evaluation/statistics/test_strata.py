import math
from dataclasses import replace

import numpy as np
import pytest

from diptych.evaluation.report.tables import stratum_table
from diptych.evaluation.results.query_results import QueryResults
from diptych.evaluation.statistics.strata import Stratum, by_stratum, labels_of


def results(ranks: list[float], *, targets: str, **metadata: list[object]) -> QueryResults:
    n = len(ranks)
    unknown = np.full(n, math.nan)
    found = QueryResults(
        queries=tuple(map(str, range(n))),
        targets=tuple(targets),
        ranks=np.array(ranks, dtype=float),
        n_candidates=np.full(n, 4),
        target_scores=unknown,
        best_scores=unknown,
        best=("",) * n,
    )
    return found.with_metadata(metadata)


def test_values_are_told_apart_by_how_common_they_are():
    found = results([1, 2, 1, 1, 2], targets="ABCDE", adduct=["H", "H", "Na", None, "K"])
    strata = {stratum.label: stratum for stratum in by_stratum(found, "adduct", at_most=2, n_bootstrap=20)}
    assert list(strata) == ["H", "Na", "others", "unknown"]
    assert (strata["H"].n_queries, strata["H"].hit_rate, strata["H"].chance) == (2, 0.5, 0.25)
    assert strata["unknown"].hit_rate == 1.0
    assert sum(stratum.n_queries for stratum in strata.values()) == 5


def test_bins_of_numbers_reach_to_just_below_the_next_and_the_empty_are_listed():
    found = results([1, 1, 2, 2, 2], targets="ABCDE", n_peaks=[5, 9, 10, 500, "many"])
    strata = {stratum.label: stratum for stratum in by_stratum(found, "n_peaks", n_bootstrap=0)}
    assert strata["5 to 9"].n_queries == 2
    assert strata["10 to 19"].n_queries == 1
    assert strata["100 and more"].n_queries == 1
    assert strata["unknown"].n_queries == 1
    assert strata["20 to 49"].n_queries == 0
    assert (strata["20 to 49"].n_molecules, math.isnan(strata["20 to 49"].hit_rate)) == (0, True)


@pytest.mark.parametrize(
    ("column", "labels"),
    [
        ("collision_energy", ["0 to < 10", "10 to < 20", "20 to < 30", "30 to < 40", "40 to < 60", "60 and more"]),
        ("normalised_collision_energy", ["0 to < 20", "20 to < 40", "40 to < 60", "60 to < 90", "90 and more"]),
        ("n_peaks", ["1 to 4", "5 to 9", "10 to 19", "20 to 49", "50 to 99", "100 and more"]),
        (
            "precursor_mz",
            ["0 to < 150", "150 to < 250", "250 to < 350", "350 to < 500", "500 to < 700", "700 and more"],
        ),
        (
            "nearest_training",
            [
                *("0 to < 0.3", "0.3 to < 0.4", "0.4 to < 0.5", "0.5 to < 0.6", "0.6 to < 0.7", "0.7 to < 0.85"),
                "0.85 and more",
            ],
        ),
        ("ring_systems", ["0", "1", "2", "3", "4 and more"]),
        (
            "n_candidates",
            ["1", "2 to 4", "5 to 9", "10 to 19", "20 to 49", "50 to 99", "100 to 255", "256 and more"],
        ),
    ],
)
def test_every_column_of_numbers_has_these_bins_and_a_border_is_in_the_upper(column: str, labels: list[str]):
    borders = [label.split()[0] for label in labels]
    metadata = {} if column == "n_candidates" else {column: borders}
    found = results([1] * len(labels), targets="ABCDEFGH"[: len(labels)], **metadata)
    if column == "n_candidates":
        found = replace(found, n_candidates=np.array(borders, dtype=int))
    assert labels_of(found, column) == labels
    assert [one.label for one in by_stratum(found, column, n_bootstrap=0)] == labels


def test_a_number_below_all_bins_is_unknown():
    assert labels_of(results([1], targets="A", n_peaks=[0]), "n_peaks") == ["unknown"]


def test_a_column_that_is_not_there_is_all_unknown():
    (only,) = by_stratum(results([1, 2], targets="AB"), "contributor", n_bootstrap=0)
    assert (only.label, only.n_queries) == ("unknown", 2)


def test_few_molecules_are_marked_and_one_has_no_interval():
    (only,) = by_stratum(results([1, 2], targets="AA", adduct=["H", "H"]), "adduct", n_bootstrap=20)
    assert only.is_small
    assert math.isnan(only.low)
    assert only.hit_rate == pytest.approx(0.5)


def test_a_stratum_is_small_below_twenty_molecules():
    sizes = [Stratum(column="adduct", label="H", n_queries=99, n_molecules=n).is_small for n in (19, 20)]
    assert sizes == [True, False]


def test_list_length_is_a_column_of_every_table():
    assert labels_of(results([1], targets="A"), "n_candidates") == ["2 to 4"]


def test_numbers_that_are_not_whole_reach_to_just_below_the_next_border():
    assert labels_of(results([1], targets="A", collision_energy=[19.9]), "collision_energy") == ["10 to < 20"]
    assert labels_of(results([1], targets="A", ring_systems=[2]), "ring_systems") == ["2"]


def test_a_stratum_in_which_a_control_stands_above_is_marked():
    found = results([1, 1, 2, 2, 1], targets="ABCDE", adduct=["H", "H", "Na", "Na", "Na"])
    beside = replace(found, control_ranks={"baseline": np.array([2.0, 2.0, 1.0, 1.0, 1.0])})
    below, above = by_stratum(beside, "adduct", controls=["baseline"], n_bootstrap=100)
    assert (below.label, below.against[0].hit_rate, below.against[0].mark) == ("Na", 1.0, "↓")
    assert below.against[0].difference == pytest.approx(-2 / 3)
    assert (above.label, above.against[0].difference, above.against[0].mark) == ("H", 1.0, "")
    header, rows = stratum_table([below, above])
    assert header[-2:] == ("baseline @1", "above baseline")
    assert rows[1][-2:] == ("0.0", "+100.0 (100.0 to 100.0)")


def test_an_empty_stratum_has_dashes_for_its_controls():
    found = replace(results([1], targets="A", n_peaks=[5]), control_ranks={"baseline": np.ones(1)})
    strata = by_stratum(found, "n_peaks", controls=["baseline"], n_bootstrap=0)
    rows = {row[0]: row for row in stratum_table(strata)[1]}
    assert rows["1 to 4"][-2:] == ("–", "–")
    assert rows["5 to 9 (few molecules)"][-2:] == ("100.0", "+0.0")
