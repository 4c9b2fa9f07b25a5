import math

import numpy as np
import pytest

from diptych.evaluation.audit import leaks
from diptych.evaluation.audit.leaks import Verdict
from diptych.evaluation.results.metadata import TrainingMolecules
from diptych.evaluation.results.query_results import QueryResults
from diptych.evaluation.results.scores import CandidateScores


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


def test_scaffolds_warn_above_five_per_cent_and_not_at_it():
    edge = leaks.shared_scaffolds(results("A" * 22, scaffold_seen=["seen", *["unseen"] * 19, "acyclic", None]))
    assert edge.verdict is Verdict.PASS
    assert edge.says.startswith("1 of 20 queries (5.0 %) are of molecules")
    above = leaks.shared_scaffolds(results("A" * 19, scaffold_seen=["seen", *["unseen"] * 18]))
    assert above.verdict is Verdict.WARN


def test_twins_are_those_of_similarity_0_85_and_more_and_warn_above_five_per_cent():
    letters = "ABCDEFGHIJKLMNOPQRST"
    edge = leaks.near_twins(results(letters, nearest_training=[0.85, *[0.84] * 19]))
    assert (edge.verdict, edge.numbers["share"], edge.numbers["median"]) == (Verdict.PASS, 0.05, 0.84)
    assert edge.says.startswith("5.0 % of 20 tested molecules")
    assert edge.numbers["histogram_edges"] == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert leaks.near_twins(results(letters[:19], nearest_training=[0.85, *[0.84] * 18])).verdict is Verdict.WARN


def test_a_similarity_on_the_edge_of_two_bins_is_in_the_upper():
    edges = leaks.near_twins(results("ABCDE", nearest_training=[0.1, 0.3, 0.6, 0.7, 0.9]))
    assert edges.numbers["histogram"] == [0, 1, 0, 1, 0, 0, 1, 1, 0, 1]


def test_a_rule_on_the_spelling_that_finds_the_answers_fails():
    lists = {str(i): ["C[C@H](N)O", "CC(N)O", "CCNO", "CNCO"] for i in range(30)}
    finding = leaks.spelling_shortcut(lists, {key: ["C[C@H](N)O"] for key in lists})
    assert finding.verdict is Verdict.FAIL
    assert finding.numbers["rules"]["most chirality marks"] == 1.0
    assert leaks.spelling_shortcut({}, {}).verdict is Verdict.UNKNOWN


def spelt(*, n: int, marked: int) -> leaks.Finding:
    """Return the finding of lists of four, in some of which the answer alone has a mark of chirality."""
    plain, odd = ["CNCO", "CCNO", "CONC", "COCN"], ["C@CO", "CCNO", "CONC", "COCN"]
    lists = {str(i): odd if i < marked else plain for i in range(n)}
    return leaks.spelling_shortcut(lists, {key: texts[:1] for key, texts in lists.items()})


@pytest.mark.parametrize(
    ("n", "marked", "verdict"),
    [
        (1000, 0, Verdict.PASS),
        (1000, 20, Verdict.PASS),
        (1000, 100, Verdict.WARN),
        (1000, 400, Verdict.FAIL),
        (20, 4, Verdict.PASS),
    ],
)
def test_a_rule_warns_three_points_and_three_errors_above_chance_and_fails_twenty_points(
    n: int, marked: int, verdict: Verdict
):
    # The rule picks the answer of the marked lists, and all four candidates of the others: m + (1 - m) / 4. Drawn
    # answers are picked about 1/4 of the time, +- 1.4 points in a thousand lists, and 10 in twenty.
    finding = spelt(n=n, marked=marked)
    assert finding.numbers["rules"]["most chirality marks"] == pytest.approx(0.25 + 0.75 * marked / n)
    assert finding.numbers["best_by_chance"] == pytest.approx(0.25, abs=0.06)
    assert finding.verdict is verdict


