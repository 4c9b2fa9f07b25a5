"""Several methods against one on the same queries: differences, tests, and what several tests at once cost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest

from diptych.errors import EvaluationError
from diptych.evaluation.statistics.bootstrap import resample
from diptych.evaluation.statistics.metrics import hits, sum_by_molecule

if TYPE_CHECKING:
    from diptych.evaluation.results.query_results import QueryResults

_LEVELS = (0.001, 0.01, 0.05)
_ROUNDING = 1e-9
_SMALLEST = 1e-300


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One method less another, of one metric by spectrum on the same queries.

    Attributes
    ----------
    first, second
        The methods.
    metric
        ``hit_rate@k``.
    n_queries, n_molecules
        What both were asked.
    difference, low, high
        First minus second, with the 95 % interval of the paired bootstrap over molecules; NaN ends of one molecule.
    only_first, only_second
        Queries that only the one or only the other answered within k.
    p_bootstrap
        Two-sided, by the paired bootstrap over molecules.
    p_mcnemar
        Two-sided exact McNemar test, which takes spectra for independent.
    p_adjusted, p_mcnemar_adjusted
        Holm's adjustment of ``p_bootstrap`` and of ``p_mcnemar``, each over all comparisons of the table.
    n_bootstrap
        Resamples of which ``p_bootstrap`` was counted.
    p_floor
        What ``p_adjusted`` cannot be below, of so many resamples and comparisons.
    """

    first: str
    second: str
    metric: str
    n_queries: int
    n_molecules: int
    difference: float
    low: float
    high: float
    only_first: int
    only_second: int
    p_bootstrap: float
    p_mcnemar: float
    p_adjusted: float
    p_mcnemar_adjusted: float
    n_bootstrap: int
    p_floor: float

    @property
    def is_significant(self) -> bool:
        """Whether the adjusted p-value is below 0.05."""
        return self.p_adjusted < 0.05

    @property
    def mark(self) -> str:
        """``***``, ``**``, ``*`` for an adjusted p below 0.001, 0.01, 0.05; empty above."""
        return mark_of(self.p_adjusted)


def mark_of(p_adjusted: float) -> str:
    """Return ``***``, ``**``, ``*`` for an adjusted p below 0.001, 0.01, 0.05; empty above, and of NaN."""
    return "*" * sum(p_adjusted < level for level in _LEVELS)


def p_floor(n_bootstrap: int, *, n_comparisons: int = 1) -> float:
    """Return what a p-value of the paired bootstrap, adjusted over so many comparisons, cannot be below; at most 1."""
    return min(1.0, 2 * n_comparisons / (1 + n_bootstrap))


def shown_p(p_adjusted: float, *, floor: float = 0.0) -> str:
    """Return an adjusted p as text; at its floor it is only known to be no greater, and NaN is a dash.

    Examples
    --------
    >>> shown_p(0.0018, floor=0.0018), shown_p(0.02, floor=0.0018), shown_p(0.0)
    ('≤ 0.0018', '0.02', '< 1e-300')
    """
    if math.isnan(p_adjusted):
        return "–"
    if p_adjusted < _SMALLEST:
        return f"< {_SMALLEST:g}"
    return f"{'≤ ' * (p_adjusted <= floor * (1 + _ROUNDING))}{p_adjusted:.2g}"


def p_legend(n_bootstrap: int, *, n_comparisons: int) -> str:
    """Return a sentence on what the marks mean, and on what p so many resamples can show at the least."""
    floor = p_floor(n_bootstrap, n_comparisons=n_comparisons)
    marks = [f"{'*' * (i + 1)} < {level:g}" for i, level in enumerate(reversed(_LEVELS)) if floor < level]
    return (
        f"Of {n_bootstrap:,} resamples and {n_comparisons:,} comparison{'s' * (n_comparisons != 1)} no adjusted p of "
        f"the bootstrap can be below {floor:.2g}: one that stands there is given as ≤ {floor:.2g}. "
        + (f"By the bootstrap {', '.join(marks)}." if marks else "No mark can be reached.")
    )


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Return p-values adjusted for several tests, float64 of the same shape, in [0, 1]; NaN is no test.

    Notes
    -----
    With p ascending, p'_i = max_(j <= i) min(1, (m - j + 1) p_j); Holm, Scand. J. Stat. 6 (1979) 65,
    https://www.jstor.org/stable/4615733. It holds whatever the dependence between the tests.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    factors = known.size - np.arange(known.size)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1.0)
    return adjusted


def compare(
    methods: Mapping[str, QueryResults], *, against: str, k: int = 1, n_bootstrap: int = 10_000, seed: int = 0
) -> list[Comparison]:
    """Return every other method less one of them, with p-values adjusted over all these comparisons.

    Parameters
    ----------
    methods
        Name -> its results; only queries that both methods of a pair were asked are compared.
    against
        The method that is subtracted.
    k
        Of the hit rate.
    n_bootstrap, seed
        Of the paired bootstrap.

    Raises
    ------
    EvaluationError
        There is no such method, two methods share no query, or they were asked one among lists of other lengths.
    """
    if against not in methods:
        raise EvaluationError(f"no method {against!r} to compare with; expected one of {', '.join(methods)}")
    found = [
        _compared(name, against, (results, methods[against]), k=k, n_bootstrap=n_bootstrap, seed=seed)
        for name, results in methods.items()
        if name != against
    ]
    return adjusted(found)


