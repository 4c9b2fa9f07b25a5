import gzip
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from diptych.errors import EvaluationError
from diptych.evaluation import Evaluation, evaluate
from diptych.evaluation.results.query_results import QueryResults, ranks_path
from diptych.evaluation.results.scores import CandidateScores, scores_path
from diptych.evaluation.statistics.figures_of_merit import figures_of_merit, values_per_query
from diptych.evaluation.statistics.list_length import by_list_length
from diptych.evaluation.statistics.strata import by_stratum
from diptych.molecules.structure import Structure
from diptych.ranking import CandidateList, Query, RandomRanker
from diptych.ranking.ranking import rank_against_ties
from diptych.spectra.spectrum import Spectrum

SPECTRUM = Spectrum.from_peaks([50.0], [1.0])
NAN = math.nan


@dataclass(frozen=True)
class Molecule:
    inchikey_first_block: str

    @property
    def smiles(self) -> str:
        return self.inchikey_first_block.lower()


def query(identifier: str, blocks: str, *, target: str = "A") -> Query:
    candidates = CandidateList.distinct([Molecule(block) for block in blocks])
    return Query(identifier=identifier, spectrum=SPECTRUM, target=target, candidates=candidates)


QUERIES = [query("first", "ABC"), query("tied", "AB"), query("missing", "BC"), query("empty", "", target="D")]
SCORES = [np.array([3.0, 1.0, NAN]), np.array([2.0, 2.0]), np.array([0.5, 0.25]), np.empty(0)]


def results() -> QueryResults:
    return QueryResults.of_scores(QUERIES, SCORES, temperature=2.0)


def test_what_the_scores_say_worked_out_by_hand():
    found = results()
    np.testing.assert_array_equal(found.ranks, [1, 2, math.inf, math.inf])
    np.testing.assert_array_equal(found.target_scores, [3, 2, NAN, NAN])
    np.testing.assert_array_equal(found.best_scores, [3, 2, 0.5, NAN])
    np.testing.assert_array_equal(found.numbers["margin"], [2, 0, 0.25, NAN])
    # exp(3/2) / (exp(3/2) + exp(1/2)), and so on.
    expected = [1 / (1 + math.exp(-1)), 0.5, 1 / (1 + math.exp(-0.125)), NAN]
    np.testing.assert_allclose(found.numbers["probability"], expected)
    assert found.best == ("A", "B", "B", "")
    assert found.texts["best_smiles"] == ("a", "b", "b", "")
    assert found.texts["target_smiles"] == ("a", "a", "", "")


@pytest.mark.filterwarnings("error")
def test_an_infinity_is_no_score():
    found = QueryResults.of_scores([query("first", "ABC")], [np.array([math.inf, 2.0, 1.5])], temperature=0.5)
    assert (found.numbers["margin"].tolist(), found.ranks.tolist(), found.best) == ([0.5], [math.inf], ("B",))
    np.testing.assert_allclose(found.numbers["probability"], 1 / (1 + math.exp(-1)))


def test_what_is_written_is_read_again(tmp_path: Path):
    written = (
        results().with_metadata({"adduct": ["[M+H]+", None, "x\ty", 3.5]}).with_numbers({"tanimoto": [1, NAN, 0, 0]})
    )
    written.write(tmp_path / "r.ranks.tsv")
    read = QueryResults.read(tmp_path / "r.ranks.tsv")
    np.testing.assert_array_equal(read.ranks, written.ranks)
    np.testing.assert_allclose(read.numbers["probability"], written.numbers["probability"])
    np.testing.assert_array_equal(read.number("tanimoto"), [1, NAN, 0, 0])
    assert read.metadata == {"adduct": ("[M+H]+", "", "x\ty", "3.5")}
    assert (read.queries, read.texts) == (written.queries, written.texts)
    read.write(tmp_path / "again.tsv")
    assert (tmp_path / "again.tsv").read_bytes() == (tmp_path / "r.ranks.tsv").read_bytes()


def test_the_table_beside_a_report_is_found_by_the_name_of_the_report(tmp_path: Path):
    results().write(ranks_path(tmp_path / "report.json"))
    assert QueryResults.read(tmp_path / "report.json").queries == ("first", "tied", "missing", "empty")


def test_some_queries_can_be_taken_by_mask_and_by_number():
    found = results().with_metadata({"adduct": "abcd"})
    assert found.take(found.ranks == 1).queries == ("first",)
    assert found.take([2, 0]).metadata["adduct"] == ("c", "a")


def test_what_is_unknown_is_empty_or_nan():
    assert results().text("adduct") == ("",) * 4
    assert np.isnan(results().number("mces")).all()