def test_lists_of_one_spelling_or_without_their_answer_say_nothing_of_the_spelling():
    lists = {str(i): ["CCNO", "CNCO"] for i in range(20)}
    answers = {key: ["CCNO"] for key in lists}
    others = {"one": ["CCNO", "CCNO"], "none": ["CCNO", "CNCO"], "unknown": ["CCNO", "CNCO"]}
    found = leaks.spelling_shortcut(lists | others, answers | {"one": ["CCNO"], "none": []})
    assert found.numbers["lists"] == 20
    del lists["0"]
    told = leaks.spelling_shortcut(lists | others, answers | {"one": ["CCNO"], "none": []})
    assert told.says == "Not checked: 19 lists with their spelling are known, too few to tell."


def test_ties_with_the_answer_are_counted():
    found = leaks.ties(results("AB"), scores([0, 0], lengths=[2, 2], values=[1, 1, 2, 1]))
    assert (found.verdict, found.numbers) == (Verdict.WARN, {"share": 0.5})
    margins = leaks.ties(results("ABCD").with_numbers({"margin": [0.0, math.nan, 1.0, 0.5]}))
    assert margins.numbers == {"share": 0.25}
    assert leaks.ties(results("")).numbers == {"share": 0.0}


def test_ties_warn_above_one_per_cent_and_not_at_it():
    margins = [leaks.ties(results("A" * n).with_numbers({"margin": [0.0, *[1.0] * (n - 1)]})) for n in (100, 99)]
    assert [found.verdict for found in margins] == [Verdict.PASS, Verdict.WARN]
    positions, lengths = [0] * 100, [2] * 100
    one = leaks.ties(results("A" * 100), scores(positions, lengths=lengths, values=[1, 1, *[1, 2] * 99]))
    assert (one.verdict, one.numbers) == (Verdict.PASS, {"share": 0.01})
    two = leaks.ties(results("A" * 100), scores(positions, lengths=lengths, values=[1, 1, 2, 2, *[1, 2] * 98]))
    assert (two.verdict, two.numbers) == (Verdict.WARN, {"share": 0.02})


@pytest.mark.parametrize(
    ("n_lost", "n_missed", "lost", "missed"),
    [
        (0, 0, Verdict.PASS, Verdict.PASS),
        (4, 1, Verdict.WARN, Verdict.PASS),
        (5, 2, Verdict.FAIL, Verdict.WARN),
    ],
)
def test_losses_are_judged_by_one_per_cent(n_lost: int, n_missed: int, lost: Verdict, missed: Verdict):
    # 100 lists of four: four candidates of 400, or one query of 100, are one per cent.
    found = results("A" * 100)
    found.ranks[:n_missed] = math.inf
    values = [math.nan] * (n_lost // 2) + [1.0] * (400 - n_lost // 2)
    counts = {"unparsed_candidates": n_lost - n_lost // 2, "duplicate_candidates_removed": 0}
    told = leaks.unscored(found, scores([0] * 100, lengths=[4] * 100, values=values), counts)
    assert [one.verdict for one in told] == [Verdict.PASS, lost, missed]
    empty = leaks.unscored(results(""), None, {"unparsed_candidates": 0, "duplicate_candidates_removed": 0})
    assert [one.verdict for one in empty] == [Verdict.PASS] * 3


def test_what_was_lost_on_the_way_is_counted():
    found = results("AB")
    found.ranks[1] = math.inf
    counts = {"unparsed_candidates": 0, "duplicate_candidates_removed": 3}
    duplicates, lost, missed = leaks.unscored(found, scores([0, 0], lengths=[2, 2], values=[1, math.nan, 2, 1]), counts)
    assert (duplicates.verdict, duplicates.numbers) == (Verdict.WARN, {"removed": 3})
    assert (lost.verdict, lost.numbers) == (Verdict.FAIL, {"unparsed": 0, "unscored": 1, "of": 8})
    assert (missed.verdict, missed.numbers) == (Verdict.WARN, {"missed": 1, "of": 2})
