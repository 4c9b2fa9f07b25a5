from dataclasses import dataclass
from pathlib import Path

import pytest

from diptych.evaluation.benchmark.list_files import list_counts, lists_of, read_lists, write_lists
from diptych.evaluation.questions.candidate_lists import Questions
from diptych.molecules.structure import Structure
from diptych.ranking import CandidateList, Query
from diptych.spectra.spectrum import Spectrum


@dataclass(frozen=True)
class Molecule:
    inchikey_first_block: str


def query(name: str, target: str, blocks: str, *, unparsed: tuple[str, ...] = ()) -> Query:
    candidates = CandidateList.distinct([Molecule(block) for block in blocks], unparsed=unparsed)
    return Query(identifier=name, spectrum=Spectrum.from_peaks([], []), target=target, candidates=candidates)


def test_lists_are_counted_once_for_each_target_and_queries_each():
    # Lists of 3, 1, 6 (two of them unreadable), 0 and 1 candidates; that of A is asked twice, and E's lacks its target.
    queries = (
        query("1", "A", "ABCC"),
        query("2", "A", "ABCC"),
        query("3", "B", "B"),
        query("4", "C", "CABD", unparsed=("x", "y")),
        query("5", "D", ""),
        query("6", "E", "A"),
    )
    found = list_counts(Questions(queries=queries, provenance={"kind": "formula"}))
    assert found == {
        "kind": "formula",
        "lists": 5,
        "mean_length": pytest.approx((3 + 1 + 6 + 0 + 1) / 5),
        "median_length": 1,
        "queries_without_candidates": 1,
        "queries_with_one_candidate": 2,
        "targets_missing_from_their_list": 2,
        "duplicate_candidates_removed": 1,
        "unparsed_candidates": 2,
    }
    assert list(lists_of(Questions(queries=queries, provenance={}))) == ["A", "B", "C", "E"]


@pytest.mark.parametrize(
    ("lengths", "mean", "median"),
    [([], 0, 0), ([4], 4, 4), ([2, 5], 3.5, 5), ([7, 1, 3], 11 / 3, 3), ([4, 1, 2, 9], 4, 4)],
)
def test_the_median_length_is_that_of_a_list(lengths: list[int], mean: float, median: int):
    blocks = "ABCDEFGHI"
    queries = tuple(query(str(i), str(i), blocks[:length]) for i, length in enumerate(lengths))
    found = list_counts(Questions(queries=queries, provenance={}))
    assert (found["mean_length"], found["median_length"]) == (pytest.approx(mean), median)


def test_lists_are_read_as_they_were_written(tmp_path: Path):
    ethanol, ether = Structure.from_smiles("CCO"), Structure.from_smiles("COC")
    lists = {
        "A": CandidateList(structures=(ether, ethanol), unparsed=("C1CC", "?")),
        "B": CandidateList(structures=(), unparsed=("C(",)),
    }
    write_lists(lists, tmp_path / "lists.parquet")
    found = read_lists(tmp_path / "lists.parquet")
    assert {key: (one.structures, one.unparsed) for key, one in found.items()} == {
        key: (one.structures, one.unparsed) for key, one in lists.items()
    }
    write_lists({}, tmp_path / "none.parquet")
    assert read_lists(tmp_path / "none.parquet") == {}
