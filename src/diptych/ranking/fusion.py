"""Late fusion of rankers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diptych.ranking.query import Query
    from diptych.ranking.ranking import Ranker

# Equal candidates must stay equal after sums over them, else rounding decides ties.
_DECIMALS = 6


@dataclass(frozen=True)
class FusionRanker:
    """Adds the z-scores that several rankers give within each query, with equal weights."""

    rankers: tuple[Ranker, ...]
    name: str = "fusion"

    def score(self, queries: Sequence[Query]) -> list[NDArray[np.floating]]:
        """Return mean z-scores, one float64 array per query; NaN where no ranker could score the candidate."""
        by_ranker = [ranker.score(queries) for ranker in self.rankers]
        return [fuse(scores) for scores in zip(*by_ranker, strict=True)]


def fuse(scores: Sequence[NDArray[np.floating]]) -> NDArray[np.float64]:
    """Return the mean of z-scores of several rankers over one list; NaN only where every ranker gave NaN.

    Parameters
    ----------
    scores
        One array of shape (n_candidates,) per ranker.
    """
    table = np.stack([np.asarray(row, dtype=np.float64) for row in scores])
    fused: NDArray[np.float64] = np.stack([z_scores(row) for row in table]).mean(axis=0).round(_DECIMALS)
    fused[np.isnan(table).all(axis=0)] = np.nan
    return fused


def z_scores(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return scores with mean 0 and standard deviation 1 over the list; NaN becomes the lowest of them.

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
