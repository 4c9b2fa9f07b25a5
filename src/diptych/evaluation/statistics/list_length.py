"""The effect of list length told apart: longer lists are harder for any method, so chance stands beside hit rates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import norm

from diptych.evaluation.statistics.against_controls import Against, group_rate
from diptych.evaluation.statistics.metrics import hits

if TYPE_CHECKING:
    from diptych.evaluation.results.query_results import QueryResults

EDGES = (1, 2, 5, 10, 20, 50, 100, 256)
_MAX_STEPS = 50
_CONVERGED = 1e-10


@dataclass(frozen=True, kw_only=True)
class LengthBin:
    """Queries whose lists have from ``shortest`` to ``longest`` candidates.

    Attributes
    ----------
    shortest, longest
        The bin's own ends, both included; None of the last, which has no end.
    n_queries, n_molecules
        In the bin, which may be empty; then every figure is NaN.
    hit_rate, low, high
        With its 95 % interval over molecules; NaN ends of one molecule.
    chance
        Hit rate that random scores have in these very lists; 0 where a list lacks the answer.
    beyond_chance
        (hit rate - chance) / (1 - chance): 0 for chance, 1 for perfection; NaN where chance is 1.
    against
        Controls on the same queries, and the method less each.
    """

    shortest: int
    longest: int | None
    n_queries: int = 0
    n_molecules: int = 0
    hit_rate: float = math.nan
    low: float = math.nan
    high: float = math.nan
    chance: float = math.nan
    beyond_chance: float = math.nan
    against: tuple[Against, ...] = ()

    @property
    def label(self) -> str:
        """Its ends as text: ``1``, ``2 to 4``, ``256 and more``."""
        if self.longest is None:
            return f"{self.shortest} and more"
        return f"{self.shortest}" if self.shortest == self.longest else f"{self.shortest} to {self.longest}"


def by_list_length(
    results: QueryResults,
    *,
    k: int = 1,
    edges: Sequence[int] = EDGES,
    controls: Sequence[str] = (),
    n_bootstrap: int = 2000,
    seed: int = 0,
) -> list[LengthBin]:
    """Return hit rate and chance by bins of list length, the empty among them.

    Parameters
    ----------
    results
        Of one method.
    k
        Of the hit rate.
    edges
        Ascending; a bin reaches from one edge to just below the next, the last has no end. Lists shorter than the first
        edge are a bin of their own, where there are such.
    controls
        Of the table, to stand beside: `strongest_controls`.
    n_bootstrap, seed
        Of the intervals.
    """
    owner = np.searchsorted(np.asarray(edges), results.n_candidates, side="right")
    ends = [(0, edges[0] - 1), *((low, high - 1) for low, high in pairwise(edges)), (edges[-1], None)]
    against = tuple(Against(name=name) for name in controls)
    bins = [LengthBin(shortest=low, longest=high, against=against) for low, high in ends]
    return [
        _filled(empty, results.take(owner == number), k=k, n_bootstrap=n_bootstrap, seed=seed)
        for number, empty in enumerate(bins)
        if number or (owner == 0).any()
    ]


def _filled(empty: LengthBin, results: QueryResults, *, k: int, n_bootstrap: int, seed: int) -> LengthBin:
    if not len(results):
        return empty
    controls = [one.name for one in empty.against]
    found = group_rate(results, controls, k=k, n_bootstrap=n_bootstrap, seed=seed)
    chance = float(results.random_hits(k).mean())
    return replace(
        empty,
        n_queries=len(results),
        n_molecules=results.n_molecules,
        hit_rate=found.hit_rate,
        low=found.low,
        high=found.high,
        chance=chance,
        beyond_chance=math.nan if chance >= 1 else (found.hit_rate - chance) / (1 - chance),
        against=found.against,
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
        Robust to spectra of one molecule being alike (clustered by molecule); NaN of one molecule.
    p_value
        Two-sided, of a slope of 0 (Wald); NaN of one molecule.
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
    # The score over all queries is 0, and of one molecule would make it certain.
    error = float(np.sqrt((inverse @ scores.T @ scores @ inverse)[1, 1])) if len(scores) > 1 else math.nan
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
