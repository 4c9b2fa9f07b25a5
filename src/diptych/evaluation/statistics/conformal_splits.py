"""Coverage of conformal sets over many random splits of the molecules: one split alone says little."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diptych.errors import EvaluationError
from diptych.evaluation.statistics.answer_absent import conformal_threshold

N_SPLITS = 100
_AT_LEAST = 2


@dataclass(frozen=True, kw_only=True)
class ConformalSplits:
    """Conformal sets over random splits: half of the molecules set the threshold, spectra of the others are tested.

    Attributes
    ----------
    coverage, size, empty
        Mean over splits of the fraction of sets that hold their answer, of the candidates in a set, and of the fraction
        of sets that are empty, each by molecule: the mean over molecules of the mean over a molecule's spectra.
    coverage_deviation, size_deviation
        Sample standard deviations over splits; NaN of one split.
    n_calibration_molecules
        Which set the threshold, in every split.
    n_tested
        Mean number of queries that are tested.
    n_splits, n_unbounded
        Splits, and those of them whose threshold is minus infinity: every candidate is taken.
    """

    coverage: float
    coverage_deviation: float
    size: float
    size_deviation: float
    empty: float
    n_calibration_molecules: int
    n_tested: float
    n_splits: int
    n_unbounded: int


def conformal_splits(
    scores_per_query: Sequence[ArrayLike],
    target_positions: Sequence[int],
    molecules: Sequence[str],
    *,
    error_rate: float,
    n_splits: int = N_SPLITS,
    seed: int = 0,
) -> ConformalSplits:
    """Return coverage and size of conformal sets over random splits of the molecules, the same for the same seed.

    In each split half of the molecules (rounded down) are drawn, and one spectrum of each, whose answers' scores set
    the threshold by `conformal_threshold`; all spectra of the other half are tested.

    Parameters
    ----------
    scores_per_query
        For each query the scores of its candidates; NaN where there is none.
    target_positions
        Of the answer within each list.
    molecules
        First block of each query's answer, at least two.
    error_rate
        Of the sets, in (0, 1).
    n_splits, seed
        How many splits are drawn, and by what.

    Raises
    ------
    EvaluationError
        There are fewer than two molecules, or the error rate is none.
    """
    codes = np.unique(np.asarray(molecules, dtype=str), return_inverse=True)[1]
    n_molecules = int(codes.max(initial=-1)) + 1
    if n_molecules < _AT_LEAST:
        raise EvaluationError(f"conformal sets: {n_molecules} molecules; expected at least two, to split them")
    of_answer = np.array([np.asarray(s)[p] for s, p in zip(scores_per_query, target_positions, strict=True)], float)
    drawn = _calibration_queries(codes, n_molecules, n_splits=n_splits, seed=seed)
    thresholds = np.array([conformal_threshold(of_answer[rows], error_rate=error_rate) for rows in drawn])
    is_tested = np.ones((n_splits, codes.size), dtype=bool)
    for split, rows in enumerate(drawn):
        is_tested[split] = ~np.isin(codes, codes[rows])
    sizes = _set_sizes(scores_per_query, thresholds)
    # The threshold is of one spectrum of each molecule, so that it is molecules for which it promises anything.
    weights = is_tested / np.bincount(codes)[codes]
    coverage = _weighted_mean(of_answer >= thresholds[:, None], weights)
    size = _weighted_mean(sizes, weights)
    return ConformalSplits(
        coverage=float(coverage.mean()),
        coverage_deviation=_deviation(coverage),
        size=float(size.mean()),
        size_deviation=_deviation(size),
        empty=float(_weighted_mean(sizes == 0, weights).mean()),
        n_calibration_molecules=n_molecules // 2,
        n_tested=float(is_tested.sum(axis=1).mean()),
        n_splits=n_splits,
        n_unbounded=int(np.isneginf(thresholds).sum()),
    )


def _calibration_queries(
    codes: NDArray[np.int64], n_molecules: int, *, n_splits: int, seed: int
) -> list[NDArray[np.int64]]:
    """Return for every split the queries that set the threshold: one of each of half of the molecules."""
    rng = np.random.default_rng(seed)
    by_molecule = np.argsort(codes, kind="stable")
    counts = np.bincount(codes)
    first = np.cumsum(counts) - counts
    found = []
    for _ in range(n_splits):
        chosen = rng.permutation(n_molecules)[: n_molecules // 2]
        found.append(by_molecule[first[chosen] + rng.integers(counts[chosen])])
    return found


def _set_sizes(scores_per_query: Sequence[ArrayLike], thresholds: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return how many candidates of each query reach each threshold, of shape (n_thresholds, n_queries)."""
    arrays = [np.asarray(scores, dtype=np.float64) for scores in scores_per_query]
    scores = np.concatenate(arrays)
    owner = np.repeat(np.arange(len(arrays)), [array.size for array in arrays])
    known = ~np.isnan(scores)
    order = np.argsort(thresholds, kind="stable")
    n_reached = np.searchsorted(thresholds[order], scores[known], side="right")
    columns = thresholds.size + 1
    reached = np.bincount(owner[known] * columns + n_reached, minlength=len(arrays) * columns)
    # A candidate that reaches j thresholds belongs to the sets of the j lowest.
    at_least = reached.reshape(len(arrays), columns)[:, ::-1].cumsum(axis=1)[:, ::-1][:, 1:]
    sizes = np.empty((thresholds.size, len(arrays)), dtype=np.int64)
    sizes[order] = at_least.T
    return sizes


def _weighted_mean(values: NDArray[np.generic], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weighted mean of every row."""
    return np.asarray((values.astype(np.float64) * weights).sum(axis=1) / weights.sum(axis=1))


def _deviation(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1)) if values.size > 1 else math.nan