def adjusted(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Return the comparisons with both p-values adjusted by Holm's method, each kind over all of them."""
    bootstrap = holm([comparison.p_bootstrap for comparison in comparisons])
    mcnemar = holm([comparison.p_mcnemar for comparison in comparisons])
    n_tests = int(np.count_nonzero(~np.isnan(bootstrap)))
    return [
        replace(
            one,
            p_adjusted=float(first),
            p_mcnemar_adjusted=float(second),
            p_floor=p_floor(one.n_bootstrap, n_comparisons=n_tests),
        )
        for one, first, second in zip(comparisons, bootstrap, mcnemar, strict=True)
    ]


def _compared(
    first: str, second: str, pair: tuple[QueryResults, QueryResults], *, k: int, n_bootstrap: int, seed: int
) -> Comparison:
    rows = {query: row for row, query in enumerate(pair[1].queries)}
    shared = [(row, rows[query]) for row, query in enumerate(pair[0].queries) if query in rows]
    if not shared:
        raise EvaluationError(f"{first!r} and {second!r} were asked no query in common; expected the same queries")
    left, right = _asked_alike(first, second, pair, np.array(shared).T)
    hit_first, hit_second = hits(k, pair[0].ranks[left]), hits(k, pair[1].ranks[right])
    molecules = [pair[0].targets[row] for row in left]
    only_first = int(np.count_nonzero(hit_first > hit_second))
    only_second = int(np.count_nonzero(hit_first < hit_second))
    low, high, p_value = paired_bootstrap(hit_first - hit_second, molecules, n_bootstrap=n_bootstrap, seed=seed)
    discordant = only_first + only_second
    p_mcnemar = float(binomtest(only_first, discordant).pvalue) if discordant else 1.0
    return Comparison(
        first=first,
        second=second,
        metric=f"hit_rate@{k}",
        n_queries=left.size,
        n_molecules=len(set(molecules)),
        difference=float(np.mean(hit_first - hit_second)),
        low=low,
        high=high,
        only_first=only_first,
        only_second=only_second,
        p_bootstrap=p_value,
        p_mcnemar=p_mcnemar,
        p_adjusted=p_value,
        p_mcnemar_adjusted=p_mcnemar,
        n_bootstrap=n_bootstrap,
        p_floor=p_floor(n_bootstrap),
    )


def _asked_alike(
    first: str, second: str, pair: tuple[QueryResults, QueryResults], shared: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the rows of queries that both were asked for the same answer among as many candidates, one at least."""
    asked = [
        [(results.targets[row], int(results.n_candidates[row])) for row in rows]
        for results, rows in zip(pair, shared, strict=True)
    ]
    is_alike = np.array([one == other for one, other in zip(*asked, strict=True)])
    if not is_alike.any():
        said = [f"{target} among {n_candidates}" for target, n_candidates in (asked[0][0], asked[1][0])]
        raise EvaluationError(
            f"query {pair[0].queries[shared[0][0]]!r} asks for {said[0]} candidates with {first!r} and for {said[1]} "
            f"with {second!r}, and no other query is asked alike; expected results on the same lists"
        )
    return shared[:, is_alike]


def paired_bootstrap(
    differences: NDArray[np.float64], molecules: Sequence[str], *, n_bootstrap: int = 10_000, seed: int = 0
) -> tuple[float, float, float]:
    """Return low and high end of the 95 % interval of a mean difference over molecules, and its two-sided p-value.

    Of one molecule, or of no resample, all three are NaN.

    Notes
    -----
    p = min(1, 2 (1 + min(#{d* <= 0}, #{d* >= 0})) / (1 + B)) over B resampled mean differences d* (Davison and Hinkley
    1997, doi:10.1017/CBO9780511802843, eq. 4.11); it cannot be below 2 / (1 + B), nor below 2^(1 - m) of m molecules
    whose spectra do not balance each other, which is the least p of a test of their signs: so few say no more.
    """
    table = sum_by_molecule([differences], molecules)
    if table.sizes.size < 2 or n_bootstrap < 1:
        return float("nan"), float("nan"), float("nan")
    resampled = resample(table, n_bootstrap=n_bootstrap, seed=seed).by_spectrum[:, 0]
    low, high = np.quantile(resampled, (0.025, 0.975))
    # Sums of equal differences may miss 0 by their last bit.
    extreme = min(np.count_nonzero(resampled <= 1e-12), np.count_nonzero(resampled >= -1e-12))
    n_differing = int(np.count_nonzero(np.abs(table.sums[:, 0]) > 1e-12))
    p = max(2 * (1 + int(extreme)) / (1 + n_bootstrap), 2.0 ** (1 - n_differing))
    return float(low), float(high), min(1.0, p)
