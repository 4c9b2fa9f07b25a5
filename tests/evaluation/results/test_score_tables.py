import gzip
import lzma
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from diptych.errors import EvaluationError
from diptych.evaluation.results.query_results import QueryResults
from diptych.evaluation.results.score_tables import ScoreTableRanker
from diptych.molecules.structure import Structure
from diptych.ranking import CandidateList, Query
from diptych.spectra.spectrum import Spectrum

ETHANOL, ETHER, PROPANE = (Structure.from_smiles(text) for text in ("CCO", "COC", "CCC"))
QUERIES = [
    Query(
        identifier=name,
        spectrum=Spectrum.from_peaks([50.0], [1.0]),
        target=ETHANOL.inchikey_first_block,
        candidates=CandidateList(structures=(ETHER, ETHANOL)),
    )
    for name in ("a", "b")
]
TABLE = "query\tsmiles\tscore\na\tOCC\t0.5\na\tC(C)O\t0.7\na\tCOC\tnone\na\tC1CC\t1\na\tCCC\t9\nx\tCCO\t1\n"


def test_scores_of_any_spelling_are_found_and_the_best_of_a_candidate_counts(tmp_path: Path):
    (tmp_path / "tool.tsv").write_text(TABLE)
    ranker = ScoreTableRanker.read(tmp_path / "tool.tsv")
    scores = ranker.score(QUERIES)
    np.testing.assert_array_equal(scores, [[np.nan, 0.7], [np.nan, np.nan]])
    assert ranker.name == "tool"


def test_everything_odd_is_counted(tmp_path: Path):
    (tmp_path / "tool.tsv").write_text(TABLE)
    assert ScoreTableRanker.read(tmp_path / "tool.tsv").counts(QUERIES) == {
        "table_rows": 6,
        "table_rows_of_duplicate_candidates": 1,
        "table_rows_without_score": 1,
        "table_rows_of_unparsed_candidates": 1,
        "table_scores_of_unknown_queries": 1,
        "table_scores_of_unlisted_candidates": 1,
        "queries_without_any_score": 1,
        "candidates_without_score": 3,
    }


@pytest.mark.parametrize("text", ["inf", "-inf", "Infinity", "1e999", "nan", ""])
def test_what_is_no_finite_number_is_no_score_and_counted(text: str):
    ranker = ScoreTableRanker.of([("a", "CCO", text), ("a", "COC", text), ("a", "CCO", "1")])
    np.testing.assert_array_equal(ranker.score(QUERIES[:1]), [[np.nan, 1.0]])
    counts = ranker.counts(QUERIES[:1])
    assert (counts["table_rows_without_score"], counts["table_rows_of_duplicate_candidates"]) == (2, 0)


def test_an_infinite_score_of_a_parquet_table_is_none(tmp_path: Path):
    pq.write_table(pa.table({"query": ["a"], "smiles": ["COC"], "score": [np.inf]}), tmp_path / "t.parquet")
    ranker = ScoreTableRanker.read(tmp_path / "t.parquet")
    assert np.isnan(ranker.score(QUERIES)[0]).all()
    assert ranker.n_without_score == 1


@pytest.mark.parametrize("column", ["inchikey", "inchikey_first_block"])
def test_candidates_may_be_named_by_inchikey_or_first_block(tmp_path: Path, column: str):
    name = ETHANOL.inchikey if column == "inchikey" else ETHANOL.inchikey_first_block
    (tmp_path / "t.csv").write_text(f"query,{column},score\na,{name},2\na,short,3\n")
    ranker = ScoreTableRanker.read(tmp_path / "t.csv", name="mine")
    np.testing.assert_array_equal(ranker.score(QUERIES[:1]), [[np.nan, 2.0]])
    assert (ranker.name, ranker.n_unparsed) == ("mine", 1)


def test_a_parquet_table_is_read(tmp_path: Path):
    pq.write_table(pa.table({"query": ["a"], "smiles": ["COC"], "score": [0.25]}), tmp_path / "t.parquet")
    np.testing.assert_array_equal(ScoreTableRanker.read(tmp_path / "t.parquet").score(QUERIES)[0], [0.25, np.nan])


