"""Which molecules stand together in a batch, and which spectra of a molecule are drawn."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from diptych.training.ragged import Ragged


def molecule_order(
    n_molecules: int,
    *,
    batches: Literal["random", "formula", "mass"],
    keys: NDArray[np.float64] | None,
    n_batches: int,
    rng: np.random.Generator,
) -> list[NDArray[np.int64]]:
    """Return the molecules of each batch, every molecule once; sizes differ by at most one.

    Parameters
    ----------
    n_molecules
        They are numbered from 0.
    batches
        ``"random"``; ``"formula"``: molecules of one formula follow one another, so that only a batch's end divides
        them; ``"mass"``: neighbours in exact mass, each moved by up to half a batch at random so that no two epochs
        have the same batches, which come in a random order.
    keys
        Number of the formula, or exact mass (Da), of each molecule; not looked at for ``"random"``.
    n_batches
        At most n_molecules.
    rng
        Decides everything.
    """
    if batches == "random" or keys is None:
        return np.array_split(rng.permutation(n_molecules), n_batches)
    if batches == "formula":
        _, group = np.unique(keys, return_inverse=True)
        order = np.lexsort((rng.random(n_molecules), rng.random(n_molecules)[group]))
        return np.array_split(order, n_batches)
    moved = np.arange(n_molecules) + rng.uniform(-0.5, 0.5, n_molecules) * n_molecules / n_batches
    parts = np.array_split(np.argsort(keys, kind="stable")[np.argsort(moved)], n_batches)
    return [parts[i] for i in rng.permutation(n_batches)]


def draw_spectra(
    spectra_of: Ragged, *, n: int, weights: NDArray[np.float64] | None, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return spectra of every molecule, int64 of shape (n_molecules, n).

    Parameters
    ----------
    spectra_of
        For each molecule its spectra, at least one.
    n
        Drawn without replacement; a molecule that has fewer gives all of them, and some again.
    weights
        float64, aligned with ``spectra_of.values``, above 0: probability of each spectrum relative to the others of its
        molecule; None for all alike.
    rng
        Decides everything.

    Notes
    -----
    Weighted draws without replacement take the smallest e / w, e exponential with mean 1 (Efraimidis and Spirakis,
    doi:10.1016/j.ipl.2005.11.003).
    """
    if n == 1 and weights is None:
        chosen = spectra_of.offsets[:-1] + np.floor(rng.random(len(spectra_of)) * spectra_of.lengths).astype(np.int64)
        return spectra_of.values[chosen][:, None]
    weights = np.ones(len(spectra_of.values)) if weights is None else weights
    owners = np.repeat(np.arange(len(spectra_of)), spectra_of.lengths)
    order = np.lexsort((rng.exponential(size=len(owners)) / weights, owners))
    rank = np.arange(len(owners)) - spectra_of.offsets[:-1][owners]
    chosen = _with_replacement(spectra_of, n=n, weights=weights, rng=rng)
    first = rank < n
    chosen[owners[first], rank[first]] = order[first]
    return spectra_of.values[chosen]


def _with_replacement(
    spectra_of: Ragged, *, n: int, weights: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return places in ``spectra_of.values``, of shape (n_molecules, n)."""
    total = np.concatenate([[0.0], np.cumsum(weights)])
    start, end = spectra_of.offsets[:-1, None], spectra_of.offsets[1:, None]
    sought = total[start] + rng.random((len(spectra_of), n)) * (total[end] - total[start])
    places: NDArray[np.int64] = np.clip(np.searchsorted(total, sought, side="right") - 1, start, end - 1)
    return places


def balancing_weights(classes: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return for each spectrum 1 / (number of spectra of its class), float64 of shape (n_spectra,).

    Examples
    --------
    >>> balancing_weights(np.array(["FT", "TOF", "FT"]))
    array([0.5, 1. , 0.5])
    """
    _, number, counts = np.unique(classes, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / counts[number], dtype=np.float64)
