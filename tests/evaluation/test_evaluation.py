import csv
import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diptych.errors import EvaluationError
from diptych.evaluation import Evaluation, evaluate
from diptych.evaluation.results.query_results import ranks_path
from diptych.ranking import CandidateList, Query, RandomRanker
from diptych.spectra.spectrum import Spectrum

SPECTRUM = Spectrum.from_peaks([50.0], [1.0])
NAN = float("nan")


@dataclass(frozen=True)
class Molecule:
    inchikey_first_block: str


class Table:
    """A ranker that looks scores up: query -> first block -> score."""

    def __init__(self, scores: dict[str, dict[str, float]], *, name: str = "table") -> None:
        self.scores = scores
        self.name = name

    def score(self, queries):
        return [np.array([self.scores[q.identifier][block] for block in q.candidates.positions]) for q in queries]


def query(identifier: str, blocks: str, *, target: str = "A", unparsed: tuple[str, ...] = ()) -> Query:
    candidates = CandidateList.distinct([Molecule(block) for block in blocks], unparsed=unparsed)
    return Query(identifier=identifier, spectrum=SPECTRUM, target=target, candidates=candidates)


QUERIES = [
    query("first", "ABC"),
    query("tied", "ABCB"),
    query("missing", "BC"),
    query("unscored", "ABC", target="B", unparsed=("C1CC",)),
    query("empty", "", target="D"),
]
SCORES = {
    "first": {"A": 0.9, "B": 0.5, "C": NAN},
    "tied": {"A": 0.7, "B": 0.7, "C": 0.1},
    "missing": {"B": 0.2, "C": 0.3},
    "unscored": {"A": 0.2, "B": NAN, "C": 0.1},
    "empty": {},
}


def judged(**options: object) -> Evaluation:
    return evaluate(Table(SCORES), QUERIES, controls=[RandomRanker()], n_bootstrap=50, **options)


def test_ranks_worked_out_by_hand():
    np.testing.assert_array_equal(judged().answers.ranks, [1, 2, math.inf, math.inf, math.inf])


def test_metrics_worked_out_by_hand():
    metrics = judged().metrics
    assert metrics["hit_rate@1"].spectrum == pytest.approx(1 / 5)
    assert metrics["hit_rate@5"].spectrum == pytest.approx(2 / 5)
    assert metrics["mrr"].spectrum == pytest.approx((1 + 1 / 2) / 5)
    # A: ranks 1, 2, miss; B: miss; D: miss.
    assert metrics["hit_rate@1"].molecule == pytest.approx((1 / 3 + 0 + 0) / 3)


def test_what_was_odd_is_counted():
    assert judged().provenance["counts"] == {
        "queries_without_candidates": 1,
        "queries_with_one_candidate": 0,
        "targets_missing_from_their_list": 2,
        "targets_without_score": 1,
        "candidate_lists": 5,
        "duplicate_candidates_removed": 1,
        "unparsed_candidates": 1,
        "queries_left_out_for_short_lists": 0,
        "infinite_scores": 0,
    }


def test_an_infinite_score_is_none_and_is_counted():
    scores = {"first": {"A": 1.0, "B": math.inf, "C": -math.inf}, "tied": {"A": math.inf, "B": 1.0, "C": 2.0}}
    found = evaluate(Table(scores), [query("first", "ABC"), query("tied", "ABC")], n_bootstrap=0)
    assert found.answers.ranks.tolist() == [1, math.inf]
    np.testing.assert_array_equal(found.answers.target_scores, [1, NAN])
    assert found.answers.best == ("A", "C")
    np.testing.assert_array_equal(found.answers.scores[0], [1, NAN, NAN])
    counts = found.provenance["counts"]
    assert (counts["infinite_scores"], counts["targets_without_score"]) == (3, 1)


def test_a_list_without_any_score_is_a_miss_in_which_nothing_stood_first():
    answers = evaluate(Table({"first": dict.fromkeys("ABC", NAN)}), [query("first", "ABC")], n_bootstrap=0).answers
    assert (answers.ranks.tolist(), answers.best) == ([math.inf], ("",))
    assert np.isnan([answers.target_scores[0], answers.best_scores[0]]).all()


def test_unparsed_candidates_count_in_the_length_of_a_list():
    np.testing.assert_array_equal(judged().list_lengths, [3, 3, 2, 4, 0])


