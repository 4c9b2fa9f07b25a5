"""Molecular formulas: counts of atoms, isotope labels apart from their element, and a charge."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Self

from diptych.errors import FormulaError
from diptych.spectra.masses import ELECTRON_MASS, MONOISOTOPIC_MASS, parse_formula

_ISOTOPE = re.compile(r"\[(\d{1,3})([A-Z][a-z]?)\](\d*)")
_HYDROGEN_ISOTOPES = {"D": 2, "T": 3}


@dataclass(frozen=True, kw_only=True, eq=False)
class Formula:
    """How many atoms of each kind a molecule holds, and its charge.

    Attributes
    ----------
    counts
        Positive numbers of atoms by symbol; ``D`` and ``T`` are hydrogen's isotopes, others are written as ``[13C]``.
    charge
        Formal charge, signed.

    Examples
    --------
    >>> glucose = Formula.parse("C6H12O6")
    >>> water = Formula.parse("H2O")
    >>> (glucose - water).hill, water in glucose, round(glucose.exact_mass, 4)
    ('C6H10O5', True, 180.0634)
    """

    counts: Mapping[str, int]
    charge: int = 0

    def __post_init__(self) -> None:
        for symbol, count in self.counts.items():
            if count < 1:
                raise FormulaError(f"{count} atoms of {symbol}; expected at least one of each element that is named")
        object.__setattr__(self, "counts", MappingProxyType(dict(self.counts)))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the formula of a text such as ``C8H10N4O2``, ``Ca(OH)2``, ``C5H14NO+``, ``C[13C]2H4D2O``, ``SO4-2``.

        A single digit before a trailing sign counts atoms, as chemists write it (``NH4+`` is four hydrogens); more than
        one charge is written sign first (``SO4-2``) or after a caret (``SO4^2-``).

        Raises
        ------
        FormulaError
            The text is empty or not a formula, or an element or isotope is unknown.
        """
        body, charge = _split_charge(text.strip())
        counts: dict[str, int] = {}
        for number, element, count in _ISOTOPE.findall(body):
            symbol = _isotope_symbol(int(number), element)
            counts[symbol] = counts.get(symbol, 0) + int(count or 1)
        rest = _ISOTOPE.sub("", body)
        if rest or not counts:
            for symbol, count in parse_formula(rest).items():
                counts[symbol] = counts.get(symbol, 0) + count
        return cls(counts={symbol: count for symbol, count in counts.items() if count}, charge=charge)

    @property
    def hill(self) -> str:
        """The formula in Hill order: carbon, hydrogen, others by alphabet; all by alphabet where there is no carbon.

        Isotopes follow their element; a charge comes last (``+``, ``-``, ``+2``, ``-2``).

        Notes
        -----
        E. A. Hill, J. Am. Chem. Soc. 1900, 22, 478, DOI 10.1021/ja02046a005.
        """
        has_carbon = any(_element_and_isotope(symbol)[0] == "C" for symbol in self.counts)
        first = {"C": 0, "H": 1} if has_carbon else {}

        def order(symbol: str) -> tuple[int, str, int]:
            element, isotope = _element_and_isotope(symbol)
            return first.get(element, 2), element, isotope

        atoms = "".join(f"{s}{self.counts[s] if self.counts[s] > 1 else ''}" for s in sorted(self.counts, key=order))
        sign = "+" if self.charge > 0 else "-"
        size = abs(self.charge)
        return atoms + (f"{sign}{size if size > 1 else ''}" if size else "")

    @property
    def exact_mass(self) -> float:
        """Da: the monoisotopic masses of the atoms, less the mass of one electron for each positive charge."""
        atoms = sum(count * _mass(symbol) for symbol, count in self.counts.items())
        return float(atoms - self.charge * ELECTRON_MASS)

    def __add__(self, other: Self) -> Self:
        symbols = [*self.counts, *(s for s in other.counts if s not in self.counts)]
        counts = {s: self.counts.get(s, 0) + other.counts.get(s, 0) for s in symbols}
        return type(self)(counts=counts, charge=self.charge + other.charge)

    def __sub__(self, other: Self) -> Self:
        if other not in self:
            raise FormulaError(f"{other.hill} cannot be taken from {self.hill}; expected a part of it")
        counts = {s: count - other.counts.get(s, 0) for s, count in self.counts.items()}
        return type(self)(counts={s: count for s, count in counts.items() if count}, charge=self.charge - other.charge)

    def __contains__(self, other: Self) -> bool:
        """Return whether the other formula's atoms are all found in this one; the charge does not matter."""
        return all(self.counts.get(symbol, 0) >= count for symbol, count in other.counts.items())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Formula):
            return NotImplemented
        return self.counts == other.counts and self.charge == other.charge

    def __hash__(self) -> int:
        return hash(self.hill)

    def __str__(self) -> str:
        return self.hill


def _split_charge(text: str) -> tuple[str, int]:
    """Return the formula without its charge suffix, and the charge."""
    if text.endswith(("+", "-")) and "^" not in text:
        body = text.rstrip(text[-1])
        size = len(text) - len(body)
        return body, size if text[-1] == "+" else -size
    match = re.search(r"(?:([+-])(\d+)|\^(\d*)([+-]))$", text)
    if match is None:
        return text, 0
    size = int(match[2] or match[3] or 1)
    return text[: match.start()], -size if "-" in (match[1], match[4]) else size


def _isotope_symbol(number: int, element: str) -> str:
    return {"2H": "D", "3H": "T"}.get(f"{number}{element}", f"[{number}{element}]")


def _element_and_isotope(symbol: str) -> tuple[str, int]:
    """Return the element a symbol stands for and its mass number, 0 where the symbol names no isotope."""
    if symbol in _HYDROGEN_ISOTOPES:
        return "H", _HYDROGEN_ISOTOPES[symbol]
    match = _ISOTOPE.fullmatch(symbol)
    return (match[2], int(match[1])) if match else (symbol, 0)


@cache
def _mass(symbol: str) -> float:
    """Return the mass of one atom in Da; of an isotope from RDKit's table, which holds them all."""
    if symbol in MONOISOTOPIC_MASS:
        return MONOISOTOPIC_MASS[symbol]
    from rdkit import Chem

    element, isotope = _element_and_isotope(symbol)
    try:
        mass = float(Chem.GetPeriodicTable().GetMassForIsotope(element, isotope))
    except RuntimeError:
        mass = 0.0
    if not mass:
        raise FormulaError(f"{symbol}: unknown element or isotope; expected one such as C, Cl, D, [13C] or [15N]")
    return mass
