"""Whether one method is better than another on the same queries."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diptych.errors import EvaluationError
from diptych.evaluation.evaluation import Evaluation
from diptych.evaluation.statistics.bootstrap import resample
from diptych.evaluation.statistics.metrics import gains, hits, sum_by_molecule


@dataclass(frozen=True, kw_only=True)
class McNemar:
    """Exact McNemar test of two methods' hits.

    Attributes
    ----------
    only_first, only_second
        Queries that only the one or only the other answered within k.
    p_value
        Two-sided.
    """

    only_first: int
    only_second: int
    p_value: float


@dataclass(frozen=True, kw_only=True)
class Difference:
    """First minus second, with a 95 % interval by paired bootstrap over molecules; beyond it if 0 lies outside."""

    value: float
    low: float
    high: float

    @property
    def beyond_the_interval(self) -> bool:
        """Whether the interval leaves out 0."""
        return not self.low <= 0 <= self.high


def mcnemar(first: Evaluation, second: Evaluation, *, k: int = 1) -> McNemar:
    """Return the exact McNemar test of hits at k; queries are matched by identifier.

    Raises
    ------
    EvaluationError
        The two evaluations are not of the same queries.

    Notes
    -----
    p = min(1, 2 P(X <= min(b, c))), X ~ Binomial(b + c, 1/2); McNemar, Psychometrika 12 (1947) 153,
    doi:10.1007/BF02295996. It takes spectra for independent; several spectra of one molecule are not, so
    the paired bootstrap is the stricter judge.
    """
    hit_first, hit_second = (hits(k, ranks).astype(bool) for ranks in _paired_ranks(first, second))
    only_first = int(np.count_nonzero(hit_first & ~hit_second))
    only_second = int(np.count_nonzero(~hit_first & hit_second))
    return McNemar(only_first=only_first, only_second=only_second, p_value=_binomial_p_value(only_first, only_second))


def _binomial_p_value(successes: int, failures: int) -> float:
    n = successes + failures
    logs = [
        math.lgamma(n + 1) - math.lgamma(x + 1) - math.lgamma(n - x + 1) - n * math.log(2)
        for x in range(min(successes, failures) + 1)
    ]
    return min(1.0, 2 * math.fsum(math.exp(log) for log in logs))


def paired_difference(
    first: Evaluation, second: Evaluation, *, metric: str = "hit_rate@1", n_bootstrap: int = 2000, seed: int = 0
) -> Difference:
    """Return the difference of a metric by spectrum, both methods resampled on the same molecules.

    Raises
    ------
    EvaluationError
        The two evaluations are not of the same queries, are of one molecule, or there is no such metric.
    """
    ranks = _paired_ranks(first, second)
    values = [gains(rank, first.ks) for rank in ranks]
    if metric not in values[0]:
        raise EvaluationError(f"no metric {metric!r}; expected one of {', '.join(values[0])}")
    table = sum_by_molecule([values[0][metric] - values[1][metric]], first.targets)
    if table.sizes.size < 2:
        raise EvaluationError("all queries are of one molecule; an interval over molecules needs at least two")
    resampled = resample(table, n_bootstrap=n_bootstrap, seed=seed).by_spectrum[:, 0]
    low, high = np.quantile(resampled, (0.025, 0.975))
    return Difference(value=float(table.by_spectrum[0]), low=float(low), high=float(high))


def _paired_ranks(first: Evaluation, second: Evaluation) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    row = {identifier: i for i, identifier in enumerate(second.queries)}
    shared = [row[identifier] for identifier in first.queries if identifier in row]
    if len(shared) != len(first.queries) or len(shared) != len(second.queries):
        raise EvaluationError(
            f"{first.model!r} was asked {len(first.queries)} queries and {second.model!r} {len(second.queries)}, "
            f"{len(shared)} of them the same; expected the same queries"
        )
    return first.answers.ranks, second.answers.ranks[shared]
