"""One row of the table of results: what the scores of one query's candidates say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from diptych.errors import EvaluationError
from diptych.evaluation.questions.known import stated_structure
from diptych.ranking.ranking import known_scores, rank_against_ties

if TYPE_CHECKING:
    from diptych.ranking.query import Query


@dataclass(frozen=True, kw_only=True)
class Row:
    """What one query's scores say; the fields are the columns of `QueryResults`."""

    rank: float
    target_score: float
    best_score: float = math.nan
    best: str = ""
    best_smiles: str = ""
    target_smiles: str = ""
    target_listed: str = ""
    margin: float = math.nan
    probability: float = math.nan

    @classmethod
    def of(cls, query: Query, scores: NDArray[np.floating], *, temperature: float | None = None) -> Self:
        """Return what the scores of a query's candidates say, probabilities only where a temperature is given.

        Raises
        ------
        EvaluationError
            There is not one score per candidate.
        """
        structures = query.candidates.structures
        if scores.shape != (len(structures),):
            raise EvaluationError(
                f"query {query.identifier!r}: scores of shape {scores.shape} for {len(structures)} candidates; "
                "expected one for each"
            )
        scores = known_scores(scores)
        position = query.candidates.positions.get(query.target)
        row = cls(
            rank=math.inf if position is None else rank_against_ties(scores, position),
            target_score=math.nan if position is None else float(scores[position]),
            target_smiles=_stated_smiles(query) if position is None else structures[position].smiles,
            target_listed="no" if position is None else "yes",
        )
        known = np.flatnonzero(~np.isnan(scores))
        if not known.size:
            return row
        best_score = scores[known].max()
        first = [int(i) for i in known if scores[i] == best_score]
        best = min(first, key=lambda i: (i == position, structures[i].inchikey_first_block))
        return replace(
            row,
            best_score=float(best_score),
            best=structures[best].inchikey_first_block,
            best_smiles=structures[best].smiles,
            margin=_margin(scores[known]),
            probability=math.nan if temperature is None else highest_probability(scores, temperature),
        )


def structure_counts(queries: Sequence[Query]) -> dict[str, NDArray[np.float64]]:
    """Return the number of candidates that rankers see, as column ``n_structures``; nothing where they see them all."""
    if not any(query.candidates.unparsed for query in queries):
        return {}
    return {"n_structures": np.array([len(query.candidates.structures) for query in queries], dtype=np.float64)}


def _stated_smiles(query: Query) -> str:
    """Return the SMILES of an answer that its list lacks, where the spectrum gives it; else nothing."""
    structure = stated_structure(query.spectrum)
    return "" if structure is None or structure.inchikey_first_block != query.target else structure.smiles


def _margin(scores: NDArray[np.floating]) -> float:
    if scores.size < 2:
        return math.nan
    second, first = np.partition(scores.astype(np.float64), scores.size - 2)[-2:]
    return float(first) - float(second)


def highest_probability(scores: NDArray[np.floating], temperature: float) -> float:
    """Return the softmax of the best score, 1 / sum_i exp((s_i - s_best) / T), over those that are finite; else NaN."""
    known = scores[np.isfinite(scores)].astype(np.float64)
    return float(1 / np.exp((known - known.max()) / temperature).sum()) if known.size else math.nan
