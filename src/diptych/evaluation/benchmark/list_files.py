"""The candidate lists of a frozen benchmark: their files, and what is counted of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from diptych.errors import DatasetError, EvaluationError
from diptych.molecules.structure import Structure
from diptych.ranking.query import CandidateList

if TYPE_CHECKING:
    from diptych.evaluation.questions.candidate_lists import Questions

OTHER_PROTOCOLS = ("256-way", "global", "few-shot", "library-search", "robustness", "answer-absent")
"""The protocols that are not called by a kind of lists."""

_KIND = re.compile(r"[\w-]+")
_COLUMNS = ("key", "smiles", "inchikey", "formula", "exact_mass")


def check_kinds(kinds: Iterable[str]) -> None:
    """Refuse kinds of lists that can be no part of a file's name, or that a protocol without them is called.

    Raises
    ------
    EvaluationError
        Names the first such kind.
    """
    for kind in kinds:
        if kind in OTHER_PROTOCOLS or not _KIND.fullmatch(kind):
            raise EvaluationError(
                f"lists cannot be of the kind {kind!r}; expected letters, digits, - and _, and none of "
                f"{', '.join(OTHER_PROTOCOLS)}"
            )


def list_file(kind: str) -> str:
    """Return the name of the file that holds the lists of a kind."""
    return f"lists_{kind}.parquet"


def lists_of(questions: Questions) -> dict[str, CandidateList]:
    """Return the list of every target that has candidates."""
    return {query.target: query.candidates for query in questions.queries if query.candidates.n_candidates}


def list_counts(questions: Questions) -> dict[str, Any]:
    """Return how the lists of one kind came about, how long they are, and what is odd about them.

    ``median_length`` is the length of a list: of the two in the middle, the longer one.
    """
    by_target = {query.target: query.candidates for query in questions.queries}
    lengths = sorted(candidates.n_candidates for candidates in by_target.values())
    return {
        **questions.provenance,
        "lists": len(by_target),
        "mean_length": sum(lengths) / max(len(lengths), 1),
        "median_length": lengths[len(lengths) // 2] if lengths else 0,
        "queries_without_candidates": sum(query.candidates.n_candidates == 0 for query in questions.queries),
        "queries_with_one_candidate": sum(query.candidates.n_candidates == 1 for query in questions.queries),
        "targets_missing_from_their_list": sum(
            query.target not in query.candidates.positions for query in questions.queries
        ),
        "duplicate_candidates_removed": sum(candidates.n_duplicates for candidates in by_target.values()),
        "unparsed_candidates": sum(len(candidates.unparsed) for candidates in by_target.values()),
    }


def write_lists(lists: Mapping[str, CandidateList], path: Path) -> None:
    """Write the lists of one kind as a Parquet table, one row per candidate."""
    rows = [row for key, candidates in lists.items() for row in list_rows(key, candidates)]
    kinds = (pa.string(), pa.string(), pa.string(), pa.string(), pa.float64())
    columns = list(zip(*rows, strict=True)) or [()] * len(kinds)
    table = {name: pa.array(values, kind) for name, values, kind in zip(_COLUMNS, columns, kinds, strict=True)}
    pq.write_table(pa.table(table), path, compression="zstd")


def list_rows(key: str, candidates: CandidateList) -> list[tuple[str, str, str, str, float]]:
    """Return the structures, then what could not be parsed: SMILES without an InChIKey."""
    return [
        *((key, s.smiles, s.inchikey, s.formula, s.exact_mass) for s in candidates.structures),
        *((key, text, "", "", 0.0) for text in candidates.unparsed),
    ]


def read_lists(path: Path) -> dict[str, CandidateList]:
    """Return the lists of one kind by target; how many duplicates were removed from each is not kept.

    Raises
    ------
    DatasetError
        The file is missing or damaged, or lacks a column.
    """
    if not path.is_file():
        raise DatasetError(f"{path}: missing; expected the lists that benchmark.json names")
    absent = [name for name in _COLUMNS if name not in pq.read_schema(path).names]
    if absent:
        raise DatasetError(f"{path}: the columns {', '.join(absent)} are missing")
    columns = pq.read_table(path, columns=list(_COLUMNS)).to_pydict()
    structures: dict[str, list[Structure]] = {}
    unparsed: dict[str, list[str]] = {}
    for key, smiles, inchikey, formula, mass in zip(*(columns[name] for name in _COLUMNS), strict=True):
        structures.setdefault(key, [])
        if inchikey:
            structures[key].append(Structure(smiles=smiles, inchikey=inchikey, formula=formula, exact_mass=mass))
        else:
            unparsed.setdefault(key, []).append(smiles)
    return {
        key: CandidateList(structures=tuple(listed), unparsed=tuple(unparsed.get(key, ())))
        for key, listed in structures.items()
    }
