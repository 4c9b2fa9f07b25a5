"""What candidates without a score are worth: they stand below all others, so leaving them out is never punished."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def unscored_line(ranks: NDArray[np.float64], scores: Sequence[NDArray[np.floating]]) -> str:
    """Return how many candidates have no score, and the hit rate at 1 if they stood first; empty where all have one.

    Parameters
    ----------
    ranks
        Of shape (n_queries,), the unscored below every number; infinity is a miss.
    scores
        Of the candidates of each query; NaN where there is none.

    Examples
    --------
    >>> unscored_line(np.array([1.0, 1.0]), [np.array([0.5, np.nan, np.nan]), np.array([0.5, 0.2])])
    '2 of 5 candidates have no score and stand below the others: hit rate@1 100.0 %, or 50.0 % if they stood above'
    """
    without = np.array([np.isnan(found).sum() for found in scores])
    if not without.any():
        return ""
    n_candidates = sum(len(found) for found in scores)
    rate, least = (100 * float(np.mean(hit)) for hit in (ranks <= 1, ranks + without <= 1))
    return (
        f"{int(without.sum()):,} of {n_candidates:,} candidates have no score and stand below the others: hit rate@1 "
        f"{rate:.1f} %, or {least:.1f} % if they stood above"
    )