def test_a_table_without_its_columns_is_refused(tmp_path: Path):
    (tmp_path / "t.tsv").write_text("query\tmolecule\tscore\na\tCCO\t1\n")
    with pytest.raises(EvaluationError, match=r"no column smiles; .* one of inchikey_first_block, inchikey, smiles"):
        ScoreTableRanker.read(tmp_path / "t.tsv")
    pq.write_table(pa.table({"query": ["a"], "score": [0.25]}), tmp_path / "t.parquet")
    with pytest.raises(EvaluationError, match=r"t\.parquet: column smiles stands 0 times among query, score"):
        ScoreTableRanker.read(tmp_path / "t.parquet")


def test_a_table_without_rows_is_refused(tmp_path: Path):
    (tmp_path / "t.tsv").write_text("query\tsmiles\tscore\n")
    with pytest.raises(EvaluationError, match="holds no score; expected rows of query, smiles and score"):
        ScoreTableRanker.read(tmp_path / "t.tsv")


@pytest.mark.parametrize("name", ["t.tsv.gz", "t.tsv.xz"])
def test_a_truncated_table_of_first_blocks_is_called_truncated_and_not_without_smiles(tmp_path: Path, name: str):
    pack = gzip.compress if name.endswith("gz") else lzma.compress
    rows = "".join(f"q{number}\t{number:014d}\t{number}\n" for number in range(1000))
    (tmp_path / name).write_bytes(pack(f"query\tinchikey_first_block\tscore\n{rows}".encode())[:-40])
    with pytest.raises(EvaluationError, match=r"cannot be read: Compressed file ended"):
        ScoreTableRanker.read(tmp_path / name)


def test_a_short_row_of_a_table_of_first_blocks_is_named_by_its_line(tmp_path: Path):
    (tmp_path / "t.tsv").write_text("query\tinchikey_first_block\tscore\na\tAAAAAAAAAAAAAA\t1\na\tBBBB")
    with pytest.raises(EvaluationError, match=r"t\.tsv, line 3: 2 columns; expected 3"):
        ScoreTableRanker.read(tmp_path / "t.tsv")


def test_a_quotation_mark_that_swallows_rows_is_refused(tmp_path: Path):
    (tmp_path / "t.tsv").write_text('query\tsmiles\tscore\n"a\tCCO\t1\n"a\tCOC\t2\n')
    with pytest.raises(EvaluationError, match=r"t\.tsv, line 2: a quotation mark opens a field that ends on line 3"):
        ScoreTableRanker.read(tmp_path / "t.tsv")


@pytest.mark.parametrize("name", ["t.tsv", "t.parquet"])
def test_a_table_with_two_columns_of_scores_is_refused(tmp_path: Path, name: str):
    if name == "t.tsv":
        (tmp_path / name).write_text("query\tsmiles\tscore\tscore\na\tCCO\t1\t2\n")
    else:
        arrays = [pa.array(["a"]), pa.array(["CCO"]), pa.array([1.0]), pa.array([2.0])]
        pq.write_table(pa.Table.from_arrays(arrays, names=["query", "smiles", "score", "score"]), tmp_path / name)
    with pytest.raises(EvaluationError, match=r"column score (twice|stands 2 times)"):
        ScoreTableRanker.read(tmp_path / name)


def test_a_parquet_table_of_other_columns_is_told_which_it_has(tmp_path: Path):
    pq.write_table(pa.table({"a": ["x"], "b": [1.0]}), tmp_path / "t.parquet")
    with pytest.raises(EvaluationError, match=r"column query stands 0 times among a, b; expected the columns query"):
        ScoreTableRanker.read(tmp_path / "t.parquet")


def test_the_margin_of_huge_scores_is_infinite_without_a_warning(recwarn: pytest.WarningsRecorder):
    ranker = ScoreTableRanker.of([("a", "CCO", "1e308"), ("a", "COC", "-1e308")])
    results = QueryResults.of_scores(QUERIES[:1], ranker.score(QUERIES[:1]))
    assert results.number("margin").tolist() == [np.inf]
    assert not recwarn.list


def test_a_table_of_other_queries_is_refused_with_what_both_sides_call_them():
    ranker = ScoreTableRanker.of([("query-1", "CCO", "1"), ("query-2", "CCO", "1")], name="tool")
    with pytest.raises(EvaluationError, match=r"tool: names none of the 2 queries, but 'query-1', ...; expected"):
        ranker.score(QUERIES)
    assert ranker.score([]) == []
