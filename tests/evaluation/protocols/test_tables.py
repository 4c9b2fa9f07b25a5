from dataclasses import replace

import numpy as np
import pytest

from diptych.errors import EvaluationError
from diptych.evaluation.protocols.repeated_search import query_splits
from diptych.evaluation.protocols.searchable_spectra import SearchableSpectra
from diptych.evaluation.protocols.tables import (
    binned_vectors,
    few_shot_table,
    library_search_table,
    search_count_lines,
    search_scorers,
    table_lines,
)
from diptych.spectra.spectrum import Spectrum

# Two molecules of one mass, each with three spectra that share a peak of their own.
SPECTRA = [
    Spectrum.from_peaks([own, 100.0 + i], [10.0, 1.0], precursor_mz=200.0, charge=1)
    for own in (50.0, 60.0)
    for i in range(3)
]
MOLECULES = ["A"] * 3 + ["B"] * 3


def test_library_search_has_a_row_per_scorer_and_form():
    spectra = SearchableSpectra(spectra=SPECTRA, molecules=MOLECULES, origins=["x"] * 6)
    rows = library_search_table(search_scorers(["precursor_mz", "binned_cosine"]), spectra, n_splits=3)
    found = {(row["scorer"], row["form"]): row for row in rows}
    # All precursors are the same: the four references tie, against the target.
    assert found["precursor_mz", "open"]["hit_rate@1"] == {"mean": 0.0, "deviation": 0.0}
    assert found["binned_cosine", "10 ppm, with a competitor"]["hit_rate@1"]["mean"] == 1.0
    nobody = found["binned_cosine", "10 ppm, with a competitor, other origin"]
    assert nobody["hit_rate@1"] == {"mean": None, "deviation": None}
    assert found["binned_cosine", "10 ppm, with a competitor, other instrument class"]["n_queries"] == 0
    assert found["binned_cosine", "10 ppm, with a competitor: unknown"]["hit_rate@1"]["mean"] == 1.0
    lines = table_lines(rows)
    assert lines[0] == "| scorer | form | n queries | hit rate@1 | hit rate@5 | hit rate@10 |"
    assert "| precursor_mz | open | 2 | 0.0 ± 0.0 |" in lines[2]


def test_library_search_is_told_apart_by_the_instrument_class_of_the_query():
    types = ["LC-ESI-QFT", "LC-ESI-QTOF"] * 3
    measured = [s.with_changes(instrument_type=kind) for s, kind in zip(SPECTRA, types, strict=True)]
    spectra = SearchableSpectra(spectra=measured, molecules=MOLECULES, origins=["x"] * 6)
    rows = {row["form"]: row for row in library_search_table(search_scorers(["binned_cosine"]), spectra, n_splits=4)}
    whole = rows["10 ppm, with a competitor"]
    parts = [rows[f"10 ppm, with a competitor: {name}"] for name in ("FT", "TOF")]
    assert sum(part["n_queries"] for part in parts) == whole["n_queries"] == 2
    assert all(0 < part["n_queries"] < 2 and part["hit_rate@1"]["mean"] == 1.0 for part in parts)
    across = rows["10 ppm, with a competitor, other instrument class"]
    assert (across["n_queries"], across["hit_rate@1"]["mean"]) == (2, 1.0)
    (line,) = search_count_lines(list(rows.values()))
    assert "other instrument class 0, 0, 0" in line
    assert ": FT" not in line


def test_what_library_search_leaves_out_is_counted_as_means_of_the_splits():
    # A's three spectra are of two precursors: the first, whenever it is the query, has no own reference in the window.
    spectra = [replace(SPECTRA[0], precursor_mz=300.0), *SPECTRA[1:3], SPECTRA[3]]
    searchable = SearchableSpectra(spectra=spectra, molecules=["A"] * 3 + ["B"], origins=[""] * 4)
    rows = library_search_table(search_scorers(["binned_cosine", "precursor_mz"]), searchable, n_splits=10, seed=1)
    queries = [int(split[0]) for split in query_splits(searchable, n_splits=10, seed=1)]
    missed = queries.count(0) / 10
    assert 0 < missed < 1
    by_form = {row["form"]: row["counts"] for row in rows[:4]}
    assert by_form["10 ppm"] == {
        "spectra_without_replicate": 1,
        "queries_given": 1.0,
        "without_own_reference": 0.0,
        "without_competitor": missed,
        "misses": missed,
    }
    assert by_form["10 ppm, with a competitor, other origin"]["without_own_reference"] == 1.0
    first, second = search_count_lines(rows)
    assert first == (
        "binned_cosine: 1 query given, 1 spectrum without a replicate; without own reference, without competitor, "
        f"misses: open 0, 0, 0; 10 ppm 0, {missed}, {missed}; 10 ppm, with a competitor 0, {missed}, 0; "
        f"10 ppm, with a competitor, other origin 1, {missed}, 0; "
        f"10 ppm, with a competitor, other instrument class 1, {missed}, 0"
    )
    assert second.startswith("precursor_mz: 1 query given")


@pytest.mark.parametrize("name", ["n_queries", "n_without_peaks", "queries", "left_out"])
def test_counts_of_one_and_of_none_are_no_percentages(name: str):
    rows = [{name: count, "auroc": rate} for count, rate in ((0.0, 0.0), (1.0, 1.0), (0.5, 0.5), (1200.0, None))]
    assert table_lines(rows)[2:] == ["| 0 | 0.0 |", "| 1 | 100.0 |", "| 0.5 | 50.0 |", "| 1200 |  |"]


def test_an_unknown_scorer_is_refused():
    with pytest.raises(EvaluationError, match="no spectrum scorer 'best'; expected one of precursor_mz, binned_cosine"):
        search_scorers(["best"])


def test_re_identification_asks_all_methods_the_same_episodes():
    vectors = {"peaks": binned_vectors(SPECTRA, MOLECULES), "blind": np.ones((6, 2))}
    rows = few_shot_table(vectors, MOLECULES, shapes=[(2, 1)], n_episodes=20, n_bootstrap=10)
    assert [(row["method"], row["accuracy"]) for row in rows] == [("peaks", 1.0), ("blind", 0.0)]
    assert rows[0]["chance"] == 0.5
    assert "| peaks | 2 | 1 | 100.0 |" in table_lines(rows)[2]


def test_a_shape_that_too_few_molecules_allow_has_an_empty_row_and_the_others_stand():
    rows = few_shot_table({"blind": np.ones((6, 2))}, MOLECULES, shapes=[(2, 1), (5, 1)], n_episodes=20, n_bootstrap=10)
    assert [(row["accuracy"], row["n_episodes"], row["n_eligible_molecules"]) for row in rows] == [
        (0.0, 20, 2),
        (None, 0, 2),
    ]
    assert "| blind | 5 | 1 |  |  |  | 20.0 | 0 | 2 |" in table_lines(rows)[3]
    with pytest.raises(EvaluationError, match="2 molecules have more than 1 spectrum; expected at least 5"):
        few_shot_table({"blind": np.ones((6, 2))}, MOLECULES, shapes=[(5, 1), (20, 1)])


def test_spectra_without_a_vector_are_left_out_for_all_methods():
    holed = np.eye(7)
    holed[6] = np.nan
    rows = few_shot_table(
        {"holed": holed, "whole": np.ones((7, 3))}, [*MOLECULES, "A"], shapes=[(2, 1)], n_episodes=2, n_bootstrap=0
    )
    assert [row["n_spectra_left_out"] for row in rows] == [1, 1]
    assert rows[0]["low"] is None
