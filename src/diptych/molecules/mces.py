"""How many bonds two molecules do not share: the maximum common edge subgraph (MCES) distance, and a bound below it."""

from __future__ import annotations

from collections import defaultdict
from importlib import import_module
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from diptych.errors import StructureError
from diptych.molecules.structure import mol_from_smiles

MCES_THRESHOLD = 15.0
"""Distances above it are not told apart."""

_Neighbourhood = dict[str, list[float]]


def mces_lower_bound(first: str, second: str) -> float:
    """Return a number that the MCES distance of two molecules is never below.

    Parameters
    ----------
    first, second
        SMILES.

    Raises
    ------
    StructureError
        A SMILES cannot be parsed.

    Notes
    -----
    Atoms of one element are assigned to one another, or to nothing, at the least cost: half the difference of the
    weights (1, 1.5, 2, 3) of the bonds around the two, told apart by the element at their other end and paired in
    descending order of weight. Every common subgraph is such an assignment, and a bond that it leaves out is paid for
    at both ends, so the cheapest assignment costs at most the distance: Kretschmer et al. 2025,
    doi:10.1038/s41467-024-55462-w, "lower bounds".

    Examples
    --------
    >>> mces_lower_bound("CCO", "CCO"), mces_lower_bound("CCO", "CCCO"), mces_lower_bound("CCO", "CCN")
    (0.0, 1.0, 2.0)
    """
    sides = _neighbourhoods(first), _neighbourhoods(second)
    return float(sum(_assigned(sides[0][element], sides[1][element]) for element in {*sides[0], *sides[1]}))


def _neighbourhoods(smiles: str) -> dict[str, list[_Neighbourhood]]:
    """Return, for each element, what each of its atoms is bound to: element -> weights of the bonds, descending."""
    found: dict[str, list[_Neighbourhood]] = defaultdict(list)
    for atom in mol_from_smiles(smiles).GetAtoms():
        around: _Neighbourhood = defaultdict(list)
        for bond in atom.GetBonds():
            around[bond.GetOtherAtom(atom).GetSymbol()].append(bond.GetBondTypeAsDouble())
        found[atom.GetSymbol()].append({element: sorted(weights, reverse=True) for element, weights in around.items()})
    return found


def _assigned(first: list[_Neighbourhood], second: list[_Neighbourhood]) -> float:
    """Return the cost of the cheapest assignment of the atoms of one element."""
    size = max(len(first), len(second))
    padded = first + [{}] * (size - len(first)), second + [{}] * (size - len(second))
    costs: NDArray[np.float64] = np.array([[_cost(a, b) for b in padded[1]] for a in padded[0]]).reshape(size, size)
    rows, columns = linear_sum_assignment(costs)
    return float(costs[rows, columns].sum())


def _cost(first: _Neighbourhood, second: _Neighbourhood) -> float:
    """Return half the difference of the bonds around two atoms."""
    total = 0.0
    for element in {*first, *second}:
        a, b = first.get(element, []), second.get(element, [])
        size = max(len(a), len(b))
        pairs = zip(a + [0.0] * (size - len(a)), b + [0.0] * (size - len(b)), strict=True)
        total += sum(abs(x - y) for x, y in pairs)
    return total / 2


def has_exact_mces() -> bool:
    """Return whether the package that computes the exact distance is installed: ``pip install 'diptych[mces]'``."""
    return find_spec("myopic_mces") is not None


def mces_distance(first: str, second: str, *, threshold: float = MCES_THRESHOLD) -> float:
    """Return the MCES distance of two molecules where it is at most ``threshold``, else a bound above the threshold.

    Raises
    ------
    StructureError
        The package ``myopic-mces`` is not installed, or a SMILES cannot be parsed.

    Notes
    -----
    The sum of the weights of all bonds that are not part of the maximum common edge subgraph; Kretschmer et al. 2025,
    doi:10.1038/s41467-024-55462-w. The myopic form is exact up to the threshold.
    """
    if not has_exact_mces():
        raise StructureError("the exact MCES distance needs the package myopic-mces: pip install 'diptych[mces]'")
    for text in (first, second):
        mol_from_smiles(text)
    if first == second:
        return 0.0
    options: dict[str, object] = {"msg": False}
    if find_spec("cbcbox") is not None:
        # The solver that the package brings does not stand on the path of the shell, where it would be looked for.
        options["path"] = import_module("cbcbox").cbc_bin_path()
    _, distance, *_ = import_module("myopic_mces").MCES(first, second, threshold=threshold, solver_options=options)
    return float(distance)
