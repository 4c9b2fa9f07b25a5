"""Collision energies as people write them, in eV and normalised."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean

_NUMBER = r"(\d+(?:\.\d+)?)"
_RANGE = re.compile(r"(?<=[\d%v])\s*(?:[-–—]|\bto\b|\.\.\.?)\s*(?=\d)")
_GLUED_PREFIX = re.compile(r"\b(n?ce|hcd|cid|ramp)[=:]?(?=\d)")
_ELECTRONVOLTS = re.compile(rf"(?<![\w.]){_NUMBER}\s*ev\b")
_PERCENT = re.compile(rf"(?<![\w.]){_NUMBER}\s*%")
_ANY_NUMBER = re.compile(rf"(?<![\w.]){_NUMBER}")
_NORMALISED = re.compile(r"%|\bnce\b|nce\b|nominal|normali[sz]ed")
_NOT_ONE_ENERGY = re.compile(r"\bor\b|/|scaled|mz")
_EXPLANATION = re.compile(r"\bwith\b")
_KILOVOLTS = re.compile(r"k(?:e?v)\b")
_LEAST, _MOST = 1.0, 1e5
_REFERENCE_MZ = 500.0
_CHARGE_FACTORS = {1: 1.0, 2: 0.9, 3: 0.85, 4: 0.8}
_LEAST_CHARGE_FACTOR = 0.75


@dataclass(frozen=True, kw_only=True)
class CollisionEnergy:
    """A collision energy.

    Attributes
    ----------
    ev
        eV, laboratory frame; None where the text gives none and it cannot be computed.
    normalised
        Normalised collision energy (NCE), percent; None where the text gives none.
    """

    ev: float | None = None
    normalised: float | None = None


def parse_collision_energy(
    text: str, *, precursor_mz: float | None = None, charge: int | None = None
) -> CollisionEnergy:
    """Return the collision energy that a text states.

    Parameters
    ----------
    text
        Such as "35 eV", "35", "HCD 35%", "35 NCE", "15 (nominal)", "Ramp 20-40 eV", "NCE=35% 33eV".
    precursor_mz
        Th; needed to compute eV from a normalised energy.
    charge
        Of the precursor, of either sign; needed likewise.

    Notes
    -----
    A number without a unit, or in V, is taken as eV; "nominal" marks a normalised energy, as in MassBank's records.
    Of a ramp or of steps the mean is returned. Alternatives ("15 or 30"), energies of several stages ("0.7/0.6") and
    values below 1 (amplitudes of ion traps) are not one energy in eV: they give None.

    Normalised energies: ``eV = NCE * precursor_mz / 500 * f``, with f = 1, 0.9, 0.85, 0.8, 0.75 for charge 1, 2, 3, 4,
    5 and above: Thermo Fisher Scientific, Product Support Bulletin 104, "Normalized Collision Energy Technology";
    charge factors as in the Q Exactive's operating manual. MassSpecGym (arXiv 2410.23326) converts likewise.

    Examples
    --------
    >>> parse_collision_energy("Ramp 20-40 eV").ev
    30.0
    >>> parse_collision_energy("HCD 30%", precursor_mz=250.0, charge=2)
    CollisionEnergy(ev=13.5, normalised=30.0)
    """
    stated = _stated(text)
    if stated.ev is not None or stated.normalised is None or not precursor_mz or not charge:
        return stated
    factor = _CHARGE_FACTORS.get(abs(charge), _LEAST_CHARGE_FACTOR)
    return CollisionEnergy(ev=stated.normalised * precursor_mz / _REFERENCE_MZ * factor, normalised=stated.normalised)


@lru_cache(maxsize=1024)
def _stated(text: str) -> CollisionEnergy:
    plain = _EXPLANATION.split(text.lower().strip().lstrip("-"))[0]
    if _NOT_ONE_ENERGY.search(plain):
        return CollisionEnergy()
    plain = _GLUED_PREFIX.sub(r"\1 ", _RANGE.sub(" ", plain))
    both = CollisionEnergy(ev=_mean(_ELECTRONVOLTS, plain), normalised=_mean(_PERCENT, plain))
    if both.ev is not None and both.normalised is not None:
        return both
    value = _mean(_ANY_NUMBER, plain)
    if value is None or not _LEAST <= value <= _MOST:
        return CollisionEnergy()
    if _NORMALISED.search(plain):
        return CollisionEnergy(normalised=value)
    return CollisionEnergy(ev=value * 1000 if _KILOVOLTS.search(plain) else value)


def _mean(pattern: re.Pattern[str], text: str) -> float | None:
    numbers = pattern.findall(text)
    return fmean(map(float, numbers)) if numbers else None
