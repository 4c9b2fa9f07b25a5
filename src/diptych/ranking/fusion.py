"""Late fusion of rankers, and of measures of likeness between spectra."""

from __future__ import annotations

from dataclasses import dataclass
from operator import is_not
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diptych.errors import ConfigError
from diptych.ranking.ranking import known_scores

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from diptych.ranking.query import Query
    from diptych.ranking.ranking import Ranker
    from diptych.ranking.spectrum_scorers import SpectrumScorer
    from diptych.spectra.spectrum import Spectrum

# Equal candidates must stay equal after sums over them, else rounding decides ties.
_DECIMALS = 6
_RANK_DECIMALS = 9  # two reciprocal ranks differ by as little as 1e-6 far down a list


class RememberedRanker:
    """A ranker that is asked once, however often the same queries are put to it in a row.

    Parameters
    ----------
    inner
        Who answers.
    """

    def __init__(self, inner: Ranker) -> None:
        self.inner = inner
        self._asked: Sequence[Query] | None = None
        self._scores: list[NDArray[np.floating]] = []

    @property
    def name(self) -> str:
        """That of the inner ranker."""
        return self.inner.name

    def score(self, queries: Sequence[Query]) -> list[NDArray[np.floating]]:
        """Return the scores of the inner ranker; those of the last queries are kept."""
        if self._asked is None or len(queries) != len(self._asked) or any(map(is_not, queries, self._asked)):
            self._scores, self._asked = self.inner.score(queries), list(queries)
        return self._scores


@dataclass(frozen=True)
class FusionRanker:
    """Adds the z-scores that several rankers give within each query, with equal weights."""

    rankers: tuple[Ranker, ...]
    name: str = "fusion"

    def score(self, queries: Sequence[Query]) -> list[NDArray[np.floating]]:
        """Return mean z-scores, one float64 array per query; NaN where no ranker could score the candidate."""
        by_ranker = [ranker.score(queries) for ranker in self.rankers]
        return [fuse(scores) for scores in zip(*by_ranker, strict=True)]


@dataclass(frozen=True, kw_only=True)
class RankFusionRanker:
    """Adds reciprocal ranks that several rankers give within each query; scores of any scale can be fused.

    Attributes
    ----------
    rankers
        Whose ranks are fused.
    offset
        k of the equation: the larger, the less the first ranks stand out.

    Notes
    -----
    s(c) = sum_i 1 / (k + r_i(c)), with k = 60 as in Cormack et al. 2009, doi:10.1145/1571941.1572114. Tied candidates
    share the worst of their ranks; one that a ranker cannot score gets nothing from it.
    """

    rankers: tuple[Ranker, ...]
    offset: float = 60.0
    name: str = "rank_fusion"

    def score(self, queries: Sequence[Query]) -> list[NDArray[np.floating]]:
        """Return fused reciprocal ranks, one float64 array per query; NaN where no ranker could score the candidate."""
        by_ranker = [ranker.score(queries) for ranker in self.rankers]
        return [fuse_ranks(scores, offset=self.offset) for scores in zip(*by_ranker, strict=True)]


@dataclass(frozen=True, kw_only=True)
class SumScorer:
    """Scores two spectra by the weighted sum of several scores; for scores of like scale.

    Attributes
    ----------
    scorers
        Whose scores are added.
    weights
        One for each; empty for 1 each.
    """

    scorers: tuple[SpectrumScorer, ...]
    weights: tuple[float, ...] = ()
    name: str = "sum"

    def __post_init__(self) -> None:
        if not self.scorers or (self.weights and len(self.weights) != len(self.scorers)):
            raise ConfigError(
                f"sum of {len(self.scorers)} scores with {len(self.weights)} weights; expected at least one score and "
                "a weight for each, or no weights"
            )

    def scores(self, queries: Sequence[Spectrum], references: Sequence[Spectrum]) -> Iterator[NDArray[np.floating]]:
        """Yield sums, float64, one query at a time; NaN where any of the scores is."""
        weights = self.weights or (1.0,) * len(self.scorers)
        by_scorer = [(row for block in scorer.scores(queries, references) for row in block) for scorer in self.scorers]
        for rows in zip(*by_scorer, strict=True):
            total = sum(weight * row.astype(np.float64) for weight, row in zip(weights, rows, strict=True))
            yield np.round(total, _DECIMALS)[None]


def fuse_ranks(scores: Sequence[NDArray[np.floating]], *, offset: float = 60.0) -> NDArray[np.float64]:
    """Return the sum of reciprocal ranks of several rankers over one list; NaN only where every ranker gave no number.

    Examples
    --------
    >>> fuse_ranks([np.array([0.9, 0.1]), np.array([5.0, 5.0])], offset=0)
    array([1.5, 1. ])
    """
    table = known_scores(np.stack([np.asarray(row, dtype=np.float64) for row in scores]))
    unknown = np.isnan(table)
    ranks = np.stack([ranks_against_ties(row) for row in table])
    fused: NDArray[np.float64] = np.where(unknown, 0.0, 1.0 / (offset + ranks)).sum(axis=0).round(_RANK_DECIMALS)
    fused[unknown.all(axis=0)] = np.nan
    return fused


def ranks_against_ties(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the 1-based rank of every candidate, ties sharing the worst; infinity where there is no finite score.

    Examples
    --------
    >>> ranks_against_ties(np.array([0.5, 0.9, 0.5, np.nan]))
    array([ 3.,  1.,  3., inf])
    """
    is_known = np.isfinite(scores)
    known = np.sort(scores[is_known])
    ranks = known.size - np.searchsorted(known, scores, side="left").astype(np.float64)
    return np.where(is_known, ranks, np.inf)


def fuse(scores: Sequence[NDArray[np.floating]]) -> NDArray[np.float64]:
    """Return the mean of z-scores of several rankers over one list; NaN only where every ranker gave no number.

    Parameters
    ----------
    scores
        One array of shape (n_candidates,) per ranker.
    """
    table = known_scores(np.stack([np.asarray(row, dtype=np.float64) for row in scores]))
    fused: NDArray[np.float64] = np.stack([z_scores(row) for row in table]).mean(axis=0).round(_DECIMALS)
    fused[np.isnan(table).all(axis=0)] = np.nan
    return fused


def z_scores(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return scores with mean 0 and standard deviation 1 over the list; what is no finite number becomes the lowest.

    Examples
    --------
    >>> z_scores(np.array([1.0, 3.0, np.nan]))
    array([-1.,  1., -1.])
    """
    known = np.isfinite(scores)
    result = np.zeros(scores.shape, dtype=np.float64)
    if not known.any():
        return result
    spread = float(np.std(scores[known]))
    if spread > 0:
        result[known] = (scores[known] - np.mean(scores[known])) / spread
    result[~known] = result[known].min()
    return result
