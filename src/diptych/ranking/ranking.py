"""What an answer is: structures, best first."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from diptych.errors import EvaluationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diptych.molecules.structure import Structure
    from diptych.ranking.query import Query


@runtime_checkable
class Ranker(Protocol):
    """Any method that scores candidates: a baseline, a control, a model, a table of scores."""

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    def score(self, queries: Sequence[Query]) -> list[NDArray[np.floating]]:
        """Return the scores of each query's candidates, higher is better.

        Returns
        -------
        list of arrays
            One per query, of shape (n_structures,), aligned with ``query.candidates.structures``; NaN where the ranker
            cannot score the candidate, which is worse than every number. An infinity is no score, see `known_scores`.
        """
        ...


def check_distinct(names: Sequence[str]) -> None:
    """Refuse rankers, or scorers of library search, of which two have one name.

    Raises
    ------
    EvaluationError
        Says which.
    """
    for name in names:
        if names.count(name) > 1:
            raise EvaluationError(f"two rankers are called {name!r}; expected distinct names")


def known_scores(scores: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return scores with NaN in place of infinities: of these no difference and no mean can be taken.

    Examples
    --------
    >>> known_scores(np.array([0.5, np.inf, -np.inf]))
    array([0.5, nan, nan])
    """
    return np.where(np.isinf(scores), np.nan, scores)


def rank_against_ties(scores: NDArray[np.floating], position: int) -> float:
    """Return the 1-based rank of one candidate; ties count against it, and without a score it is infinitely far down.

    Parameters
    ----------
    scores
        Of shape (n,), higher is better; NaN and infinities are no score, and below every number.
    position
        Which candidate.

    Notes
    -----
    rank = 1 + |{j != target : s_j >= s_target}|.

    Examples
    --------
    >>> rank_against_ties(np.array([0.5, 0.9, 0.5, np.nan]), 0)
    3.0
    """
    score = scores[position]
    if not math.isfinite(score):
        return math.inf
    return float(np.count_nonzero((scores >= score) & np.isfinite(scores)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Ranking:
    """The candidates of one query, best first.

    Attributes
    ----------
    query
        Identifier of the query.
    structures
        Best first; equal scores in the order of their first blocks, those without a score last.
    scores
        float32, of shape (n_structures,), descending, then NaN.
    """

    query: str
    structures: tuple[Structure, ...]
    scores: NDArray[np.float32]

    @classmethod
    def from_scores(cls, query: str, structures: Sequence[Structure], *, scores: NDArray[np.floating]) -> Self:
        """Return the ranking that scores, aligned with structures, make."""
        scores = known_scores(scores)
        order = sorted(
            range(len(structures)),
            key=lambda i: (math.inf if math.isnan(scores[i]) else -scores[i], structures[i].inchikey_first_block),
        )
        return cls(
            query=query,
            structures=tuple(structures[i] for i in order),
            scores=np.asarray(scores, dtype=np.float32)[order],
        )

    def rank_of(self, first_block: str) -> int | None:
        """Return the 1-based rank of a structure, ties against it; None where it is absent or has no score."""
        for position, structure in enumerate(self.structures):
            if structure.inchikey_first_block == first_block:
                rank = rank_against_ties(self.scores, position)
                return int(rank) if math.isfinite(rank) else None
        return None
