"""Confidence intervals by resampling molecules, since the spectra of one molecule stand or fall together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numba import njit
from numpy.typing import NDArray

from diptych.evaluation.statistics.metrics import MoleculeSums

_CELLS_PER_CHUNK = 4_000_000
_NORMAL = NormalDist()


@dataclass(frozen=True, kw_only=True, eq=False)
class Intervals:
    """Lower and upper ends of confidence intervals, each float64 of shape (n_metrics,)."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Resampled:
    """Means over resampled molecules, each float64 of shape (n_bootstrap, n_metrics)."""

    by_spectrum: NDArray[np.float64]
    by_molecule: NDArray[np.float64]


def resample(table: MoleculeSums, *, n_bootstrap: int, seed: int) -> Resampled:
    """Return the metrics of resampled sets of molecules, each as many as there are, drawn with replacement.

    The same seed, number of molecules and n_bootstrap draw the same molecules, so two tables over the same queries are
    resampled together, and their difference is a paired one.
    """
    columns = np.column_stack([table.sums, table.sums / table.sizes[:, None], table.sizes])
    n_molecules, n_metrics = table.sums.shape
    drawn = np.concatenate([weights @ columns for weights in _draws(n_molecules, n_bootstrap=n_bootstrap, seed=seed)])
    return Resampled(
        by_spectrum=drawn[:, :n_metrics] / drawn[:, -1:],
        by_molecule=drawn[:, n_metrics : 2 * n_metrics] / n_molecules,
    )


def _draws(n_molecules: int, *, n_bootstrap: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Yield how often each molecule was drawn, float64 of shape (chunk, n_molecules), a few resamples at a time."""
    generator = np.random.default_rng(seed)
    chunk = max(1, _CELLS_PER_CHUNK // n_molecules)
    for start in range(0, n_bootstrap, chunk):
        size = min(chunk, n_bootstrap - start)
        yield _counts(generator.integers(n_molecules, size=(size, n_molecules), dtype=np.uint32))


@njit(cache=True)
def _counts(drawn: NDArray[np.uint32]) -> NDArray[np.float64]:
    """Return how often each number below the row's length stands in each row, of the shape of ``drawn``."""
    counts = np.zeros(drawn.shape, dtype=np.float64)
    for row in range(drawn.shape[0]):
        for number in drawn[row]:
            counts[row, number] += 1.0
    return counts


def jackknife(table: MoleculeSums) -> Resampled:
    """Return the metrics with each molecule left out once, each of shape (n_molecules, n_metrics)."""
    n_molecules = table.sizes.size
    means = table.sums / table.sizes[:, None]
    return Resampled(
        by_spectrum=(table.sums.sum(axis=0) - table.sums) / (table.sizes.sum() - table.sizes)[:, None],
        by_molecule=(means.sum(axis=0) - means) / (n_molecules - 1),
    )


def bca_intervals(
    value: NDArray[np.float64],
    resampled: NDArray[np.float64],
    *,
    left_out: NDArray[np.float64],
    confidence: float = 0.95,
) -> Intervals:
    """Return bias-corrected and accelerated bootstrap intervals.

    Parameters
    ----------
    value
        Of shape (n_metrics,): the metrics over all molecules.
    resampled
        Of shape (n_bootstrap, n_metrics).
    left_out
        Of shape (n_molecules, n_metrics): the jackknife.
    confidence
        Nominal coverage, in (0, 1).

    Notes
    -----
    Efron, J. Am. Stat. Assoc. 82 (1987) 171, doi:10.1080/01621459.1987.10478410. Resamples equal to the value but for
    rounding count half below it. A metric that does not vary over resamples has an interval of zero width.
    """
    ends = [
        np.quantile(resampled[:, column], _levels(value[column], resampled[:, column], left_out[:, column], confidence))
        for column in range(value.size)
    ]
    low, high = np.array(ends, dtype=np.float64).reshape(-1, 2).T
    return Intervals(low=low, high=high)


def _levels(
    value: float, resampled: NDArray[np.float64], left_out: NDArray[np.float64], confidence: float
) -> tuple[float, float]:
    """Return the two quantile levels of a BCa interval."""
    rounding = 1e-12 * max(1.0, abs(value))
    n_below = np.count_nonzero(resampled < value - rounding)
    n_tied = np.count_nonzero(resampled <= value + rounding) - n_below
    below = (n_below + 0.5 * n_tied) / resampled.size
    tail = (1 - confidence) / 2
    if not 0 < below < 1:
        return tail, 1 - tail
    bias = _NORMAL.inv_cdf(below)
    deviation = left_out.mean() - left_out
    scale = float(np.sum(deviation**2)) ** 1.5
    acceleration = float(np.sum(deviation**3)) / (6 * scale) if scale > 0 else 0.0
    lower, upper = (
        _NORMAL.cdf(bias + (bias + z) / (1 - acceleration * (bias + z)))
        for z in (_NORMAL.inv_cdf(tail), _NORMAL.inv_cdf(1 - tail))
    )
    return lower, upper


def molecule_intervals(table: MoleculeSums, *, n_bootstrap: int, seed: int) -> tuple[Intervals, Intervals]:
    """Return 95 % intervals of the metrics by spectrum and by molecule; NaN of one molecule, or of no resample."""
    if table.sizes.size < 2 or n_bootstrap < 1:
        unknown = np.full(table.by_spectrum.shape, np.nan)
        return Intervals(low=unknown, high=unknown), Intervals(low=unknown, high=unknown)
    resampled = resample(table, n_bootstrap=n_bootstrap, seed=seed)
    left_out = jackknife(table)
    return (
        bca_intervals(table.by_spectrum, resampled.by_spectrum, left_out=left_out.by_spectrum),
        bca_intervals(table.by_molecule, resampled.by_molecule, left_out=left_out.by_molecule),
    )
