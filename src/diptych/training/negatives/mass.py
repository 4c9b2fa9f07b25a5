"""Hard negatives of nearly the same mass, as a list for a precursor m/z holds them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diptych.training.ragged import Ragged


def negatives_by_mass(
    exact_masses: NDArray[np.float64], *, n_molecules: int, window_ppm: float, at_most: int, seed: int
) -> Ragged:
    """Return for each molecule the other structures whose mass differs by at most a window, in order of mass.

    Parameters
    ----------
    exact_masses
        Of all structures (Da), distinct by first block; the first ``n_molecules`` are the training molecules.
    n_molecules
        Number of training molecules.
    window_ppm
        Half width of the window in parts per million of the molecule's mass.
    at_most
        Longer lists are drawn from.
    seed
        Of that draw.

    Notes
    -----
    Structures with |M - M_molecule| <= 1e-6 w M_molecule, w the window in ppm: what a search by precursor m/z would
    lay before a ranker. The idea is that of candidate lists, and of no one paper.
    """
    order = np.argsort(exact_masses, kind="stable")
    ascending = exact_masses[order]
    masses = exact_masses[:n_molecules]
    width = masses * window_ppm * 1e-6
    first = np.searchsorted(ascending, masses - width, side="left")
    last = np.searchsorted(ascending, masses + width, side="right")
    lists = []
    for molecule in range(n_molecules):
        rows = order[first[molecule] : last[molecule]]
        rows = rows[rows != molecule]
        if len(rows) > at_most:
            chosen = np.random.default_rng([seed, molecule]).choice(len(rows), at_most, replace=False)
            rows = rows[np.sort(chosen)]
        lists.append(rows)
    return Ragged.from_lists(lists)
