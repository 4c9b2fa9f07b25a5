"""Whether scores say that the answer is not in the list, and how far probabilities can be trusted.

Pure functions on saved scores; each query is one array of scores of its candidates, NaN where there is none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from diptych.errors import EvaluationError


@dataclass(frozen=True, kw_only=True, eq=False)
class TopScores:
    """The best score of each query with its answer in the list, and with the answer taken out.

    Attributes
    ----------
    present, absent
        float64, of shape (n_asked,), of the same queries.
    n_left_out
        Queries that were not asked: the list lacks its answer, or nothing in it is scored with it or without it.
    """

    present: NDArray[np.float64]
    absent: NDArray[np.float64]
    n_left_out: int


def take_out_answers(scores_per_query: Sequence[ArrayLike], target_positions: Sequence[int | None]) -> TopScores:
    """Return the best score of every query with and without its answer.

    Parameters
    ----------
    scores_per_query
        For each query the scores of its candidates, of shape (n_candidates,); NaN where there is none.
    target_positions
        For each query the position of its answer; None where the list lacks it.

    Raises
    ------
    EvaluationError
        There is not one position for each query, or one lies outside its list.
    """
    queries = _queries(scores_per_query, target_positions)
    pairs = [
        (_best(scores), _best(np.delete(scores, position))) for scores, position in queries if position is not None
    ]
    both = [(present, absent) for present, absent in pairs if not math.isnan(present) and not math.isnan(absent)]
    table = np.array(both, dtype=np.float64).reshape(-1, 2)
    return TopScores(present=table[:, 0], absent=table[:, 1], n_left_out=len(queries) - len(both))


def auroc(positive: ArrayLike, negative: ArrayLike) -> float:
    """Return the probability that a positive scores above a negative, a tie counting half; NaN where one is empty.

    Notes
    -----
    The area under the ROC curve is U / (n_positive n_negative), U being Mann and Whitney's statistic
    (doi:10.1148/radiology.143.1.7063747).

    Examples
    --------
    >>> auroc([0.9, 0.4], [0.4, 0.1])
    0.875
    """
    first, second = (np.asarray(values, dtype=np.float64) for values in (positive, negative))
    if not first.size or not second.size:
        return math.nan
    ranks = rankdata(np.concatenate([first, second]))[: first.size]
    return float((ranks.sum() - first.size * (first.size + 1) / 2) / (first.size * second.size))


@dataclass(frozen=True, kw_only=True, eq=False)
class RiskCoverage:
    """What is wrong among the answers that are given, if only the surest are given.

    Attributes
    ----------
    coverage
        float64, of shape (n_levels,), ascending to 1: fraction of the queries answered, at every distinct confidence.
    risk
        float64, of the same shape: fraction of those that are wrong.
    """

    coverage: NDArray[np.float64]
    risk: NDArray[np.float64]

    @property
    def area(self) -> float:
        """Mean risk over coverage, each level weighed by the coverage it adds: 0 is best."""
        return float(np.sum(self.risk * np.diff(self.coverage, prepend=0.0)))


def risk_coverage(confidence: ArrayLike, correct: ArrayLike) -> RiskCoverage:
    """Return the risk at each coverage; queries of one confidence are answered together, so order decides nothing.

    Parameters
    ----------
    confidence
        Of shape (n_queries,); the higher the surer. Infinities of one sign are equally sure.
    correct
        Of the same shape: whether the first answer is right.

    Raises
    ------
    EvaluationError
        The two are of different length, empty, or a confidence is NaN.

    Notes
    -----
    Geifman and El-Yaniv 2017 (arXiv 1705.08500), section 2.

    Examples
    --------
    >>> curve = risk_coverage([0.9, 0.9, 0.5, 0.1], [1, 0, 1, 0])
    >>> curve.coverage.tolist(), curve.risk.round(3).tolist()
    ([0.5, 0.75, 1.0], [0.5, 0.333, 0.5])
    """
    sure, right = _paired(confidence, correct)
    order = np.argsort(-sure, kind="stable")
    # Compared and not subtracted, as infinities of one sign have no difference.
    last_of_level = np.flatnonzero(np.append(sure[order][1:] != sure[order][:-1], True))
    n_answered = last_of_level + 1.0
    n_wrong = np.cumsum(1 - right[order])[last_of_level]
    return RiskCoverage(coverage=n_answered / sure.size, risk=n_wrong / n_answered)


def expected_calibration_error(probability: ArrayLike, correct: ArrayLike, *, n_bins: int = 15) -> float:
    """Return the mean distance of stated probability and fraction right, in [0, 1], bins weighed by their queries.

    Parameters
    ----------
    probability
        Of shape (n_queries,), in [0, 1]: of the first answer.
    correct
        Of the same shape: whether it is right.
    n_bins
        Bins of equal width over [0, 1]; a probability on a border belongs to the bin above, 1 to the last.

    Raises
    ------
    EvaluationError
        The two are of different length, empty, a probability lies outside [0, 1], or there is no bin.

    Notes
    -----
    sum_b n_b / n |mean correct_b - mean probability_b|, Guo et al. 2017 (arXiv 1706.04599), equation 3.

    Examples
    --------
    >>> round(expected_calibration_error([0.9, 0.9, 0.6, 0.6], [1, 1, 1, 0]), 3)
    0.1
    """
    stated, right = _paired(probability, correct)
    if stated.min() < 0 or stated.max() > 1 or n_bins < 1:
        raise EvaluationError(
            f"calibration error: probabilities from {stated.min():g} to {stated.max():g} in {n_bins} bins; expected "
            "probabilities in [0, 1] and at least one bin"
        )
    bins = np.minimum((stated * n_bins).astype(np.int64), n_bins - 1)
    gaps = np.bincount(bins, weights=right - stated)
    return float(np.abs(gaps).sum() / stated.size)


@dataclass(frozen=True, kw_only=True)
class ConformalSets:
    """How often sets of candidates hold the answer, and how long they are.

    Attributes
    ----------
    threshold
        A candidate belongs to the set where its score is at least this; minus infinity takes every candidate.
    coverage
        Fraction of the tested queries whose set holds their answer; a query whose list lacks it, or whose answer is not
        scored, is not covered.
    mean_size
        Mean number of candidates in a set.
    n_empty
        Queries whose set is empty: none of the candidates is likely enough, as where the answer is absent.
    """

    threshold: float
    coverage: float
    mean_size: float
    n_empty: int


def conformal_threshold(target_scores: ArrayLike, *, error_rate: float) -> float:
    """Return the score that answers of exchangeable queries reach with probability 1 - ``error_rate`` at least.

    Parameters
    ----------
    target_scores
        Of shape (n,): scores (or probabilities) of the right answers of queries kept for this, of other molecules than
        the tested ones, one per molecule, or spectra of one molecule count as if they were independent. NaN is below
        every number.
    error_rate
        In (0, 1).

    Raises
    ------
    EvaluationError
        There is no score, or the error rate is none.

    Notes
    -----
    Split conformal prediction (Vovk et al. 2005, doi:10.1007/b106715): the k-th smallest score, k = floor((n + 1)
    error_rate); with fewer than 1 / error_rate - 1 scores k is 0, and every candidate is taken.

    Examples
    --------
    >>> conformal_threshold([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9], error_rate=0.2)
    0.2
    """
    scores = np.asarray(target_scores, dtype=np.float64)
    if not scores.size or not 0 < error_rate < 1:
        raise EvaluationError(
            f"conformal sets: {scores.size} scores and error rate {error_rate!r}; expected at least one score and a "
            "rate between 0 and 1"
        )
    # 100 x 0.29 is a little below 29 in binary.
    k = math.floor(round((scores.size + 1) * error_rate, 9))
    if k < 1:
        return -math.inf
    return float(np.sort(np.where(np.isnan(scores), -np.inf, scores))[k - 1])


def conformal_sets(
    scores_per_query: Sequence[ArrayLike], target_positions: Sequence[int | None], *, threshold: float
) -> ConformalSets:
    """Return coverage and size of the sets of candidates that reach a threshold.

    Raises
    ------
    EvaluationError
        There is no query, not one position for each, or one lies outside its list.
    """
    queries = _queries(scores_per_query, target_positions)
    if not queries:
        raise EvaluationError("conformal sets: there is no query to test; expected at least one")
    sizes = [int(np.count_nonzero(scores >= threshold)) for scores, _ in queries]
    covered = [position is not None and bool(scores[position] >= threshold) for scores, position in queries]
    return ConformalSets(
        threshold=threshold,
        coverage=float(np.mean(covered)),
        mean_size=float(np.mean(sizes)),
        n_empty=sizes.count(0),
    )


def _queries(
    scores_per_query: Sequence[ArrayLike], target_positions: Sequence[int | None]
) -> list[tuple[NDArray[np.float64], int | None]]:
    if len(scores_per_query) != len(target_positions):
        raise EvaluationError(
            f"{len(scores_per_query)} arrays of scores and {len(target_positions)} positions; expected one for each"
        )
    arrays = [np.asarray(scores, dtype=np.float64) for scores in scores_per_query]
    queries = list(zip(arrays, target_positions, strict=True))
    for number, (scores, position) in enumerate(queries):
        if position is not None and not 0 <= position < scores.size:
            raise EvaluationError(
                f"query {number}: the answer is at position {position} of {scores.size} candidates; expected a "
                "position among them, or None"
            )
    return queries


def _best(scores: NDArray[np.float64]) -> float:
    known = scores[~np.isnan(scores)]
    return float(known.max()) if known.size else math.nan


def _paired(values: ArrayLike, correct: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    first, right = np.asarray(values, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    if first.shape != right.shape or not first.size or np.isnan(first).any():
        raise EvaluationError(
            f"confidence: values of shape {first.shape} ({int(np.sum(np.isnan(first)))} of them NaN) beside answers of "
            f"shape {right.shape}; expected as many numbers as answers, at least one"
        )
    return first, right
