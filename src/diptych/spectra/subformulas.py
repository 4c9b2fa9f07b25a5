"""Which atoms of a molecule a peak may hold: element counts whose mass lies within some ppm of the measured one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from diptych.spectra.masses import MONOISOTOPIC_MASS

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

ELEMENTS = ("H", "C", "N", "O", "P", "S", "F", "Cl", "Br", "I", "Si", "B", "Se", "Na", "K")
"""Hydrogen first; new ones are only ever added at the end."""
SMALLEST_DBE = -0.5
"""Rings and double bonds of a fragment that can exist."""

_VALENCE = np.array([1, 4, 3, 2, 3, 2, 1, 1, 1, 1, 4, 3, 2, 1, 1])
_MASS = np.array([MONOISOTOPIC_MASS[element] for element in ELEMENTS])
_HYDROGEN = float(_MASS[0])
# Rows of the sorted table, and combinations of what is left out of it: no molecule below 5,000 Da comes near both.
_LARGEST_TABLE, _MOST_OUTER, _MOST_AT_ONCE = 1 << 16, 1 << 14, 1 << 19


class _HeavyAtoms(NamedTuple):
    mass: Floats
    counts: Counts
    unsaturation: Floats
    cost: Floats


class SubformulaTable(NamedTuple):
    """The heavy atoms of all subformulas of one formula; a tuple, since that is what compiled code takes.

    Attributes
    ----------
    residue
        float64, of shape (n_rows,), ascending, Da: what is left of a row's mass after whole hydrogens are taken off.
    mass
        float64, of shape (n_rows,), Da.
    counts
        int64, of shape (n_rows, n_elements).
    unsaturation
        float64, of shape (n_rows,): double bond equivalents that the heavy atoms add to those of nothing at all.
    cost
        float64, of shape (n_rows,): what the heavy atoms add to the error by which subformulas are compared.
    outer
        The same four of the elements that were too many for the table: each subformula is a row here and one there.
    hydrogens
        Most hydrogens of a subformula.
    """

    residue: Floats
    mass: Floats
    counts: Counts
    unsaturation: Floats
    cost: Floats
    outer: _HeavyAtoms
    hydrogens: int


class _Best(NamedTuple):
    row: int
    outer: int
    hydrogens: int
    cost: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Subformulas:
    """The best subformula of every mass that was asked for.

    Attributes
    ----------
    counts
        int64, of shape (n, n_elements), in the order of ``ELEMENTS``; zero where there is none.
    error_da
        float64, of shape (n,): measured less computed, Da; NaN where there is none.
    n_matches
        int64, of shape (n,): how many plausible subformulas lie within the tolerance.
    """

    counts: Counts
    error_da: Floats
    n_matches: Counts

    @property
    def found(self) -> NDArray[np.bool_]:
        """Bool, of shape (n,): whether there is a subformula."""
        return self.n_matches > 0


def element_counts(formula: Mapping[str, int]) -> Counts:
    """Return int64 (n_elements,): the atoms of a formula; elements that are none of ``ELEMENTS`` are left out.

    >>> element_counts({"C": 2, "H": 6, "O": 1, "Hg": 1})[:4].tolist()
    [6, 2, 0, 1]
    """
    return np.array([formula.get(element, 0) for element in ELEMENTS], dtype=np.int64)


def double_bond_equivalents(counts: Counts) -> Floats:
    """Return the rings and double bonds of formulas, float64 of the shape (...,) of counts (..., n_elements).

    Notes
    -----
    1 + sum_e n_e (v_e - 2) / 2 with v_e the lowest valence of element e (Pellegrin, doi:10.1021/ed060p626).

    >>> double_bond_equivalents(element_counts({"C": 6, "H": 6})).item()
    4.0
    """
    return np.asarray(1 + counts @ (_VALENCE - 2) / 2)


def subformula_table(
    parent: Sequence[int] | Counts, *, max_mass: float = math.inf, cost: Sequence[float] | None = None
) -> SubformulaTable | None:
    """Return the table of all subformulas of a formula, kept for the next call; None where they are far too many.

    Parameters
    ----------
    parent
        Atoms in the order of ``ELEMENTS``.
    max_mass
        Da; heavier combinations of heavy atoms are left out.
    cost
        Of one atom of each element, in tolerances: it is added to the relative error by which subformulas are compared.
        None: the nearest is the best.
    """
    return _table(tuple(map(int, parent)), max_mass, (0.0,) * len(ELEMENTS) if cost is None else tuple(cost))


@lru_cache(maxsize=256)
def _table(parent: tuple[int, ...], max_mass: float, cost: tuple[float, ...]) -> SubformulaTable | None:
    inner = outer = np.zeros((1, len(ELEMENTS)), dtype=np.int64)
    heavy = [element for element in range(1, len(ELEMENTS)) if parent[element]]
    for element in sorted(heavy, key=lambda element: parent[element]):
        extended = _extended(inner, element, parent[element], max_mass)
        if extended is not None and len(extended) <= _LARGEST_TABLE:
            inner = extended
            continue
        extended = _extended(outer, element, parent[element], max_mass)
        if extended is None or len(extended) > _MOST_OUTER:
            return None
        outer = extended
    counts = inner[np.argsort((inner @ _MASS) % _HYDROGEN, kind="stable")]
    rows = _heavy_atoms(counts, cost)
    return SubformulaTable(
        residue=rows.mass % _HYDROGEN,
        mass=rows.mass,
        counts=rows.counts,
        unsaturation=rows.unsaturation,
        cost=rows.cost,
        outer=_heavy_atoms(outer, cost),
        hydrogens=parent[0],
    )


def _extended(counts: Counts, element: int, most: int, max_mass: float) -> Counts | None:
    """Return the rows with every number of atoms of one more element; None where they would fill the memory."""
    if len(counts) * (most + 1) > _MOST_AT_ONCE:
        return None
    rows = np.repeat(counts, most + 1, axis=0)
    rows[:, element] = np.resize(np.arange(most + 1), len(rows))
    return rows if math.isinf(max_mass) else rows[rows @ _MASS <= max_mass]


def _heavy_atoms(counts: Counts, cost: tuple[float, ...]) -> _HeavyAtoms:
    unsaturation = double_bond_equivalents(counts) - 1
    return _HeavyAtoms(mass=counts @ _MASS, counts=counts, unsaturation=unsaturation, cost=counts @ np.array(cost))


def best_subformulas(masses: Floats, tolerance_da: Floats, table: SubformulaTable | None) -> Subformulas:
    """Return for each neutral mass the plausible subformula nearest to it.

    Parameters
    ----------
    masses
        float64, of shape (n,), Da.
    tolerance_da
        float64, of shape (n,): largest error, Da.
    table
        Of the formula; None finds nothing.

    Notes
    -----
    A subformula has at most the formula's atoms of every element and at least ``SMALLEST_DBE`` rings and double bonds.
    With m the mass and h hydrogen's, (m mod h) - (M_heavy mod h) is within the tolerance of 0 for its heavy atoms
    (circularly): binary search finds them in a table sorted by M_heavy mod h, and the number of hydrogens follows.
    Where the table would be too large, carbon (or what else is most abundant) is left out of it and tried number by
    number: meet in the middle (Horowitz and Sahni, doi:10.1145/321812.321823).
    """
    n = len(masses)
    counts = np.zeros((n, len(ELEMENTS)), dtype=np.int64)
    error, n_matches = np.full(n, np.nan), np.zeros(n, dtype=np.int64)
    if table is not None:
        _search(masses, tolerance_da, table, counts, error, n_matches)
    return Subformulas(counts=counts, error_da=error, n_matches=n_matches)


@njit(cache=True)
def _search(
    masses: Floats, tolerance_da: Floats, table: SubformulaTable, counts: Counts, error: Floats, n_matches: Counts
) -> None:
    for i in range(len(masses)):
        best = _Best(-1, -1, -1, np.inf)
        for outer in range(len(table.outer.mass)):
            rest = masses[i] - table.outer.mass[outer]
            if rest < -tolerance_da[i]:
                continue
            for turn in (-1, 0, 1):
                found, best = _matches(rest, turn, outer, tolerance_da[i], table, best)
                n_matches[i] += found
        if n_matches[i]:
            counts[i] = table.counts[best.row] + table.outer.counts[best.outer]
            counts[i, 0] = best.hydrogens
            error[i] = masses[i] - table.mass[best.row] - table.outer.mass[best.outer] - best.hydrogens * _HYDROGEN


@njit(cache=True)
def _matches(
    rest: float, turn: int, outer: int, tolerance: float, table: SubformulaTable, best: _Best
) -> tuple[int, _Best]:
    """Return how many subformulas match whose residue is so many hydrogens away, and the best of them and ``best``."""
    residue = rest % _HYDROGEN + turn * _HYDROGEN
    if residue < -tolerance or residue > _HYDROGEN + tolerance:
        return 0, best
    n_found = 0
    for row in range(np.searchsorted(table.residue, residue - tolerance), len(table.residue)):
        if table.residue[row] > residue + tolerance:
            break
        hydrogens = int(np.round((rest - table.mass[row]) / _HYDROGEN))
        error = abs(rest - table.mass[row] - hydrogens * _HYDROGEN)
        dbe = 1 + table.unsaturation[row] + table.outer.unsaturation[outer] - hydrogens / 2
        if 0 <= hydrogens <= table.hydrogens and error <= tolerance and dbe >= SMALLEST_DBE:
            n_found += 1
            cost = error / tolerance + table.cost[row] + table.outer.cost[outer]
            if cost < best.cost:
                best = _Best(row, outer, hydrogens, cost)
    return n_found, best
