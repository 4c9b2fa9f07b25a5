"""What one ranker answered to a set of queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diptych.errors import EvaluationError
from diptych.ranking.ranking import known_scores, rank_against_ties

if TYPE_CHECKING:
    from diptych.ranking.query import Query
    from diptych.ranking.ranking import Ranker


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """The rank of the right answer of every query under one ranker.

    Attributes
    ----------
    ranker
        Its name.
    ranks
        float64, of shape (n_queries,), 1-based, ties against the target; infinity is a miss.
    target_scores, best_scores
        float64, of shape (n_queries,); NaN where there is none (or where a control's scores were not kept).
    best
        First block that stood first; where it ties with the target, the other one. Empty where nothing was scored.
    scores
        What the ranker gave, one array per query, NaN where it gave infinity; empty where it was not kept.
    n_infinite
        How many scores were infinite, and so none.
    """

    ranker: str
    ranks: NDArray[np.float64]
    target_scores: NDArray[np.float64]
    best_scores: NDArray[np.float64]
    best: tuple[str, ...]
    scores: tuple[NDArray[np.floating], ...] = ()
    n_infinite: int = 0


def ask(ranker: Ranker, queries: Sequence[Query]) -> Answers:
    """Return what a ranker answers.

    Raises
    ------
    EvaluationError
        The ranker gave another number of arrays than queries, or of scores than candidates, or what are no numbers.
    """
    given = [_numbers(ranker.name, scores) for scores in ranker.score(queries)]
    scored = [known_scores(scores) for scores in given]
    if len(scored) != len(queries):
        raise EvaluationError(
            f"ranker {ranker.name!r} gave {len(scored)} score arrays for {len(queries)} queries; expected one per query"
        )
    rows = [_answer(ranker.name, query, scores) for query, scores in zip(queries, scored, strict=True)]
    return Answers(
        ranker=ranker.name,
        ranks=np.array([row[0] for row in rows], dtype=np.float64),
        target_scores=np.array([row[1] for row in rows], dtype=np.float64),
        best_scores=np.array([row[2] for row in rows], dtype=np.float64),
        best=tuple(row[3] for row in rows),
        scores=tuple(scored),
        n_infinite=sum(int(np.isinf(scores).sum()) for scores in given),
    )


def _numbers(ranker: str, scores: object) -> NDArray[np.floating]:
    given = np.asarray(scores)
    if given.dtype.kind not in "biuf":
        raise EvaluationError(f"ranker {ranker!r} gave scores of type {given.dtype}; expected numbers, or NaN for none")
    return given


def _answer(ranker: str, query: Query, scores: NDArray[np.floating]) -> tuple[float, float, float, str]:
    """Return rank, the target's score, the best score and the best first block of one query."""
    structures = query.candidates.structures
    if scores.shape != (len(structures),):
        raise EvaluationError(
            f"ranker {ranker!r} gave scores of shape {scores.shape} for query {query.identifier!r}; expected one for "
            f"each of its {len(structures)} candidates"
        )
    position = query.candidates.positions.get(query.target)
    rank = np.inf if position is None else rank_against_ties(scores, position)
    target_score = np.nan if position is None else float(scores[position])
    if np.isnan(scores).all():
        return rank, target_score, np.nan, ""
    best_score = np.nanmax(scores)
    first = [structures[i].inchikey_first_block for i in np.flatnonzero(scores == best_score)]
    best = min(first, key=lambda block: (block == query.target, block))
    return rank, target_score, float(best_score), best
