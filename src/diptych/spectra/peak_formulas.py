"""Formulas of the peaks of spectra and of what they lost, under a given formula of the molecule or under none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diptych.errors import FormulaError
from diptych.spectra.adduct import Adduct
from diptych.spectra.masses import ELECTRON_MASS, MONOISOTOPIC_MASS, PROTON_MASS, parse_formula
from diptych.spectra.spectrum import Spectrum
from diptych.spectra.subformulas import (
    ELEMENTS,
    Counts,
    Floats,
    Subformulas,
    SubformulaTable,
    best_subformulas,
    element_counts,
    subformula_table,
)

# Without a formula: the atoms that a fragment or a loss may hold at most, and what each makes it less likely, in
# tolerances, so that of several formulas the plain one is taken (as Kind and Fiehn, doi:10.1186/1471-2105-8-105, weigh
# heteroatoms). Chosen so that most peaks of MassBank get the formula that they have under the molecule's own.
_FORMULA_KEY = "parent_formula"
_FREE_MAX_MASS = 300.0
_FREE_LIMITS = {"H": 52, "C": 25, "N": 6, "O": 12, "P": 1, "S": 2, "F": 3, "Cl": 2}
_FREE_COSTS = {"N": 0.1, "O": 0.05, "P": 0.8, "S": 0.4, "F": 0.5, "Cl": 0.4}


@dataclass(frozen=True, kw_only=True, eq=False)
class PeakFormulas:
    """What the peaks of some spectra are made of; n peaks, spectrum after spectrum.

    Attributes
    ----------
    fragment, loss
        int64, of shape (n, n_elements), in the order of ``ELEMENTS``: neutral atoms of the peak without its charge
        carrier, and of what is missing from the molecule; zero where unknown.
    has_fragment, has_loss
        Bool, of shape (n,): whether they are known.
    error
        float32, of shape (n,): measured less computed mass of the fragment, in tolerances, from -1 to 1; 0 where
        unknown.
    n_matches
        int64, of shape (n,): plausible formulas within the tolerance, of which the fragment is the best.
    parent
        int64, of shape (n_spectra, n_elements): the molecule; zero where it is unknown.
    """

    fragment: Counts
    loss: Counts
    has_fragment: NDArray[np.bool_]
    has_loss: NDArray[np.bool_]
    error: NDArray[np.float32]
    n_matches: Counts
    parent: Counts


def with_formula(spectrum: Spectrum, formula: str | None) -> Spectrum:
    """Return the spectrum with the formula of its molecule said to be this; with none said where it is None."""
    metadata = {key: value for key, value in spectrum.metadata.items() if key != _FORMULA_KEY}
    if formula is not None:
        metadata[_FORMULA_KEY] = formula
    return spectrum.with_changes(metadata=metadata)


def with_formula_of(asked: Spectrum, spectrum: Spectrum) -> Spectrum:
    """Return a spectrum with the formula that is said of another one of its molecule."""
    return with_formula(spectrum, asked.metadata.get(_FORMULA_KEY))


def given_formula(spectrum: Spectrum) -> Counts | None:
    """Return int64 (n_elements,): the atoms of the formula that is said to be known; None where none can be read.

    It is that of ``metadata["parent_formula"]``. What records hold as ``metadata["formula"]`` is that of the answer,
    and is not looked at: whoever asks with a known formula says so by `with_formula`.

    >>> given_formula(with_formula(Spectrum.from_peaks([50.0], [1.0]), "CH4"))[:2].tolist()
    [4, 1]
    """
    text = spectrum.metadata.get(_FORMULA_KEY, "")
    return _read(re.split("[-+^]", text)[0]) if text else None


@lru_cache(maxsize=65536)
def _read(text: str) -> Counts | None:
    try:
        counts = element_counts(parse_formula(text))
    except FormulaError:
        return None
    counts.flags.writeable = False
    return counts


def charge_carriers(spectrum: Spectrum) -> tuple[float, ...]:
    """Return what may have given a fragment its charge: the mass of the ion less that of the neutral atoms, Da.

    A proton gained or lost; of sodium and potassium adducts the metal too; of ions that are charged by themselves
    (``[M]+``) the electron that is missing or added. Nothing where the polarity is unknown.
    """
    polarity = spectrum.polarity
    if polarity is None:
        return ()
    sign = 1 if polarity == "positive" else -1
    adduct = spectrum.adduct
    if adduct is not None and adduct.name.startswith("[M]"):
        return (-sign * ELECTRON_MASS,)
    metals = [metal for metal in ("Na", "K") if adduct is not None and f"+{metal}]" in adduct.name]
    return (sign * PROTON_MASS, *(MONOISOTOPIC_MASS[metal] - ELECTRON_MASS for metal in metals))


def peak_formulas(
    spectra: Sequence[Spectrum], *, parents: Sequence[Counts | None], tolerance_ppm: float = 10.0
) -> PeakFormulas:
    """Return the formulas of all peaks of spectra.

    Parameters
    ----------
    spectra
        As they are; nothing is cleaned.
    parents
        Formula of each one's molecule, as `given_formula` returns it. A fragment is then part of it, and the loss is
        the rest. Where it is None, fragment and loss are decomposed independently, each into at most
        C40 H90 N6 O12 P S2 F3 Cl2, with heteroatoms counting against a formula.
    tolerance_ppm
        Largest error of a peak; a loss is allowed that of the precursor.

    Notes
    -----
    m_fragment = m/z - m_carrier for every carrier of `charge_carriers`, m_loss = M - m_fragment with M the neutral mass
    of precursor and adduct; fragments are taken to be singly charged.
    """
    parts = [
        _under_parent(spectrum, parent, tolerance_ppm) if parent is not None else _free(spectrum, tolerance_ppm)
        for spectrum, parent in zip(spectra, parents, strict=True)
    ]
    nothing = np.zeros(len(ELEMENTS), dtype=np.int64)
    columns = {name: np.concatenate([_EMPTY[name], *(part[name] for part in parts)]) for name in _EMPTY}
    known = [nothing if parent is None else parent for parent in parents]
    return PeakFormulas(**columns, parent=np.array(known, dtype=np.int64).reshape(-1, len(ELEMENTS)))


def _under_parent(spectrum: Spectrum, parent: Counts, tolerance_ppm: float) -> dict[str, NDArray[Any]]:
    tolerance = spectrum.mz * (tolerance_ppm * 1e-6)
    fragment = _best_ions(spectrum, tolerance, subformula_table(parent))
    loss = (parent - fragment.counts) * fragment.found[:, None]
    return _columns(fragment, loss, fragment.found, tolerance)


def _free(spectrum: Spectrum, tolerance_ppm: float) -> dict[str, NDArray[Any]]:
    tolerance, table = spectrum.mz * (tolerance_ppm * 1e-6), _free_table()
    fragment = _best_ions(spectrum, tolerance, table)
    loss = best_subformulas(*_losses(spectrum, tolerance_ppm), table)
    return _columns(fragment, loss.counts, loss.found, tolerance)


def _columns(
    fragment: Subformulas, loss: Counts, has_loss: NDArray[np.bool_], tolerance: Floats
) -> dict[str, NDArray[Any]]:
    return {
        "fragment": fragment.counts,
        "loss": loss,
        "has_fragment": fragment.found,
        "has_loss": has_loss,
        "error": np.where(fragment.found, fragment.error_da / tolerance, 0).astype(np.float32),
        "n_matches": fragment.n_matches,
    }


_NONE = np.empty(0, dtype=np.int64)
_NO_ATOMS = np.empty((0, len(ELEMENTS)), dtype=np.int64)
_EMPTY = _columns(
    Subformulas(counts=_NO_ATOMS, error_da=np.empty(0), n_matches=_NONE), _NO_ATOMS, _NONE.astype(bool), np.empty(0)
)


def _best_ions(spectrum: Spectrum, tolerance: Floats, table: SubformulaTable | None) -> Subformulas:
    """Return the best formula of each peak over all charge carriers."""
    ions = [best_subformulas(spectrum.mz - carrier, tolerance, table) for carrier in charge_carriers(spectrum)]
    best = ions[0] if ions else best_subformulas(spectrum.mz, tolerance, None)
    for other in ions[1:]:
        # A NaN is no smaller: what was found first stands unless the next is nearer.
        nearer = other.found & ~(np.abs(other.error_da) >= np.abs(best.error_da))
        best = Subformulas(
            counts=np.where(nearer[:, None], other.counts, best.counts),
            error_da=np.where(nearer, other.error_da, best.error_da),
            n_matches=best.n_matches + other.n_matches,
        )
    return best


def _losses(spectrum: Spectrum, tolerance_ppm: float) -> tuple[Floats, Floats]:
    """Return neutral mass and tolerance (Da) of what each peak lost; -1 Da where the molecule's mass is unknown."""
    carriers, adduct, precursor = charge_carriers(spectrum), spectrum.adduct, spectrum.precursor_mz
    if not carriers or precursor is None or abs((adduct or _PROTONATED).charge) > 1:
        return np.full(spectrum.n_peaks, -1.0), np.zeros(spectrum.n_peaks)
    molecule = precursor - carriers[0] if adduct is None else adduct.neutral_mass(precursor)
    loss = molecule - (spectrum.mz - carriers[0])
    return loss, np.full(spectrum.n_peaks, precursor * tolerance_ppm * 1e-6)


_PROTONATED = Adduct.parse("[M+H]+")


@lru_cache(maxsize=1)
def _free_table() -> SubformulaTable | None:
    costs = [_FREE_COSTS.get(element, 0.0) for element in ELEMENTS]
    limits = [_FREE_LIMITS.get(element, 0) for element in ELEMENTS]
    return subformula_table(limits, max_mass=_FREE_MAX_MASS, cost=costs)