def test_a_table_without_a_query_is_a_table(tmp_path: Path):
    results().take([]).write(tmp_path / "none.tsv")
    assert len(QueryResults.read(tmp_path / "none.tsv")) == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("query\ttarget\n", "the columns rank, n_candidates, score_target, best_score, best are missing"),
        ("query\tquery\n", "a column stands twice"),
        ("query\ttarget\na\n", "cannot be read"),
        (
            "query\ttarget\trank\tn_candidates\tscore_target\tbest_score\tbest\na\tA\tlost\t1\t\t\t\n",
            "row 2, column rank: 'lost'; expected a whole number of at least 1, or miss",
        ),
        (
            "query\ttarget\trank\tn_candidates\tscore_target\tbest_score\tbest\na\tA\t1\t1\t\t\t\na\tA\t1\t1\t\t\t\n",
            "1 of 2 queries repeat an identifier",
        ),
    ],
)
def test_a_damaged_table_is_refused(tmp_path: Path, text: str, message: str):
    (tmp_path / "r.tsv").write_text(text)
    with pytest.raises(EvaluationError, match=message):
        QueryResults.read(tmp_path / "r.tsv")


def test_scores_of_another_number_of_queries_or_candidates_are_refused():
    with pytest.raises(EvaluationError, match="1 score arrays for 4 queries"):
        QueryResults.of_scores(QUERIES, SCORES[:1])
    with pytest.raises(EvaluationError, match=r"query 'first': scores of shape \(2,\) for 3 candidates"):
        QueryResults.of_scores(QUERIES[:1], [np.zeros(2)])
    with pytest.raises(EvaluationError, match="not one score for each candidate"):
        CandidateScores.of(QUERIES[:1], [np.zeros(2)])


def test_columns_of_reserved_names_or_wrong_length_are_refused():
    with pytest.raises(EvaluationError, match="metadata cannot be called rank, rank_blind"):
        results().with_metadata({"rank": "abcd", "rank_blind": "abcd"})
    with pytest.raises(EvaluationError, match="no optional number weight; expected one of margin"):
        results().with_numbers({"weight": [1, 2, 3, 4]})
    with pytest.raises(EvaluationError, match="column 'adduct' has 2 values for 4 queries"):
        results().with_metadata({"adduct": "ab"})


def test_candidate_scores_survive_saving(tmp_path: Path):
    written = CandidateScores.of(QUERIES, SCORES)
    written.write(scores_path(tmp_path / "report.json"))
    read = CandidateScores.read(tmp_path / "report.json")
    assert read.queries == written.queries
    assert read.positions == [0, 0, None, None]
    for found, given in zip(read.per_query, SCORES, strict=True):
        np.testing.assert_array_equal(found, given)
    assert read.blocks_of(2) == ("B", "C")
    np.testing.assert_array_equal(read.is_target, [True, False, False, True, False, False, False])


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ([20000000.2, 20000000.1, NAN], np.float64),
        ([1e39, 1e38, NAN], np.float64),
        ([1e-60, 0.0, 0.5], np.float64),
        ([0.123456, 0.123457, 0.1], np.float32),
        ([0.1, 0.1, math.inf], np.float32),
    ],
)
def test_saved_scores_keep_order_ties_and_range(tmp_path: Path, given: list[float], kind: type):
    # The other list holds a neighbour of a score of the first: what counts is the order within each.
    other = np.nextafter(np.array([given[0], 0.25]), 0)
    CandidateScores.of(QUERIES[:2], [np.array(given), other]).write(tmp_path / "s.scores.parquet")
    read = CandidateScores.read(tmp_path / "s.scores.parquet")
    assert read.scores.dtype == kind
    found = read.of_query(0)
    assert [rank_against_ties(found, i) for i in range(3)] == [rank_against_ties(np.array(given), i) for i in range(3)]
    np.testing.assert_allclose(found, given, rtol=1e-6)


def test_damaged_candidate_scores_are_refused(tmp_path: Path):
    (tmp_path / "r.scores.parquet").write_text("no")
    with pytest.raises(EvaluationError, match="cannot be read as candidate scores"):
        CandidateScores.read(tmp_path / "r.scores.parquet")


def test_an_answer_that_its_list_lacks_is_told_from_its_spectrum_and_is_no_hit_of_chance():
    structures = [Structure.from_smiles(smiles) for smiles in ("CCO", "COC")]
    lists = [CandidateList(structures=tuple(structures[:n])) for n in (2, 1)]
    ether = structures[1].inchikey_first_block

    def asked(name: str, listed: CandidateList, **metadata: str) -> Query:
        spectrum = Spectrum.from_peaks([50.0], [1.0], metadata=metadata)
        return Query(identifier=name, spectrum=spectrum, target=ether, candidates=listed)

    queries = [
        asked("listed", lists[0]),
        asked("stated", lists[1], smiles="C(OC)"),
        asked("another", lists[1], smiles="CCC"),
        asked("unknown", lists[1]),
    ]
    found = QueryResults.of_scores(queries, [np.zeros(2), *[np.zeros(1)] * 3])
    assert found.texts["target_smiles"] == ("COC", "COC", "", "")
    assert found.texts["target_listed"] == ("yes", "no", "no", "no")
    np.testing.assert_array_equal(found.random_hits(1), [0.5, 0, 0, 0])
    without = replace(found, texts={})
    np.testing.assert_array_equal(without.random_hits(1), [0.5, 1, 1, 1])
    assert sum(one.chance for one in by_list_length(found, n_bootstrap=0) if one.n_queries) == 0.5
    assert [one.chance for one in by_stratum(found, "adduct", n_bootstrap=0)] == [0.125]
    assert values_per_query(found, ks=(1,))["chance@1"].tolist() == [0.5, 0, 0, 0]