def test_where_target_and_another_tie_the_other_stood_first():
    assert judged().answers.best == ("A", "B", "C", "A", "")
    np.testing.assert_array_equal(judged().answers.best_scores, [0.9, 0.7, 0.3, 0.2, NAN])
    np.testing.assert_array_equal(judged().answers.target_scores, [0.9, 0.7, NAN, NAN, NAN])


def test_short_lists_are_left_out_only_on_request():
    evaluation = judged(min_list_length=3)
    assert evaluation.queries == ("first", "tied", "unscored")
    assert evaluation.provenance["counts"]["queries_left_out_for_short_lists"] == 2


def test_the_metric_lies_within_its_interval():
    for value in judged().metrics.values():
        assert 0 <= value.low <= value.spectrum <= value.high <= 1
        assert 0 <= value.molecule_low <= value.molecule <= value.molecule_high <= 1


@given(data=st.data())
def test_permuting_candidates_and_queries_changes_nothing(data: st.DataObject):
    order = data.draw(st.permutations(QUERIES))
    permuted = [
        replace(
            q, candidates=replace(q.candidates, structures=tuple(data.draw(st.permutations(q.candidates.structures))))
        )
        for q in order
    ]
    first = evaluate(Table(SCORES), QUERIES, controls=[RandomRanker()], n_bootstrap=20)
    second = evaluate(Table(SCORES), permuted, controls=[RandomRanker()], n_bootstrap=20)
    assert first.metrics == second.metrics
    assert first.metrics_of(first.controls[0]) == second.metrics_of(second.controls[0])
    assert dict(zip(first.queries, first.answers.best, strict=True)) == dict(
        zip(second.queries, second.answers.best, strict=True)
    )


def test_one_molecule_is_judged_without_an_interval():
    evaluation = evaluate(Table(SCORES), QUERIES[:2], controls=[RandomRanker()], n_bootstrap=20)
    assert evaluation.metrics["hit_rate@1"].spectrum == 0.5
    report = evaluation.to_report()
    assert report["metrics"]["hit_rate@1"]["low"] is None
    assert report["metrics"]["hit_rate@1"]["high"] is None
    assert "value" not in report["above_controls"]["random"]


def test_a_report_holds_what_a_reader_needs():
    report = judged(provenance={"model_digest": "abc"}).to_report()
    assert report["model"] == "table"
    assert (report["queries"], report["molecules"]) == (5, 3)
    assert report["list_length"] == pytest.approx(12 / 5)
    assert list(report["metrics"]) == ["hit_rate@1", "hit_rate@5", "hit_rate@20", "mrr"]
    assert list(report["controls"]) == ["random"]
    assert report["controls"]["random"].keys() == report["metrics"].keys()
    assert report["metrics"]["mrr"].keys() >= {"spectrum", "molecule", "low", "high"}
    assert report["provenance"]["model_digest"] == "abc"
    assert report["provenance"]["versions"].keys() >= {"diptych", "numpy", "rdkit", "torch"}
    assert report["above_controls"]["random"]["metric"] == "hit_rate@1"
    json.dumps(report, allow_nan=False)


def test_a_saved_run_gives_the_same_report_without_the_ranker(tmp_path: Path):
    evaluation = judged()
    evaluation.save(tmp_path / "report.json")
    loaded = Evaluation.load(tmp_path / "report.json")
    assert loaded.to_report() == evaluation.to_report() == json.loads((tmp_path / "report.json").read_text())
    loaded.save(tmp_path / "again.json")
    assert (tmp_path / "again.ranks.tsv").read_bytes() == (tmp_path / "report.ranks.tsv").read_bytes()


