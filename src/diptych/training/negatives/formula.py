"""Hard negatives of the same formula."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from diptych.training.ragged import Ragged


def negatives_by_formula(
    formulas: Sequence[str],
    exact_masses: NDArray[np.float64],
    *,
    n_molecules: int,
    wanted: int,
    fill: Literal["mass", "none"],
) -> Ragged:
    """Return for each molecule the other structures of its formula, topped up by mass where there are too few.

    Parameters
    ----------
    formulas, exact_masses
        Of all structures (Da), distinct by first block; the first ``n_molecules`` are the training molecules.
    n_molecules
        Number of training molecules.
    wanted
        Fewer than this many are topped up to it.
    fill
        ``"mass"`` tops up with the structures nearest in exact mass, ``"none"`` does not.

    Notes
    -----
    The candidates of a spectrum whose formula is known, as JESTR regularises with them (Kalia et al.,
    doi:10.48550/arXiv.2411.14464). Nearest are those of the smallest |M - M_molecule|, the lighter of two alike.
    """
    by_formula: dict[str, list[int]] = {}
    for row, formula in enumerate(formulas):
        by_formula.setdefault(formula, []).append(row)
    by_mass = np.argsort(exact_masses, kind="stable")
    masses = exact_masses[by_mass]
    lists = []
    for molecule in range(n_molecules):
        same = [row for row in by_formula[formulas[molecule]] if row != molecule]
        if fill == "mass" and len(same) < wanted:
            near = by_mass[_nearest(masses, mass=exact_masses[molecule], n=wanted + len(same) + 1)]
            taken = {molecule, *same}
            same += [int(row) for row in near if int(row) not in taken][: wanted - len(same)]
        lists.append(same)
    return Ragged.from_lists(lists)


def _nearest(ascending: NDArray[np.float64], *, mass: float, n: int) -> NDArray[np.int64]:
    """Return the positions of the n masses nearest to one, nearest first."""
    middle = int(np.searchsorted(ascending, mass))
    start = max(middle - n, 0)
    distances = np.abs(ascending[start : middle + n] - mass)
    return start + np.argsort(distances, kind="stable")[:n]
