"""Figures of merit of ranks, by spectrum and by molecule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray


def hit_rate_at(k: int, ranks: ArrayLike) -> float:
    """Return the fraction of queries whose answer stands at rank k or better, in [0, 1]; a miss is rank infinity.

    Examples
    --------
    >>> hit_rate_at(5, [1, 5, 6, float("inf")])
    0.5
    """
    return _mean(hits(k, ranks))


def mrr(ranks: ArrayLike) -> float:
    """Return the mean reciprocal rank, in [0, 1]; a miss counts 0.

    Examples
    --------
    >>> mrr([1, 4, float("inf"), 4])
    0.375
    """
    return _mean(reciprocal(ranks))


def hits(k: int, ranks: ArrayLike) -> NDArray[np.float64]:
    """Return 1.0 where the rank is k or better, else 0.0; float64 of shape (n_queries,)."""
    return (np.asarray(ranks, dtype=np.float64) <= k).astype(np.float64)


def reciprocal(ranks: ArrayLike) -> NDArray[np.float64]:
    """Return 1 / rank, 0 for a miss; float64 of shape (n_queries,)."""
    return 1.0 / np.asarray(ranks, dtype=np.float64)


def gains(ranks: ArrayLike, ks: Sequence[int]) -> dict[str, NDArray[np.float64]]:
    """Return what each query contributes to each metric: name -> float64 of shape (n_queries,).

    Names are ``hit_rate@k`` for every k, then ``mrr``.
    """
    return {f"hit_rate@{k}": hits(k, ranks) for k in ks} | {"mrr": reciprocal(ranks)}


@dataclass(frozen=True, kw_only=True, eq=False)
class MoleculeSums:
    """Per-query values summed over the queries of each molecule: all that means and their bootstrap need.

    Attributes
    ----------
    sums
        float64, of shape (n_molecules, n_metrics).
    sizes
        float64, of shape (n_molecules,): queries per molecule.
    """

    sums: NDArray[np.float64]
    sizes: NDArray[np.float64]

    @property
    def by_spectrum(self) -> NDArray[np.float64]:
        """Mean over queries, of shape (n_metrics,)."""
        return np.asarray(self.sums.sum(axis=0) / self.sizes.sum())

    @property
    def by_molecule(self) -> NDArray[np.float64]:
        """Mean over molecules of each molecule's mean, of shape (n_metrics,)."""
        return np.asarray((self.sums / self.sizes[:, None]).mean(axis=0))


def sum_by_molecule(values: Sequence[NDArray[np.float64]], molecules: Sequence[str]) -> MoleculeSums:
    """Return the sums of each of several per-query values over the queries of each molecule.

    Parameters
    ----------
    values
        One float64 array of shape (n_queries,) per metric.
    molecules
        The molecule (first block) of each query.
    """
    names, owner = np.unique(np.asarray(molecules, dtype=str), return_inverse=True)
    sums = [np.bincount(owner, weights=value, minlength=names.size) for value in values]
    return MoleculeSums(sums=np.stack(sums, axis=1), sizes=np.bincount(owner, minlength=names.size).astype(np.float64))


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if values.size else 0.0
