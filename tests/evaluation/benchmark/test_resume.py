from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from diptych.evaluation.benchmark.resume import KeptAnswers, KeptRanker
from diptych.evaluation.results.score_tables import ScoreTableRanker
from diptych.molecules.structure import Structure
from diptych.ranking.query import CandidateList, Query
from diptych.spectra.adduct import Adduct
from diptych.spectra.spectrum import Spectrum


def query(name: str = "a", *, mz: float = 50.0, candidates: tuple[str, ...] = ("CCO", "COC"), **fields) -> Query:
    spectrum = Spectrum.from_peaks([mz], [1.0], identifier=name, **fields)
    listed = CandidateList.distinct(Structure.from_smiles(smiles) for smiles in candidates)
    return Query(identifier=name, spectrum=spectrum, target="x", candidates=listed)


class Counting:
    """Counts how often it is asked."""

    name = "counting"

    def __init__(self, dtype: type = np.float32) -> None:
        self.n_asked, self.dtype = 0, dtype

    def score(self, queries):
        self.n_asked += 1
        return [np.linspace(0, 1 / 3, len(one.candidates.structures), dtype=self.dtype) for one in queries]


def kept(folder: Path, ranker: Counting, **settings) -> KeptRanker:
    (wrapped,) = KeptAnswers(folder, settings=settings).of([ranker])
    assert isinstance(wrapped, KeptRanker)
    return wrapped


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_was_answered_before_is_not_asked_again(tmp_path: Path, dtype: type):
    queries = [query("a"), query("b", candidates=("CCO",)), query("c", candidates=())]
    first = kept(tmp_path, Counting(dtype)).score(queries)
    later = Counting(dtype)
    again = kept(tmp_path, later).score(queries)
    assert later.n_asked == 0
    assert [found.dtype for found in again] == [np.dtype(dtype)] * 3
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "other",
    [
        query("a", mz=50.1),
        query("b"),
        query("a", candidates=("COC", "CCO")),
        query("a", precursor_mz=47.0),
        query("a", adduct=Adduct.parse("[M+H]+")),
        query("a", collision_energy=20.0),
        query("a", metadata={"contributor": "x"}),
        replace(query("a"), target="y"),
    ],
)
def test_another_question_is_asked_anew(tmp_path: Path, other: Query):
    kept(tmp_path, Counting()).score([query("a")])
    later = Counting()
    kept(tmp_path, later).score([other])
    assert later.n_asked == 1


def test_other_settings_or_files_make_other_answers(tmp_path: Path):
    table = tmp_path / "d.parquet"
    table.write_bytes(b"one")
    KeptAnswers(tmp_path, files=[table], settings={"seed": 0}).of([Counting()])[0].score([query()])
    for content, seed, n_asked in ((b"one", 0, 0), (b"one", 1, 1), (b"two", 0, 1)):
        table.write_bytes(content)
        later = Counting()
        KeptAnswers(tmp_path, files=[table], settings={"seed": seed}).of([later])[0].score([query()])
        assert later.n_asked == n_asked


def test_a_damaged_answer_is_asked_anew(tmp_path: Path):
    kept(tmp_path, Counting()).score([query()])
    (path,) = (tmp_path / "unfinished").iterdir()
    path.write_bytes(path.read_bytes()[:60])
    later = Counting()
    assert kept(tmp_path, later).score([query()])[0].tolist() == [0, np.float32(1 / 3)]
    assert later.n_asked == 1


def test_the_seconds_are_those_of_the_asking(tmp_path: Path):
    first, again = kept(tmp_path, Counting()), kept(tmp_path, Counting())
    first.score([query()])
    again.score([query()])
    assert again.seconds == first.seconds > 0


def test_rows_of_a_table_are_computed_once_for_one_name_and_settings(tmp_path: Path):
    rows = [{"rate": 1 / 3, "low": None}]
    assert KeptAnswers(tmp_path, settings={"seed": 0}).rows("a", lambda: rows) == rows
    again = KeptAnswers(tmp_path, settings={"seed": 0})
    assert len(again) == 1
    assert again.rows("a", lambda: pytest.fail("was computed again")) == rows
    assert again.rows("b", lambda: []) == []
    assert KeptAnswers(tmp_path, settings={"seed": 1}).rows("a", lambda: []) == []
    for path in (tmp_path / "unfinished").iterdir():
        path.write_text("{")
    assert again.rows("a", lambda: rows) == rows


def test_when_all_is_written_nothing_is_left(tmp_path: Path):
    answers = KeptAnswers(tmp_path, settings={})
    answers.of([Counting()])[0].score([query()])
    assert len(answers) == 1
    answers.done()
    assert len(answers) == 0
    assert list(tmp_path.iterdir()) == []


def test_answers_of_another_run_are_left_where_they_are(tmp_path: Path):
    other, own = (KeptAnswers(tmp_path, settings={"seed": seed}) for seed in (0, 1))
    other.of([Counting()])[0].score([query()])
    own.of([Counting()])[0].score([query()])
    own.rows("a", lambda: [])
    (tmp_path / "unfinished" / "notes.txt").write_text("mine")
    own.done()
    assert len(other) == 1
    assert (tmp_path / "unfinished" / "notes.txt").read_text() == "mine"


def test_answers_of_other_code_are_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    kept(tmp_path, Counting()).score([query()])
    monkeypatch.setattr("diptych.evaluation.benchmark.resume._digest_of_code", lambda: "mended")
    later = Counting()
    kept(tmp_path, later).score([query()])
    assert later.n_asked == 1


def test_no_query_has_no_answer(tmp_path: Path):
    assert kept(tmp_path, Counting()).score([]) == kept(tmp_path, Counting()).score([]) == []


def test_tables_answer_at_once_and_are_not_kept(tmp_path: Path):
    table = ScoreTableRanker.of([("a", "CCO", "1")])
    assert KeptAnswers(tmp_path, settings={}).of([table]) == [table]
