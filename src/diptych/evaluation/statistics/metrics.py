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


def precision_at(k: int, ranks: ArrayLike) -> float:
    """Return the mean fraction of the first k that is right, in [0, 1 / k], since one candidate alone is right.

    Examples
    --------
    >>> precision_at(5, [1, 5, 6, float("inf")])
    0.1
    """
    return hit_rate_at(k, ranks) / k


def recall_at(k: int, ranks: ArrayLike) -> float:
    """Return the mean fraction of the right candidates among the first k: one is right, so it is the hit rate."""
    return hit_rate_at(k, ranks)


def mean_average_precision(ranks: ArrayLike) -> float:
    """Return the mean over queries of their average precision: 1 / rank where one candidate is right, so it is `mrr`.

    Notes
    -----
    AP = sum_k P(k) (R(k) - R(k - 1)); recall rises once, from 0 to 1 at the rank r of the only right candidate, where
    the precision is 1 / r.
    """
    return mrr(ranks)


def counted_ranks(ranks: ArrayLike, n_candidates: ArrayLike) -> NDArray[np.float64]:
    """Return ranks in which a miss stands just below the whole list: max(n_candidates, 1) + 1; float64 (n_queries,).

    Examples
    --------
    >>> counted_ranks([1, float("inf"), float("inf")], [10, 10, 0]).tolist()
    [1.0, 11.0, 2.0]
    """
    found = np.asarray(ranks, dtype=np.float64)
    below = np.maximum(np.asarray(n_candidates, dtype=np.float64), 1) + 1
    return np.where(np.isfinite(found), found, below)


def mean_rank(ranks: ArrayLike, n_candidates: ArrayLike) -> float:
    """Return the mean rank, a miss counting as a rank just below its list.

    Examples
    --------
    >>> mean_rank([1, 2, float("inf")], [10, 10, 5])
    3.0
    """
    return _mean(counted_ranks(ranks, n_candidates))


def random_hits(k: int, n_structures: ArrayLike) -> NDArray[np.float64]:
    """Return the chance of a hit at k of scores drawn at random: min(k / n, 1), 0 of an empty list.

    Parameters
    ----------
    k
        Last rank that is a hit.
    n_structures
        Candidates of each query that get a score, without those that could not be parsed.

    Returns
    -------
    ndarray
        float64, of shape (n_queries,). The list is taken to hold the target; distinct scores do not tie.

    Examples
    --------
    >>> random_hits(5, [10, 5, 2, 0]).tolist()
    [0.5, 1.0, 1.0, 0.0]
    """
    lengths = np.asarray(n_structures, dtype=np.float64)
    return np.where(lengths > 0, np.minimum(k / np.maximum(lengths, 1), 1.0), 0.0)


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
    owner = np.unique(np.asarray(molecules, dtype=str), return_inverse=True)[1]
    sums = [np.bincount(owner, weights=value) for value in values]
    return MoleculeSums(sums=np.stack(sums, axis=1), sizes=np.bincount(owner).astype(np.float64))


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if values.size else 0.0
