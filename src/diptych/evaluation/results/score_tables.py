"""Scores that another tool gave, as a ranker: a table of query, candidate and score."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from diptych.data.tables import read_columns, read_header
from diptych.errors import DatasetError, EvaluationError, reason_of
from diptych.evaluation.questions.candidate_lists import standardised

if TYPE_CHECKING:
    from diptych.ranking.query import Query

_CANDIDATE_COLUMNS = ("inchikey_first_block", "inchikey", "smiles")
_EXPECTED = f"expected the columns query, one of {', '.join(_CANDIDATE_COLUMNS)}, and score"
_FIRST_BLOCK_LENGTH = 14
Row = tuple[str, str, str]


@dataclass(frozen=True, kw_only=True, eq=False)
class ScoreTableRanker:
    """Looks scores up: a candidate that the table lacks scores NaN, which is below every number.

    Attributes
    ----------
    name
        What reports call it.
    scores
        Query -> first block -> score; of several scores of one candidate the highest.
    n_rows
        Rows of the table; ``n_duplicates``, ``n_without_score`` and ``n_unparsed`` of them repeat a candidate, hold no
        number (an infinite score is none), or hold a candidate that is no structure.
    """

    name: str
    scores: Mapping[str, Mapping[str, float]]
    n_rows: int
    n_duplicates: int = 0
    n_without_score: int = 0
    n_unparsed: int = 0

    @classmethod
    def read(cls, path: Path, *, name: str = "") -> ScoreTableRanker:
        """Return the ranker of a table (TSV, CSV, plain or packed, or Parquet).

        Its columns: ``query`` (identifier), one of ``inchikey_first_block``, ``inchikey`` and ``smiles``, and ``score``
        (higher is better). SMILES are standardised as candidates are.

        Raises
        ------
        EvaluationError
            The table cannot be read, lacks a column, or has no row.
        """
        kind, rows = _read(path)
        if not rows:
            raise EvaluationError(f"{path}: holds no score; expected rows of query, {kind} and score")
        return cls.of(rows, kind=kind, name=name or path.name.split(".")[0])

    @classmethod
    def of(cls, rows: Iterable[Row], *, kind: str = "smiles", name: str = "scores") -> ScoreTableRanker:
        """Return the ranker of (query, candidate, score) rows as text; ``kind`` says what the candidates are."""
        listed = list(rows)
        block_of = _blocks({candidate for _, candidate, _ in listed}, kind=kind)
        scores: dict[str, dict[str, float]] = {}
        counts = {"n_duplicates": 0, "n_without_score": 0, "n_unparsed": 0}
        for query, candidate, text in listed:
            block, score = block_of[candidate], _number(text)
            known = scores.setdefault(query, {})
            if block is None:
                counts["n_unparsed"] += 1
            elif math.isnan(score):
                counts["n_without_score"] += 1
            else:
                counts["n_duplicates"] += block in known
                known[block] = max(score, known.get(block, -math.inf))
        return cls(name=name, scores=scores, n_rows=len(listed), **counts)

    def score(self, queries: Sequence[Query]) -> list[NDArray[np.floating]]:
        """Return the scores of the table, one float64 array per query; NaN where it has none.

        Raises
        ------
        EvaluationError
            The table names none of the queries: it is of other spectra, or calls them otherwise.
        """
        if queries and not any(query.identifier in self.scores for query in queries):
            raise EvaluationError(
                f"{self.name}: names none of the {len(queries):,} queries, but {next(iter(self.scores), '')!r}, ...; "
                f"expected identifiers such as {queries[0].identifier!r}"
            )
        return [
            np.array(
                [self.scores.get(query.identifier, {}).get(block, math.nan) for block in query.candidates.positions],
                dtype=np.float64,
            )
            for query in queries
        ]

    def counts(self, queries: Sequence[Query]) -> dict[str, int]:
        """Return how the table fits the queries: what it lacks, and what it has beyond them."""
        asked = {query.identifier: query.candidates.positions for query in queries}
        known = [(name, block) for name, found in self.scores.items() for block in found]
        n_candidates = sum(len(positions) for positions in asked.values())
        n_found = sum(block in asked.get(name, {}) for name, block in known)
        return {
            "table_rows": self.n_rows,
            "table_rows_of_duplicate_candidates": self.n_duplicates,
            "table_rows_without_score": self.n_without_score,
            "table_rows_of_unparsed_candidates": self.n_unparsed,
            "table_scores_of_unknown_queries": sum(name not in asked for name, _ in known),
            "table_scores_of_unlisted_candidates": sum(
                name in asked and block not in asked[name] for name, block in known
            ),
            "queries_without_any_score": sum(not self.scores.get(name) for name in asked),
            "candidates_without_score": n_candidates - n_found,
        }


def _read(path: Path) -> tuple[str, list[Row]]:
    if path.suffix.lower() == ".parquet":
        return _read_parquet(path)
    try:
        kind = _kind(read_header(path))
        return kind, [(query, candidate, score) for query, candidate, score in read_columns(path, _columns(kind))]
    except DatasetError as error:
        raise EvaluationError(f"{error}; {_EXPECTED}") from error


def _read_parquet(path: Path) -> tuple[str, list[Row]]:
    try:
        names = pq.read_schema(path).names
        kind = _kind(names)
        if unfit := [name for name in _columns(kind) if names.count(name) != 1]:
            raise EvaluationError(
                f"{path}: column {unfit[0]} stands {names.count(unfit[0])} times among {', '.join(names) or 'none'}; "
                f"{_EXPECTED}"
            )
        columns = pq.read_table(path, columns=list(_columns(kind))).to_pydict()
        texts = ([str(value) for value in columns[name]] for name in _columns(kind))
        return kind, list(zip(*texts, strict=True))
    except (OSError, pa.ArrowException) as error:
        raise EvaluationError(
            f"{path}: cannot be read as a table of scores: {reason_of(error)}; {_EXPECTED}"
        ) from error


def _kind(names: Sequence[str]) -> str:
    """Return which column of a table names the candidates; the last that could where none does."""
    return next((name for name in _CANDIDATE_COLUMNS if name in names), _CANDIDATE_COLUMNS[-1])


def _columns(kind: str) -> tuple[str, str, str]:
    return "query", kind, "score"


def _blocks(candidates: set[str], *, kind: str) -> dict[str, str | None]:
    if kind == "smiles":
        found = standardised(candidates)
        return {text: None if s is None else s.inchikey_first_block for text, s in found.items()}
    return {text: text[:_FIRST_BLOCK_LENGTH] if len(text) >= _FIRST_BLOCK_LENGTH else None for text in candidates}


def _number(text: str) -> float:
    """Return a finite number; NaN where the text is none: of infinities no difference and no mean can be taken."""
    try:
        number = float(text)
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan
