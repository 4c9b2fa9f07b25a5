"""The effect of list length told apart: longer lists are harder for any method, so chance stands beside hit rates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import norm

from diptych.evaluation.figures_of_merit import summarised
from diptych.evaluation.metrics import hits

if TYPE_CHECKING:
    from diptych.evaluation.results import QueryResults

EDGES = (1, 2, 5, 10, 20, 50, 100, 256)
_MAX_STEPS = 50
_CONVERGED = 1e-10


@dataclass(frozen=True, kw_only=True)
class LengthBin:
    """Queries whose lists have from ``shortest`` to ``longest`` candidates.

    Attributes
    ----------
    shortest, longest
        Number of candidates, both ends included.
    n_queries, n_molecules
        In the bin.
    hit_rate, low, high
        With its 95 % interval over molecules; NaN ends of one molecule.
    chance
        Hit rate that random scores have in these very lists; 0 where a list lacks the answer.
    beyond_chance
        (hit rate - chance) / (1 - chance): 0 for chance, 1 for perfection; NaN where chance is 1.
    """

    shortest: int
    longest: int
    n_queries: int
    n_molecules: int
    hit_rate: float
    low: float
    high: float
    chance: float
    beyond_chance: float


def by_list_length(
    results: QueryResults, *, k: int = 1, edges: Sequence[int] = EDGES, n_bootstrap: int = 2000, seed: int = 0
) -> list[LengthBin]:
    """Return hit rate and chance by bins of list length; bins without a query are left out.

    Parameters
    ----------
    results
        Of one method.
    k
        Of the hit rate.
    edges
        Ascending; a bin reaches from one edge to just below the next, the last has no end. Lists shorter than the first
        edge are a bin of their own.
    n_bootstrap, seed
        Of the intervals.
    """
    owner = np.searchsorted(np.asarray(edges), results.n_candidates, side="right")
    return [_bin(results.take(owner == number), k=k, n_bootstrap=n_bootstrap, seed=seed) for number in np.unique(owner)]


def _bin(results: QueryResults, *, k: int, n_bootstrap: int, seed: int) -> LengthBin:
    hit = summarised({"hit": hits(k, results.ranks)}, molecules=results.targets, n_bootstrap=n_bootstrap, seed=seed)[
        "hit"
    ]
    chance = float(results.random_hits(k).mean())
    return LengthBin(
        shortest=int(results.n_candidates.min()),
        longest=int(results.n_candidates.max()),
        n_queries=len(results),
        n_molecules=results.n_molecules,
        hit_rate=hit.spectrum,
        low=hit.low,
        high=hit.high,
        chance=chance,
        beyond_chance=math.nan if chance >= 1 else (hit.spectrum - chance) / (1 - chance),
    )


@dataclass(frozen=True, kw_only=True)
class LengthEffect:
    """Logistic regression of hits on the logarithm of list length.

    Attributes
    ----------
    slope
        Change of the log odds of a hit for each doubling of the list; random scores have about -1 times ln 2 at k = 1
        in long lists.
    standard_error
        Robust to spectra of one molecule being alike (clustered by molecule).
    p_value
        Two-sided, of a slope of 0 (Wald).
    at_100
        Fitted hit rate at lists of 100 candidates.
    """

    slope: float
    standard_error: float
    p_value: float
    at_100: float


def length_effect(results: QueryResults, *, k: int = 1) -> LengthEffect | None:
    """Return how the odds of a hit fall with list length; None where all or none are hits, or all lists are as long.

    Notes
    -----
    logit P(hit) = a + b log2(n), by Newton's method; the variance is the sandwich H^-1 (sum_m g_m g_m') H^-1, g_m
    being the score summed over the queries of molecule m (Liang and Zeger 1986, doi:10.1093/biomet/73.1.13).
    """
    asked = results.n_candidates > 0
    hit = hits(k, results.ranks)[asked]
    doublings = np.log2(results.n_candidates[asked])
    if not 0 < hit.sum() < hit.size or np.ptp(doublings) == 0:
        return None
    design = np.column_stack([np.ones(hit.size), doublings])
    coefficients = _newton(design, hit)
    if coefficients is None:
        return None
    fitted = expit(design @ coefficients)
    inverse = np.linalg.inv(design.T @ (design * (fitted * (1 - fitted))[:, None]))
    molecules = np.unique(
        [target for target, kept in zip(results.targets, asked, strict=True) if kept], return_inverse=True
    )[1]
    residual = design * (hit - fitted)[:, None]
    scores = np.stack([np.bincount(molecules, weights=column) for column in residual.T], axis=1)
    error = float(np.sqrt((inverse @ scores.T @ scores @ inverse)[1, 1]))
    slope = float(coefficients[1])
    return LengthEffect(
        slope=slope,
        standard_error=error,
        p_value=float(2 * norm.sf(abs(slope) / error)) if error > 0 else math.nan,
        at_100=float(expit(coefficients[0] + slope * math.log2(100))),
    )


def _newton(design: NDArray[np.float64], hit: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return the coefficients of the greatest likelihood; None where hits are separated and there is none."""
    coefficients = np.zeros(design.shape[1])
    for _ in range(_MAX_STEPS):
        fitted = expit(design @ coefficients)
        hessian = design.T @ (design * (fitted * (1 - fitted))[:, None])
        if np.linalg.cond(hessian) > 1e12:
            return None
        step = np.linalg.solve(hessian, design.T @ (hit - fitted))
        coefficients = coefficients + step
        if np.abs(step).max() < _CONVERGED:
            return np.asarray(coefficients)
    return None
