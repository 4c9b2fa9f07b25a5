"""Masses of atoms, and what a molecular formula weighs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import fsum
from types import MappingProxyType

from diptych.errors import FormulaError

ELECTRON_MASS = 0.000548579909065
"""Da; CODATA 2018."""

PROTON_MASS = 1.007276466621
"""Da; CODATA 2018. Hydrogen's atom less an electron is lighter by 1.5e-8 Da, its binding energy."""

# fmt: off
MONOISOTOPIC_MASS: Mapping[str, float] = MappingProxyType({
    "H": 1.007825031898, "D": 2.014101777844, "T": 3.01604928132, "He": 4.00260325413, "Li": 7.01600343426,
    "Be": 9.012183062, "B": 11.009305166, "C": 12.0, "N": 14.00307400425, "O": 15.99491461926, "F": 18.99840316207,
    "Ne": 19.99244017525, "Na": 22.98976928195, "Mg": 23.985041689, "Al": 26.981538408, "Si": 27.97692653442,
    "P": 30.97376199768, "S": 31.97207117354, "Cl": 34.968852694, "Ar": 39.96238312204, "K": 38.96370648482,
    "Ca": 39.96259085, "Sc": 44.955907051, "Ti": 47.947940677, "V": 50.943957664, "Cr": 51.940504714,
    "Mn": 54.93804304, "Fe": 55.934935537, "Co": 58.933193524, "Ni": 57.93534165, "Cu": 62.929597119,
    "Zn": 63.929141776, "Ga": 68.925573528, "Ge": 73.92117776, "As": 74.921594562, "Se": 79.916521761,
    "Br": 78.918337574, "Kr": 83.91149772708, "Rb": 84.91178973604, "Sr": 87.905612253, "Y": 88.905838156,
    "Zr": 89.904698755, "Nb": 92.90637317, "Mo": 97.905403609, "Ru": 101.904340312, "Rh": 102.905494081,
    "Pd": 105.903480287, "Ag": 106.905091509, "Cd": 113.903364998, "In": 114.903878772, "Sn": 119.902202557,
    "Sb": 120.903811353, "Te": 129.906222745, "I": 126.904472592, "Xe": 131.90415508346, "Cs": 132.905451958,
    "Ba": 137.905247059, "La": 138.906362927, "Ce": 139.905448433, "Pr": 140.907659604, "Nd": 141.907728824,
    "Sm": 151.919738646, "Eu": 152.921236789, "Gd": 157.9241112, "Tb": 158.925353707, "Dy": 163.929180819,
    "Ho": 164.930329116, "Er": 165.930301067, "Tm": 168.934218956, "Yb": 173.938867545, "Lu": 174.940777211,
    "Hf": 179.946559537, "Ta": 180.947998528, "W": 183.95093318, "Re": 186.955752217, "Os": 191.961478765,
    "Ir": 192.962923753, "Pt": 194.964794325, "Au": 196.966570103, "Hg": 201.970643604, "Tl": 204.974427318,
    "Pb": 207.976652005, "Bi": 208.980398599, "Th": 232.038053606, "U": 238.050786936,
})
# fmt: on
"""Da, of the most abundant isotope of each element; D and T are hydrogen's own.

AME2020: M. Wang et al., Chinese Physics C 2021, 45, 030003, DOI 10.1088/1674-1137/abddaf.
"""

_TOKEN = re.compile(r"([A-Z][a-z]?)(\d{0,6})|([(\[])|([)\]])(\d{0,6})")


def parse_formula(text: str) -> dict[str, int]:
    """Return how many atoms of each element a neutral formula holds.

    Raises
    ------
    FormulaError
        The text is empty or not a formula, or an element is unknown.

    Examples
    --------
    >>> parse_formula("C6H12O6")
    {'C': 6, 'H': 12, 'O': 6}
    >>> parse_formula("Ca(OH)2")
    {'Ca': 1, 'O': 2, 'H': 2}
    """
    groups: list[dict[str, int]] = [{}]
    position = 0
    body = text.strip()
    while position < len(body):
        match = _TOKEN.match(body, position)
        if match is None:
            raise _not_a_formula(text)
        element, count, opening, _, multiplier = match.groups()
        if element:
            _add_atoms(groups[-1], {_known(element, text): int(count or 1)}, times=1)
        elif opening:
            groups.append({})
        elif len(groups) > 1:
            inner = groups.pop()
            _add_atoms(groups[-1], inner, times=int(multiplier or 1))
        else:
            raise _not_a_formula(text)
        position = match.end()
    if len(groups) > 1 or not groups[0]:
        raise _not_a_formula(text)
    return groups[0]


def _add_atoms(total: dict[str, int], atoms: dict[str, int], *, times: int) -> None:
    for element, count in atoms.items():
        total[element] = total.get(element, 0) + count * times


def _known(element: str, text: str) -> str:
    if element not in MONOISOTOPIC_MASS:
        raise FormulaError(f"formula {text[:80]!r}: unknown element {element!r}; expected one such as C, H, Cl or D")
    return element


def _not_a_formula(text: str) -> FormulaError:
    return FormulaError(f"{text[:80]!r} is not a formula; expected elements and counts such as C6H12O6 or Ca(OH)2")


def monoisotopic_mass(composition: Mapping[str, int]) -> float:
    """Return the mass in Da of neutral atoms, each the most abundant isotope of its element.

    Parameters
    ----------
    composition
        Number of atoms by element; may be negative, as in what an adduct takes away.

    Raises
    ------
    FormulaError
        An element is unknown.

    Examples
    --------
    >>> round(monoisotopic_mass({"C": 6, "H": 12, "O": 6}), 6)
    180.063388
    """
    return fsum(count * MONOISOTOPIC_MASS[_known(element, element)] for element, count in composition.items())
