"""The scores of all candidates of all queries, for figures that ranks alone do not give: ``report.scores.parquet``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from diptych.errors import EvaluationError, reason_of
from diptych.files import replacing

if TYPE_CHECKING:
    from diptych.ranking.query import Query

_SUFFIX = ".scores.parquet"
_COLUMNS = ("query", "target_position", "first_block", "score")
_NOWHERE = -1


@dataclass(frozen=True, kw_only=True, eq=False)
class CandidateScores:
    """Scores of candidates, the lists laid end to end.

    Attributes
    ----------
    queries
        Identifier of each query.
    offsets
        int64, of shape (n_queries + 1,): the candidates of query i are ``scores[offsets[i]:offsets[i + 1]]``.
    scores
        float32, or float64 where float32 would not keep order and ties within a list; of shape (n_scores,); NaN where
        there is none.
    first_blocks
        First block of each candidate.
    target_positions
        int64, of shape (n_queries,): position of the answer within its list, -1 where the list lacks it.
    """

    queries: tuple[str, ...]
    offsets: NDArray[np.int64]
    scores: NDArray[np.float32] | NDArray[np.float64]
    first_blocks: tuple[str, ...]
    target_positions: NDArray[np.int64]

    @classmethod
    def of(cls, queries: Sequence[Query], scores: Sequence[NDArray[np.floating]]) -> Self:
        """Return the scores that a ranker gave to the candidates of queries.

        Raises
        ------
        EvaluationError
            There is not one array per query, or not one score per candidate.
        """
        lengths = [len(query.candidates.structures) for query in queries]
        if [len(found) for found in scores] != lengths:
            raise EvaluationError(
                f"{len(scores)} score arrays for {len(queries)} queries, or not one score for each candidate"
            )
        offsets = np.cumsum([0, *lengths], dtype=np.int64)
        return cls(
            queries=tuple(query.identifier for query in queries),
            offsets=offsets,
            scores=_narrowed(np.concatenate([np.empty(0, np.float32), *scores]), offsets),
            first_blocks=tuple(block for query in queries for block in query.candidates.positions),
            target_positions=np.array(
                [query.candidates.positions.get(query.target, _NOWHERE) for query in queries], dtype=np.int64
            ),
        )

    def __len__(self) -> int:
        return len(self.queries)

    def of_query(self, number: int) -> NDArray[np.floating]:
        """Return the scores of one query."""
        return self.scores[self.offsets[number] : self.offsets[number + 1]]

    def blocks_of(self, number: int) -> tuple[str, ...]:
        """Return the first blocks of the candidates of one query."""
        return self.first_blocks[self.offsets[number] : self.offsets[number + 1]]

    @cached_property
    def is_target(self) -> NDArray[np.bool_]:
        """Whether each candidate is its query's answer, bool of shape (n_scores,)."""
        mask = np.zeros(self.scores.size, dtype=bool)
        listed = self.target_positions != _NOWHERE
        mask[self.offsets[:-1][listed] + self.target_positions[listed]] = True
        return mask

    @property
    def per_query(self) -> list[NDArray[np.floating]]:
        """The scores of each query."""
        return [self.of_query(number) for number in range(len(self))]

    @property
    def positions(self) -> list[int | None]:
        """Position of the answer of each query; None where its list lacks it."""
        return [None if position == _NOWHERE else int(position) for position in self.target_positions]

    def write(self, path: Path) -> None:
        """Write the scores to ``path``, whole or not at all.

        Raises
        ------
        OutputError
            They cannot be written.
        """
        offsets = pa.array(self.offsets, pa.int32())
        table = pa.table(
            {
                "query": pa.array(self.queries, pa.string()),
                "target_position": pa.array(self.target_positions, pa.int32()),
                "first_block": pa.ListArray.from_arrays(offsets, pa.array(self.first_blocks, pa.string())),
                "score": pa.ListArray.from_arrays(offsets, pa.array(self.scores)),
            }
        )
        with replacing(path) as temporary:
            pq.write_table(table, temporary, compression="zstd")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the scores in a file, or beside a report.

        Raises
        ------
        EvaluationError
            The file is missing, damaged, or no table of scores.
        """
        file = scores_path(path) if path.suffix == ".json" else path
        try:
            table = pq.read_table(file, columns=list(_COLUMNS))
            scores = _flat(table, "score").to_numpy(zero_copy_only=False)
            lengths = table.column("score").combine_chunks().value_lengths().to_numpy()
            return cls(
                queries=tuple(table.column("query").to_pylist()),
                offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
                scores=scores if scores.dtype == np.float32 else scores.astype(np.float64),
                first_blocks=tuple(_flat(table, "first_block").to_pylist()),
                target_positions=table.column("target_position").to_numpy().astype(np.int64),
            )
        except (OSError, ValueError, KeyError, pa.ArrowException) as error:
            raise EvaluationError(f"{file}: cannot be read as candidate scores: {reason_of(error)}") from error


def scores_path(path: Path) -> Path:
    """Return where the candidate scores of a report stand: ``report.json`` -> ``report.scores.parquet``."""
    return path.with_name(path.name.removesuffix(".json") + _SUFFIX)


def _narrowed(scores: NDArray[np.floating], offsets: NDArray[np.int64]) -> NDArray[np.float32] | NDArray[np.float64]:
    """Return the scores as float32 where each list keeps its order and ties and nothing becomes infinite."""
    if scores.dtype == np.float32:
        return scores.astype(np.float32)
    with np.errstate(over="ignore"):
        narrow = scores.astype(np.float32)
    wide = scores.astype(np.float64)
    owner = np.repeat(np.arange(offsets.size - 1), np.diff(offsets))
    order = np.lexsort((wide, owner))
    before, after = order[:-1], order[1:]
    merged = (owner[before] == owner[after]) & (wide[before] != wide[after]) & (narrow[before] == narrow[after])
    return wide if merged.any() or np.any(np.isinf(narrow) & np.isfinite(wide)) else narrow


def _flat(table: pa.Table, name: str) -> pa.Array:
    return table.column(name).combine_chunks().flatten()
