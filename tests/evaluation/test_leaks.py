import math

import numpy as np
import pytest

from diptych.evaluation import leaks
from diptych.evaluation.leaks import Verdict
from diptych.evaluation.results import QueryResults
from diptych.evaluation.results_metadata import TrainingMolecules
from diptych.evaluation.results_scores import CandidateScores


def results(targets: str, **metadata: list[object]) -> QueryResults:
    n = len(targets)
    unknown = np.full(n, math.nan)
    return QueryResults(
        queries=tuple(map(str, range(n))),
        targets=tuple(targets),
        ranks=np.ones(n),
        n_candidates=np.full(n, 4),
        target_scores=unknown,
        best_scores=unknown,
        best=("",) * n,
    ).with_metadata(metadata)


def scores(positions: list[int], *, lengths: list[int], values: list[float] | None = None) -> CandidateScores:
    n = sum(lengths)
    return CandidateScores(
        queries=tuple(map(str, range(len(lengths)))),
        offsets=np.cumsum([0, *lengths]),
        scores=np.array(values if values is not None else np.arange(n), dtype=np.float32),
        first_blocks=tuple(f"B{i}" for i in range(n)),
        target_positions=np.array(positions),
    )


def test_one_shared_molecule_fails():
    finding = leaks.shared_molecules(results("AAB"), TrainingMolecules(first_blocks=("A", "X")))
    assert finding.verdict is Verdict.FAIL
    assert finding.numbers == {"molecules": 1, "of_molecules": 2, "queries": 2}
    assert leaks.shared_molecules(results("B"), TrainingMolecules(first_blocks=("A",))).verdict is Verdict.PASS


@pytest.mark.parametrize("training", [None, TrainingMolecules(first_blocks=())])
def test_nothing_passes_where_there_is_nothing_of_training_to_compare_with(training: TrainingMolecules | None):
    finding = leaks.shared_molecules(results("AB"), training)
    assert finding.verdict is Verdict.UNKNOWN
    assert "the molecules of training are not known: give --train" in finding.says


def test_a_check_that_is_left_out_says_what_it_lacks():
    duplicates, lost, missed = leaks.unscored(results("AB"), None, {})
    assert (duplicates.verdict, lost.verdict) == (Verdict.UNKNOWN, Verdict.UNKNOWN)
    assert missed.verdict is Verdict.PASS


def test_scaffolds_and_twins_are_judged_by_their_share():
    assert leaks.shared_scaffolds(results("AB", scaffold_seen=["seen", "unseen"])).verdict is Verdict.WARN
    assert leaks.shared_scaffolds(results("AB", scaffold_seen=[None, None])).verdict is Verdict.UNKNOWN
    told = leaks.shared_scaffolds(results("ABCD", scaffold_seen=["unseen", "acyclic", "acyclic", None]))
    assert told.numbers == {"queries": 0, "of_queries": 1, "without_scaffold": 2, "unknown": 1}
    assert "of 1 answers 1 are without rings" in leaks.shared_scaffolds(results("A", scaffold_seen=["acyclic"])).says
    twins = leaks.near_twins(results("AAB", nearest_training=[0.9, 0.9, 0.2]))
    assert twins.verdict is Verdict.WARN
    assert twins.numbers["share"] == 0.5
    assert twins.numbers["histogram"] == [0, 0, 1, 0, 0, 0, 0, 0, 0, 1]
    assert leaks.near_twins(results("A")).verdict is Verdict.UNKNOWN


def test_a_similarity_on_the_edge_of_two_bins_is_in_the_upper():
    edges = leaks.near_twins(results("ABCDE", nearest_training=[0.1, 0.3, 0.6, 0.7, 0.9]))
    assert edges.numbers["histogram"] == [0, 1, 0, 1, 0, 0, 1, 1, 0, 1]


def test_a_rule_on_the_spelling_that_finds_the_answers_fails():
    lists = {str(i): ["C[C@H](N)O", "CC(N)O", "CCNO", "CNCO"] for i in range(30)}
    finding = leaks.spelling_shortcut(lists, {key: ["C[C@H](N)O"] for key in lists})
    assert finding.verdict is Verdict.FAIL
    assert finding.numbers["rules"]["most chirality marks"] == 1.0
    assert leaks.spelling_shortcut({}, {}).verdict is Verdict.UNKNOWN


def test_ties_with_the_answer_are_counted():
    found = leaks.ties(results("AB"), scores([0, 0], lengths=[2, 2], values=[1, 1, 2, 1]))
    assert (found.verdict, found.numbers) == (Verdict.WARN, {"share": 0.5})
    assert leaks.ties(results("AB").with_numbers({"margin": [0.0, math.nan]})).numbers == {"share": 0.5}


def test_what_was_lost_on_the_way_is_counted():
    found = results("AB")
    found.ranks[1] = math.inf
    counts = {"unparsed_candidates": 0, "duplicate_candidates_removed": 3}
    duplicates, lost, missed = leaks.unscored(found, scores([0, 0], lengths=[2, 2], values=[1, math.nan, 2, 1]), counts)
    assert (duplicates.verdict, duplicates.numbers) == (Verdict.WARN, {"removed": 3})
    assert (lost.verdict, lost.numbers) == (Verdict.FAIL, {"unparsed": 0, "unscored": 1, "of": 8})
    assert (missed.verdict, missed.numbers) == (Verdict.WARN, {"missed": 1, "of": 2})
