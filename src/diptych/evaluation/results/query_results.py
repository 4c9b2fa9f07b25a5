"""The table of per-query results: one row per query, from which every figure can be made again without the method.

It is the table that stands beside a report (``report.json`` -> ``report.ranks.tsv``): tab-separated, written by
`QueryResults.write`, read by `QueryResults.read`, which takes the path of either. Columns, in this order:

- needed: ``query``, ``target`` (first block), ``rank`` (1-based, ties against the target; ``miss``), ``n_candidates``,
  ``score_target``, ``best_score``, ``best`` (first block that stood first); an unknown score is empty;
- optional numbers: ``n_structures`` (candidates that could be parsed, which rankers see; absent where all could),
  ``margin`` (best score less second best), ``probability`` (of the first candidate), ``tanimoto`` (of the first
  candidate to the target), ``mces`` (their maximum common edge subgraph distance, or a bound below it, as the report's
  provenance says); empty where unknown;
- optional texts: ``best_smiles``, ``target_smiles``, ``target_listed`` (``yes``, or ``no`` where the list lacks the
  answer);
- ``rank_NAME``: the rank under the control NAME;
- any other column is metadata by which queries can be divided (``adduct``, ``n_peaks``, ...), as text.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diptych.errors import EvaluationError
from diptych.evaluation.results.rows import Row, structure_counts
from diptych.evaluation.results.text import MISS, check_ranks, counts_of, numbers_of, ranks_of, read_texts
from diptych.evaluation.statistics.metrics import random_hits
from diptych.files import replacing

if TYPE_CHECKING:
    from diptych.ranking.query import Query

NEEDED = ("query", "target", "rank", "n_candidates", "score_target", "best_score", "best")
NUMBERS = ("margin", "probability", "tanimoto", "mces", "n_structures")
TEXTS = ("best_smiles", "target_smiles", "target_listed")
_CONTROL = "rank_"
_SUFFIX = ".ranks.tsv"


@dataclass(frozen=True, kw_only=True, eq=False)
class QueryResults:
    """What one method answered to every query, as columns of one length.

    Attributes
    ----------
    queries, targets
        Identifier and first block of the right answer of each query; identifiers are distinct.
    ranks
        float64, of shape (n_queries,), 1-based, ties against the target; infinity is a miss.
    n_candidates
        int64, of shape (n_queries,), the candidates that cannot be parsed included.
    target_scores, best_scores
        float64, of shape (n_queries,); NaN where there is none.
    best
        First block that stood first; where it ties with the target, the other one. Empty where nothing was scored.
    numbers
        Name of `NUMBERS` -> float64 of shape (n_queries,), NaN where unknown. Names may be absent.
    texts
        Name of `TEXTS` -> one text per query, empty where unknown. Names may be absent.
    control_ranks
        Name of a control -> float64 of shape (n_queries,), as ``ranks``.
    metadata
        Name of anything else -> one text per query, empty where unknown.
    """

    queries: tuple[str, ...]
    targets: tuple[str, ...]
    ranks: NDArray[np.float64]
    n_candidates: NDArray[np.int64]
    target_scores: NDArray[np.float64]
    best_scores: NDArray[np.float64]
    best: tuple[str, ...]
    numbers: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    texts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    control_ranks: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    metadata: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        repeated = len(self.queries) - len(set(self.queries))
        if repeated:
            raise EvaluationError(
                f"{repeated} of {len(self.queries)} queries repeat an identifier; expected distinct ones"
            )
        for name, column in self._columns().items():
            if len(column) != len(self.queries):
                raise EvaluationError(
                    f"column {name!r} has {len(column)} values for {len(self.queries)} queries; expected one for each"
                )

    def __len__(self) -> int:
        return len(self.queries)

    @classmethod
    def of_scores(
        cls, queries: Sequence[Query], scores: Sequence[NDArray[np.floating]], *, temperature: float | None = None
    ) -> Self:
        """Return the results of the scores that a ranker gave.

        Parameters
        ----------
        queries
            What was asked, with distinct identifiers.
        scores
            One array per query, aligned with its candidates' structures; NaN is below every number.
        temperature
            Of the softmax that makes probabilities of scores; None leaves them unknown.

        Raises
        ------
        EvaluationError
            There is not one array per query, or not one score per candidate.
        """
        if len(scores) != len(queries):
            raise EvaluationError(f"{len(scores)} score arrays for {len(queries)} queries; expected one per query")
        rows = [
            Row.of(query, np.asarray(found), temperature=temperature)
            for query, found in zip(queries, scores, strict=True)
        ]
        return cls(
            queries=tuple(query.identifier for query in queries),
            targets=tuple(query.target for query in queries),
            ranks=_numbers(row.rank for row in rows),
            n_candidates=np.array([query.candidates.n_candidates for query in queries], dtype=np.int64),
            target_scores=_numbers(row.target_score for row in rows),
            best_scores=_numbers(row.best_score for row in rows),
            best=tuple(row.best for row in rows),
            numbers=structure_counts(queries)
            | {
                "margin": _numbers(row.margin for row in rows),
                "probability": _numbers(row.probability for row in rows),
            },
            texts={
                "best_smiles": tuple(row.best_smiles for row in rows),
                "target_smiles": tuple(row.target_smiles for row in rows),
                "target_listed": tuple(row.target_listed for row in rows),
            },
        )

    @property
    def n_molecules(self) -> int:
        """Number of distinct right answers."""
        return len(set(self.targets))

    def number(self, name: str) -> NDArray[np.float64]:
        """Return an optional number of each query, float64 of shape (n_queries,), NaN where it is unknown."""
        return self.numbers.get(name, np.full(len(self), np.nan))

    def text(self, name: str) -> tuple[str, ...]:
        """Return an optional text or metadata of each query, empty where it is unknown."""
        return self.texts.get(name) or self.metadata.get(name) or ("",) * len(self)

    def random_hits(self, k: int) -> NDArray[np.float64]:
        """Return the chance of a hit at k of random scores, float64 of shape (n_queries,).

        It is 0 where the list is known to lack the answer, and elsewhere `random_hits` of the candidates that rankers
        see: unparsed ones never stand before the answer. Where their number is unknown, of all candidates.
        """
        seen = self.number("n_structures")
        lacking = np.array([text == "no" for text in self.text("target_listed")], dtype=bool)
        return np.where(lacking, 0.0, random_hits(k, np.where(np.isnan(seen), self.n_candidates, seen)))

    def with_metadata(self, columns: Mapping[str, Iterable[object]]) -> Self:
        """Return these results with further metadata; None and NaN are unknown.

        Raises
        ------
        EvaluationError
            A column has the name of another kind of column.
        """
        reserved = {*NEEDED, *NUMBERS, *TEXTS}
        clash = sorted(name for name in columns if name in reserved or name.startswith(_CONTROL))
        if clash:
            raise EvaluationError(
                f"metadata cannot be called {', '.join(clash)}: the table of results has columns so called"
            )
        texts = {name: tuple(_metadata_text(value) for value in values) for name, values in columns.items()}
        return replace(self, metadata={**self.metadata, **texts})

    def with_numbers(self, columns: Mapping[str, ArrayLike]) -> Self:
        """Return these results with further optional numbers, by a name of `NUMBERS`.

        Raises
        ------
        EvaluationError
            There is no such optional number.
        """
        unknown = sorted(set(columns) - set(NUMBERS))
        if unknown:
            raise EvaluationError(f"no optional number {', '.join(unknown)}; expected one of {', '.join(NUMBERS)}")
        arrays = {name: np.asarray(values, dtype=np.float64) for name, values in columns.items()}
        return replace(self, numbers={**self.numbers, **arrays})

    def take(self, rows: ArrayLike) -> Self:
        """Return the results of some queries: row numbers, or a mask."""
        wanted = np.asarray(rows)
        kept = np.arange(len(self))[wanted if wanted.size else np.empty(0, np.int64)]

        def texts(values: Sequence[str]) -> tuple[str, ...]:
            return tuple(values[row] for row in kept)

        return replace(
            self,
            queries=texts(self.queries),
            targets=texts(self.targets),
            ranks=self.ranks[kept],
            n_candidates=self.n_candidates[kept],
            target_scores=self.target_scores[kept],
            best_scores=self.best_scores[kept],
            best=texts(self.best),
            numbers={name: values[kept] for name, values in self.numbers.items()},
            texts={name: texts(values) for name, values in self.texts.items()},
            control_ranks={name: values[kept] for name, values in self.control_ranks.items()},
            metadata={name: texts(values) for name, values in self.metadata.items()},
        )

    def write(self, path: Path) -> None:
        """Write the table to ``path``, whole or not at all.

        Raises
        ------
        OutputError
            It cannot be written.
        """
        columns = self._columns()
        texts = [_as_text(name, values) for name, values in columns.items()]
        with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter="\t", lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(zip(*texts, strict=True))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the results in a table, or beside a report.

        Raises
        ------
        EvaluationError
            The table is missing, truncated, lacks a needed column, repeats an identifier, or holds no number, or an
            impossible one, where one belongs.
        """
        table = ranks_path(path) if path.suffix == ".json" else path
        columns = read_texts(table)
        absent = [name for name in NEEDED if name not in columns]
        if absent:
            raise EvaluationError(f"{table}: the columns {', '.join(absent)} are missing; expected {', '.join(NEEDED)}")
        try:
            ranks, n_candidates = ranks_of("rank", columns["rank"]), counts_of("n_candidates", columns["n_candidates"])
            check_ranks(ranks, n_candidates)
            return cls(
                queries=columns["query"],
                targets=columns["target"],
                ranks=ranks,
                n_candidates=n_candidates,
                target_scores=numbers_of("score_target", columns["score_target"]),
                best_scores=numbers_of("best_score", columns["best_score"]),
                best=columns["best"],
                numbers={name: numbers_of(name, columns[name]) for name in NUMBERS if name in columns},
                texts={name: columns[name] for name in TEXTS if name in columns},
                control_ranks={
                    name.removeprefix(_CONTROL): ranks_of(name, values)
                    for name, values in columns.items()
                    if name.startswith(_CONTROL)
                },
                metadata={name: values for name, values in columns.items() if _is_metadata(name)},
            )
        except (ValueError, EvaluationError) as error:
            raise EvaluationError(f"{table}: cannot be read as results: {error}") from error

    def _columns(self) -> dict[str, Sequence[str] | NDArray[np.float64] | NDArray[np.int64]]:
        """Return every column by the name that the table gives it."""
        return {
            "query": self.queries,
            "target": self.targets,
            "rank": self.ranks,
            "n_candidates": self.n_candidates,
            "score_target": self.target_scores,
            "best_score": self.best_scores,
            "best": self.best,
            **self.numbers,
            **self.texts,
            **{_CONTROL + name: ranks for name, ranks in self.control_ranks.items()},
            **self.metadata,
        }


def ranks_path(path: Path) -> Path:
    """Return where the results of a report stand: ``report.json`` -> ``report.ranks.tsv``."""
    return path.with_name(path.name.removesuffix(".json") + _SUFFIX)


def _numbers(values: Iterable[float]) -> NDArray[np.float64]:
    return np.fromiter(values, dtype=np.float64)


def _is_metadata(name: str) -> bool:
    return name not in {*NEEDED, *NUMBERS, *TEXTS} and not name.startswith(_CONTROL)


def _metadata_text(value: object) -> str:
    if value is None or (isinstance(value, float | np.floating) and math.isnan(value)):
        return ""
    return f"{value:.6g}" if isinstance(value, float | np.floating) else str(value)


def _as_text(name: str, values: Sequence[str] | NDArray[np.float64] | NDArray[np.int64]) -> list[str]:
    if not isinstance(values, np.ndarray):
        return list(values)
    if name == "rank" or name.startswith(_CONTROL):
        return [str(int(rank)) if math.isfinite(rank) else MISS for rank in values]
    return [str(value) if isinstance(value, int) else _score_text(value) for value in values.tolist()]


def _score_text(score: float) -> str:
    return "" if math.isnan(score) else f"{score:.9g}"
