import json
from dataclasses import dataclass

import numpy as np

from diptych.evaluation.protocols.perturbations import STRENGTHS, Perturbation
from diptych.evaluation.protocols.robustness import (
    default_perturbations,
    energy_robustness,
    robustness,
    robustness_lines,
)
from diptych.ranking import CandidateList, Query
from diptych.spectra.spectrum import Spectrum


@dataclass(frozen=True)
class Molecule:
    inchikey_first_block: str


LISTS = CandidateList(structures=(Molecule("A"), Molecule("B")))


class Counter:
    """Answers the target while at least three peaks are left."""

    name = "counter"

    def score(self, queries):
        return [
            np.array([s.inchikey_first_block == q.target for s in q.candidates.structures]) * (q.spectrum.n_peaks - 2.0)
            for q in queries
        ]


def query(name: str, target: str, *, energy: float | None = None, n_peaks: int = 4) -> Query:
    spectrum = Spectrum.from_peaks(
        50.0 + np.arange(n_peaks), np.ones(n_peaks), identifier=name, collision_energy=energy, precursor_mz=90.0
    )
    return Query(identifier=name, spectrum=spectrum, target=target, candidates=LISTS)


def test_the_hit_rate_falls_with_the_peaks():
    perturbations = [Perturbation(name="dropped_peaks", strength=strength) for strength in (0.25, 0.5)]
    rows = robustness(Counter(), [query("a", "A"), query("b", "B")], perturbations=perturbations, n_bootstrap=20)
    found = [(row.perturbation, row.strength, row.n_queries, row.metrics["hit_rate@1"].spectrum) for row in rows]
    # Of 4 peaks 3 are left, then 2, where all candidates tie.
    assert found == [("none", 0, 2, 1), ("dropped_peaks", 0.25, 2, 1), ("dropped_peaks", 0.5, 2, 0)]
    lines = robustness_lines(rows)
    assert lines[2].startswith("| counter | none | 0 | 2 | 0 | 100.0 |")
    assert lines[4].startswith("| counter | dropped_peaks | 0.5 | 2 | 0 | 0.0 |")


def test_spectra_left_without_a_peak_are_missed_and_counted():
    perturbations = [Perturbation(name="cropped_range", strength=strength) for strength in (0.5, 0.6)]
    queries = [query("a", "A"), query("b", "B", n_peaks=6), query("c", "B", n_peaks=0)]
    rows = robustness(Counter(), queries, perturbations=perturbations, n_bootstrap=0)
    # The precursor is 90: below 45 there is no peak, below 54 are all of the first, and four of the second.
    assert [(row.n_queries, row.n_without_peaks) for row in rows] == [(3, 1), (3, 1), (3, 2)]
    assert rows[2].metrics["hit_rate@1"].spectrum == 0
    assert rows[2].to_dict()["n_without_peaks"] == 2
    lines = robustness_lines(rows)
    assert lines[0].startswith("| ranker | perturbation | strength | queries | without peaks | @1 |")
    assert lines[4].startswith("| counter | cropped_range | 0.6 | 3 | 2 | 0.0 |")


def test_unknown_intervals_are_none_in_the_report():
    (row,) = robustness(Counter(), [query("a", "A")], perturbations=[], n_bootstrap=20)
    said = row.to_dict()
    assert said["metrics"]["hit_rate@1"]["low"] is None
    assert (said["metrics"]["hit_rate@1"]["spectrum"], said["metrics"]["mrr"]["molecule"]) == (1.0, 1.0)
    assert (said["ranker"], said["perturbation"], said["strength"], said["n_queries"]) == ("counter", "none", 0.0, 1)
    assert json.loads(json.dumps(said, allow_nan=False))["n_molecules"] == 1
    assert " |  | " in robustness_lines([row])[2]


def test_only_queries_with_a_replicate_at_another_energy_are_asked_and_both_rows_are_of_them():
    queries = [
        query("a", "A", energy=10.0),
        query("b", "A", energy=30.0, n_peaks=2),
        query("c", "B", energy=10.0),
        query("d", "B"),
    ]
    rows = energy_robustness(Counter(), queries, distances_ev=(5.0, 50.0), n_bootstrap=20)
    found = [(row.perturbation, row.strength, row.n_queries, row.metrics["hit_rate@1"].spectrum) for row in rows]
    # Molecule A's spectra take each other's place; one of the two has too few peaks either way.
    assert found == [("none", 5, 2, 0.5), ("other_energy_ev", 5, 2, 0.5)]
    pool = {"B": (queries[0].spectrum, query("far", "B", energy=99.0, n_peaks=1).spectrum)}
    rows = energy_robustness(Counter(), queries, pool=pool, distances_ev=(50.0,), n_bootstrap=20)
    assert [(row.n_queries, row.metrics["hit_rate@1"].spectrum) for row in rows] == [(1, 1), (1, 0)]


def test_every_perturbation_is_asked_at_its_usual_strengths():
    assert len(default_perturbations()) == sum(map(len, STRENGTHS.values()))
    assert {one.seed for one in default_perturbations(seed=7)} == {7}
    rows = robustness(Counter(), [query("a", "A")], n_bootstrap=0)
    assert [(row.perturbation, row.strength) for row in rows[1:]] == [
        (name, strength) for name, strengths in STRENGTHS.items() for strength in strengths
    ]


def test_the_table_has_the_interval_of_the_first_hit_rate():
    queries = [query(str(i), target, n_peaks=2 + i % 3) for i, target in enumerate("AABBABAB")]
    (row,) = robustness(Counter(), queries, perturbations=[], n_bootstrap=200)
    first = row.metrics["hit_rate@1"]
    assert 0 < first.low < first.spectrum < first.high < 1
    assert (
        f"| {100 * first.spectrum:.1f} | {100 * first.low:.1f} to {100 * first.high:.1f} |"
        in robustness_lines([row])[2]
    )
