"""Ion species: what was added to or taken from a molecule to give it its charge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Literal, Self, overload

import numpy as np
from numpy.typing import NDArray

from diptych.errors import AdductError
from diptych.spectra import adduct_terms as terms
from diptych.spectra.masses import ELECTRON_MASS, monoisotopic_mass

_Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Adduct:
    """An ion species such as ``[M+H]+``, read by rule: ``[nM±A±B...]z±``.

    Attributes
    ----------
    name
        Canonical: lost groups, added neutral groups, added charge carriers, then removed ones; in each, by alphabet
        with hydrogen first. ``[M+H-H2O]+`` becomes ``[M-H2O+H]+``, ``[M+FA-H]-`` becomes ``[M+HCOO]-``.
    n_molecules
        How many molecules the ion holds.
    mass_shift
        Da; atoms added less atoms removed, less the electrons that the charge took away.
    charge
        Signed, never 0.

    Notes
    -----
    m/z = (n_molecules * M + mass_shift) / abs(charge), where M is the mass of the neutral molecule, or of a permanent
    ion together with the electrons that it lacks.
    """

    name: str
    n_molecules: int
    mass_shift: float
    charge: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the adduct that a text names, in any of the spellings in use.

        A missing charge is derived from the charge carriers (``M+H``, ``[M-H]``); of alternatives (``A/B``) the first
        is taken; a mark for a radical (``.`` or ``*``) allows a charge that the carriers do not add up to.

        Raises
        ------
        AdductError
            The text is no adduct, a group in it is unknown, or the charge contradicts the charge carriers.

        Examples
        --------
        >>> Adduct.parse("M+H").name, Adduct.parse("[M+2H]++").charge, Adduct.parse("[2M+FA-H]-").name
        ('[M+H]+', 2, '[2M+HCOO]-')
        """
        name, n_molecules, mass_shift, charge = _parsed(text)
        return cls(name=name, n_molecules=n_molecules, mass_shift=mass_shift, charge=charge)

    @overload
    def neutral_mass(self, mz: float) -> float: ...
    @overload
    def neutral_mass(self, mz: _Floats) -> _Floats: ...
    def neutral_mass(self, mz: float | _Floats) -> float | _Floats:
        """Return the mass in Da of the molecule whose ion has this m/z (Th); a number, or an array of any shape.

        >>> round(Adduct.parse("[M+H]+").neutral_mass(181.0706645), 6)
        180.063388
        """
        return (mz * abs(self.charge) - self.mass_shift) / self.n_molecules

    @overload
    def mz(self, neutral_mass: float) -> float: ...
    @overload
    def mz(self, neutral_mass: _Floats) -> _Floats: ...
    def mz(self, neutral_mass: float | _Floats) -> float | _Floats:
        """Return the m/z in Th of the ion of a molecule of this mass (Da); a number, or an array of any shape.

        >>> round(Adduct.parse("[M+Na]+").mz(180.0633881), 4)
        203.0526
        """
        return (neutral_mass * self.n_molecules + self.mass_shift) / abs(self.charge)

    def __str__(self) -> str:
        return self.name


@lru_cache(maxsize=4096)
def _parsed(text: str) -> tuple[str, int, float, int]:
    written = terms.split(text)
    counts = terms.merge_acids(terms.count_groups(written))
    charge = written.charge
    derived = terms.derived_charge(counts) if counts else None
    is_odd = False
    if charge is None:
        if not derived:
            raise AdductError(f"adduct {text!r}: its charge is neither written nor clear; expected such as '[M+H]+'")
        charge = derived
    elif derived is not None and derived != charge:
        is_odd = True
        if not written.is_radical:
            raise AdductError(
                f"adduct {text!r}: charge {charge:+d} contradicts its charge carriers, which add up to {derived:+d}; "
                "expected them to agree, or a radical mark as in '[M-2H]-.'"
            )
    sign = "+" if charge > 0 else "-"
    size = str(abs(charge)) if abs(charge) > 1 else ""
    number = str(written.n_molecules) if written.n_molecules > 1 else ""
    name = f"[{number}M{terms.canonical_text(counts)}]{size}{sign}{'.' if is_odd else ''}"
    shift = monoisotopic_mass(terms.composition(counts)) - charge * ELECTRON_MASS
    return name, written.n_molecules, shift, charge


LIKELY_ADDUCTS: Mapping[Literal["positive", "negative"], tuple[Adduct, ...]] = MappingProxyType(
    {
        "positive": tuple(map(Adduct.parse, ("[M+H]+", "[M+Na]+", "[M+NH4]+", "[M-H2O+H]+"))),
        "negative": tuple(map(Adduct.parse, ("[M-H]-", "[M+HCOO]-", "[M+Cl]-"))),
    }
)
"""What to assume of a spectrum that names no adduct, by its polarity; the likeliest first."""

_MOLECULES_MEASURED = MappingProxyType(
    {
        "[M+H]+": 4290,
        "[M-H]-": 3355,
        "[M+CH3COO]-": 454,
        "[M]+": 386,
        "[M+HCOO]-": 161,
        "[M+Na]+": 89,
        "[M-2H]-.": 29,
        "[M-H2O+H]+": 27,
        "[M+NH4]+": 22,
        "[M+K]+": 9,
    }
)
_ALWAYS_SUPPOSED = 50


def adduct_weight(adduct: Adduct) -> float:
    """Return how likely an ion is before anything of it is known, to be compared with other adducts of its polarity.

    Notes
    -----
    The number of molecules measured as this ion in MassBank 2025.05.1 (doi:10.1002/jms.1777), plus 50, so that no ion
    is ruled out: collections favour the protonated ion more than samples do.

    Examples
    --------
    >>> adduct_weight(Adduct.parse("[M+Na]+")) / adduct_weight(Adduct.parse("[M+H]+"))
    0.032027649769585255
    """
    return float(_MOLECULES_MEASURED.get(adduct.name, 0) + _ALWAYS_SUPPOSED)
