"""How well a score tells right pairs of spectrum and structure from wrong ones: ROC and precision-recall."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diptych.errors import EvaluationError


@dataclass(frozen=True, kw_only=True, eq=False)
class PairCurve:
    """What every threshold of the score lets through, from the highest score downwards.

    Attributes
    ----------
    threshold
        float64, of shape (n_levels,), descending: the distinct scores.
    n_right, n_wrong
        int64, of shape (n_levels,): right and wrong pairs whose score is at least the threshold.
    n_unscored
        Pairs without a score (NaN), which no threshold lets through; they count in ``n_all_right`` and ``n_all_wrong``.
    n_all_right, n_all_wrong
        Pairs in all.
    """

    threshold: NDArray[np.float64]
    n_right: NDArray[np.int64]
    n_wrong: NDArray[np.int64]
    n_unscored: int
    n_all_right: int
    n_all_wrong: int

    @property
    def true_positive_rate(self) -> NDArray[np.float64]:
        """Recall: fraction of the right pairs let through, of shape (n_levels,)."""
        return self.n_right / self.n_all_right

    @property
    def false_positive_rate(self) -> NDArray[np.float64]:
        """Fraction of the wrong pairs let through, of shape (n_levels,)."""
        return self.n_wrong / self.n_all_wrong

    @property
    def precision(self) -> NDArray[np.float64]:
        """Fraction of those let through that is right, of shape (n_levels,)."""
        return self.n_right / (self.n_right + self.n_wrong)

    @property
    def auroc(self) -> float:
        """Area under the ROC curve; ties count half, pairs without a score stand last, all tied.

        Notes
        -----
        The trapezoids under (false positive rate, true positive rate), from (0, 0) to (1, 1): the probability that a
        right pair scores above a wrong one (doi:10.1148/radiology.143.1.7063747).
        """
        x = np.concatenate([[0.0], self.false_positive_rate, [1.0]])
        y = np.concatenate([[0.0], self.true_positive_rate, [1.0]])
        return float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2))

    @property
    def average_precision(self) -> float:
        """Area under the precision-recall curve in steps; right pairs without a score add nothing.

        Notes
        -----
        AP = sum_n (R_n - R_(n-1)) P_n over the distinct scores, descending; no interpolation, which would flatter.
        """
        return float(np.sum(np.diff(self.true_positive_rate, prepend=0.0) * self.precision))

    @property
    def prevalence(self) -> float:
        """Fraction of the pairs that is right: the average precision of scores by chance."""
        return self.n_all_right / (self.n_all_right + self.n_all_wrong)


def pair_curve(scores: ArrayLike, right: ArrayLike) -> PairCurve:
    """Return how many right and wrong pairs each threshold of the score lets through.

    Parameters
    ----------
    scores
        Of shape (n_pairs,), higher is better; NaN for none.
    right
        bool, of shape (n_pairs,): whether the structure is the spectrum's.

    Raises
    ------
    EvaluationError
        The two are of different length, or all pairs are right, or all wrong.

    Examples
    --------
    >>> curve = pair_curve([0.9, 0.8, 0.4, 0.1], [True, False, True, False])
    >>> curve.auroc, round(curve.average_precision, 4)
    (0.75, 0.8333)
    """
    values, is_right = np.asarray(scores, dtype=np.float64), np.asarray(right, dtype=bool)
    n_right = int(is_right.sum())
    if values.shape != is_right.shape or n_right in {0, is_right.size}:
        raise EvaluationError(
            f"pair scores: {values.size} scores and {is_right.size} pairs, {n_right} of them right; expected one score "
            "for each pair, and right pairs as well as wrong ones"
        )
    known = ~np.isnan(values)
    order = np.argsort(-values[known], kind="stable")
    ordered, hits = values[known][order], is_right[known][order]
    # Compared and not subtracted, as infinities of one sign have no difference.
    last_of_level = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)[: ordered.size])
    let_through = np.cumsum(hits)[last_of_level]
    return PairCurve(
        threshold=ordered[last_of_level],
        n_right=let_through,
        n_wrong=last_of_level + 1 - let_through,
        n_unscored=int(np.count_nonzero(~known)),
        n_all_right=n_right,
        n_all_wrong=int(is_right.size) - n_right,
    )


def within_query_auroc(ranks: ArrayLike, n_candidates: ArrayLike) -> float:
    """Return the mean over queries of the fraction of other candidates that the answer stands above; NaN of none.

    Queries of a single candidate have no other and are left out; ties count against the answer, a miss is 0.

    Examples
    --------
    >>> within_query_auroc([1, 3, float("inf"), 1], [5, 5, 5, 1])
    0.5
    """
    found, lengths = np.asarray(ranks, dtype=np.float64), np.asarray(n_candidates, dtype=np.float64)
    asked = lengths > 1
    if not asked.any():
        return math.nan
    above = np.where(np.isfinite(found), lengths - found, 0.0)[asked] / (lengths[asked] - 1)
    return float(above.mean())