def with_unparsed(n_unparsed: int) -> list[Query]:
    listed = CandidateList.distinct([Molecule(block) for block in "ABCDE"], unparsed=("C1CC",) * n_unparsed)
    return [Query(identifier=f"q{i}", spectrum=SPECTRUM, target="A", candidates=listed) for i in range(300)]


def test_candidates_that_no_ranker_sees_are_no_part_of_chance(tmp_path: Path):
    asked = with_unparsed(5)
    evaluation = evaluate(RandomRanker(), asked, n_bootstrap=0)
    found = QueryResults.of_scores(asked, evaluation.answers.scores)
    assert found.n_candidates[0] == 10
    chance = figures_of_merit(found, ks=(1, 5), n_bootstrap=0)
    assert (chance["chance@1"].spectrum, chance["chance@5"].spectrum) == (pytest.approx(0.2), 1.0)
    assert chance["hit_rate@1"].spectrum == pytest.approx(0.2, abs=0.06)
    found.write(tmp_path / "r.ranks.tsv")
    read = QueryResults.read(tmp_path / "r.ranks.tsv")
    np.testing.assert_array_equal(read.take([1, 2]).random_hits(1), [0.2, 0.2])
    evaluation.save(tmp_path / "plain.json")
    again = Evaluation.load(tmp_path / "plain.json")
    assert again.details.random_hits(5)[0] == 1.0


def test_a_table_without_the_number_of_structures_takes_all_candidates_for_them(tmp_path: Path):
    asked = with_unparsed(5)
    found = QueryResults.of_scores(asked, RandomRanker().score(asked))
    old = replace(found, numbers={name: value for name, value in found.numbers.items() if name != "n_structures"})
    old.write(tmp_path / "old.tsv")
    assert QueryResults.read(tmp_path / "old.tsv").random_hits(1)[0] == 0.1
    whole = with_unparsed(0)
    assert "n_structures" not in QueryResults.of_scores(whole, RandomRanker().score(whole)).numbers


def test_an_empty_table_is_called_empty(tmp_path: Path):
    (tmp_path / "r.csv").write_text("")
    with pytest.raises(EvaluationError, match=r"r\.csv: .* cannot be read: the file is empty; expected"):
        QueryResults.read(tmp_path / "r.csv")


HEADER = "query\ttarget\trank\tn_candidates\tscore_target\tbest_score\tbest\tprobability\tmces\trank_blind\n"
ROW = dict(zip(HEADER.split(), ("a", "A", "1", "2", "1", "1", "A", "0.5", "0", "1"), strict=True))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rank": "0"}, "row 2, column rank: '0'; expected a whole number of at least 1, or miss"),
        ({"rank": "-3"}, "row 2, column rank: '-3'"),
        ({"rank": "3"}, "row 2: rank 3 of 2; expected one of the candidates"),
        ({"rank_blind": "0"}, "row 2, column rank_blind: '0'"),
        ({"n_candidates": "-1"}, "row 2, column n_candidates: '-1'; expected a whole number of at least 0"),
        ({"score_target": "good"}, "row 2, column score_target: 'good'; expected a number, or nothing"),
        ({"probability": "2"}, r"row 2, column probability: '2'; expected a number in \[0, 1\], or nothing"),
        ({"mces": "-1"}, "row 2, column mces: '-1'; expected a number of at least 0, or nothing"),
    ],
)
def test_an_impossible_number_is_named_by_its_row_and_column(tmp_path: Path, change: dict[str, str], message: str):
    (tmp_path / "r.tsv").write_text(HEADER + "\t".join((ROW | change).values()) + "\n")
    with pytest.raises(EvaluationError, match=rf"r\.tsv: cannot be read as results: {message}"):
        QueryResults.read(tmp_path / "r.tsv")


def test_a_row_that_was_cut_off_is_named(tmp_path: Path):
    (tmp_path / "r.tsv").write_text(HEADER + "\t".join(ROW.values()) + "\nb\tA\t1")
    with pytest.raises(EvaluationError, match=r"r\.tsv: .* cannot be read: row 3 has 3 columns; expected 10"):
        QueryResults.read(tmp_path / "r.tsv")


def test_a_table_with_a_byte_order_mark_or_packed_is_read(tmp_path: Path):
    text = HEADER + "\t".join(ROW.values()) + "\n"
    (tmp_path / "bom.tsv").write_text(text, encoding="utf-8-sig")
    (tmp_path / "packed.tsv.gz").write_bytes(gzip.compress(text.replace("\n", "\r\n").encode()))
    for name in ("bom.tsv", "packed.tsv.gz"):
        assert QueryResults.read(tmp_path / name).queries == ("a",)