def test_the_ranks_stand_beside_the_report(tmp_path: Path):
    judged().save(tmp_path / "report.json")
    with (tmp_path / "report.ranks.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    random_rank = rows[1].pop("rank_random")
    assert 1 <= int(random_rank) <= 3
    assert rows[1] == {
        "query": "tied",
        "target": "A",
        "rank": "2",
        "n_candidates": "3",
        "score_target": "0.7",
        "best_score": "0.7",
        "best": "B",
        "n_structures": "3",
    }
    assert rows[3]["n_candidates"] == "4"
    assert rows[3]["n_structures"] == "3"
    assert rows[2]["rank"] == "miss"


def test_odd_identifiers_survive_saving(tmp_path: Path):
    odd = 'tab\t"quote"\nline'
    evaluation = evaluate(Table({odd: {"A": 1.0}}), [query(odd, "A")], n_bootstrap=10)
    evaluation.save(tmp_path / "r.json")
    assert Evaluation.load(tmp_path / "r.json").queries == (odd,)


def test_a_control_can_be_taken_for_an_evaluation_of_its_own():
    control = judged().control("random")
    assert control.model == "random"
    assert control.metrics == judged().metrics_of(judged().controls[0])
    with pytest.raises(EvaluationError, match="no control 'blind'; expected one of random"):
        judged().control("blind")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.unlink(), "cannot be read as a report"),
        (lambda path: path.write_text(path.read_text()[:100]), "cannot be read as a report"),
        (lambda path: path.write_text("[]"), "not an evaluation report of format version 1"),
        (lambda path: ranks_path(path).unlink(), "the table of results cannot be read"),
        (lambda path: ranks_path(path).write_text(""), "the table of results cannot be read"),
        (
            lambda path: ranks_path(path).write_text("\n".join(ranks_path(path).read_text().splitlines()[:-1])),
            "4 rows, ranks under random; expected 5 rows",
        ),
        (
            lambda path: ranks_path(path).write_text(ranks_path(path).read_text().replace("miss", "lost")),
            "cannot be read as results: row 4, column rank: 'lost'; expected",
        ),
    ],
)
def test_a_damaged_report_is_refused_by_name(tmp_path: Path, damage, message: str):
    judged().save(tmp_path / "report.json")
    damage(tmp_path / "report.json")
    with pytest.raises(EvaluationError, match=message):
        Evaluation.load(tmp_path / "report.json")


def test_no_queries_are_an_error():
    with pytest.raises(EvaluationError, match="no query to evaluate: 0 given"):
        evaluate(Table({}), [])
    with pytest.raises(EvaluationError, match="5 given, of which none has a list of at least 9"):
        judged(min_list_length=9)


def test_two_queries_of_one_name_are_refused():
    with pytest.raises(EvaluationError, match="two queries are called 'first'"):
        evaluate(Table(SCORES), [QUERIES[0], QUERIES[0]])


class Broken:
    name = "broken"

    def __init__(self, *scores: np.ndarray) -> None:
        self.scores = list(scores)

    def score(self, queries):
        return self.scores


def test_a_ranker_that_forgets_a_query_is_refused():
    with pytest.raises(EvaluationError, match="ranker 'broken' gave 0 score arrays for 1 queries"):
        evaluate(Broken(), QUERIES[:1])


def test_a_ranker_that_forgets_a_candidate_is_refused():
    with pytest.raises(EvaluationError, match=r"shape \(2,\) for query 'first'; expected one for each of its 3"):
        evaluate(Broken(np.zeros(2)), QUERIES[:1])


@pytest.mark.parametrize(
    ("name", "value"),
    [("model", None), ("controls", None), ("provenance", "x"), ("ks", None), ("queries", "5"), ("seed", None)],
)
def test_a_report_with_something_of_another_kind_is_refused(tmp_path: Path, name: str, value: object):
    judged().save(tmp_path / "r.json")
    said = json.loads((tmp_path / "r.json").read_text())
    (tmp_path / "r.json").write_text(json.dumps({**said, name: value}))
    with pytest.raises(EvaluationError, match=rf"r\.json: {name} is {value!r}; expected a "):
        Evaluation.load(tmp_path / "r.json")


@pytest.mark.parametrize("scores", [None, ["high", "low", "low"]])
def test_scores_that_are_no_numbers_are_refused(scores: object):
    with pytest.raises(EvaluationError, match=r"ranker 'broken' gave scores of type .*; expected numbers, or NaN"):
        evaluate(Broken(scores), QUERIES[:1])


def test_two_rankers_of_one_name_are_refused_by_it():
    with pytest.raises(EvaluationError, match="two rankers are called 'table'; expected distinct names"):
        evaluate(Table(SCORES), QUERIES, controls=[RandomRanker(), Table(SCORES)])


def test_an_evaluation_is_shown_on_one_line():
    assert repr(judged()) == "Evaluation(table: 5 queries of 3 molecules, hit_rate@1 0.200, controls: random)"
