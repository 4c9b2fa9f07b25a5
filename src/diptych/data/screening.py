"""Why a record cannot be used for training or testing: reasons as data."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from diptych.data.columns import ms_level
from diptych.errors import AdductError
from diptych.molecules.structure import Structure
from diptych.spectra.adduct import Adduct
from diptych.spectra.spectrum import Spectrum

_MS2 = 2


class Exclusion(StrEnum):
    """Why a record was left out; the first that applies, in this order."""

    UNREADABLE = "record cannot be read"
    WITHDRAWN = "record withdrawn by its author"
    NOT_MS2 = "not MS2"
    NO_PEAKS = "no peaks"
    NO_STRUCTURE = "no structure"
    NO_PRECURSOR = "no precursor m/z"
    NO_ADDUCT = "no adduct"
    UNKNOWN_ADDUCT = "unknown adduct"
    POLARITY = "polarity contradicts adduct"
    UNPARSABLE_STRUCTURE = "structure cannot be parsed"
    PRECURSOR_ROUNDED = "precursor m/z rounded too coarsely to check"
    PRECURSOR_DISAGREES = "precursor disagrees with structure"
    DUPLICATE = "exact duplicate"


@dataclass(frozen=True, kw_only=True)
class MassTolerance:
    """How far a stated precursor m/z may lie from that of the structure and adduct; the wider of the two counts.

    Attributes
    ----------
    da
        Th. Records state values that were computed, rounded or measured; 0.02 tells apart structure and precursor
        that do not belong together (a proton from a hydrogen atom would take 0.0005).
    ppm
        Parts per million of the computed m/z.
    """

    da: float = 0.02
    ppm: float = 10.0

    def admits(self, stated_mz: float, computed_mz: float) -> bool:
        """Return whether the two agree."""
        return abs(stated_mz - computed_mz) <= max(self.da, computed_mz * self.ppm * 1e-6)


def structure_texts(spectrum: Spectrum) -> tuple[str, str]:
    """Return the SMILES and the InChI that a record states; "" for none."""
    return tuple(_stated(spectrum.metadata.get(name, "")) for name in ("smiles", "inchi"))  # type: ignore[return-value]


def _stated(text: str) -> str:
    stripped = text.strip().strip('"')
    return "" if stripped.upper() in {"", "N/A", "NA", "NONE", "NULL", "NAN", "INCHI="} else stripped


def with_odd_adduct(spectrum: Spectrum) -> Spectrum:
    """Return the spectrum with its adduct understood where the charge is not what the added atoms carry.

    Records write ``[M-2H]-`` of a molecule that is a cation itself, such as an anthocyanin, and of radical ions,
    without the radical mark that tells this from a mistake. Here the structure is known, and the precursor m/z shows
    which it is.
    """
    text = spectrum.metadata.get("adduct", "")
    if spectrum.adduct is not None or not text:
        return spectrum
    with suppress(AdductError):
        return spectrum.with_changes(adduct=Adduct.parse(f"{text}."))
    return spectrum


def exclusion_before_structure(spectrum: Spectrum) -> Exclusion | None:
    """Return why a record cannot be used whatever its structure turns out to be; None where it may be."""
    level = ms_level(spectrum.metadata)
    checks = (
        ("deprecated" in spectrum.metadata, Exclusion.WITHDRAWN),
        (level not in {_MS2, None}, Exclusion.NOT_MS2),
        (spectrum.n_peaks == 0, Exclusion.NO_PEAKS),
        (not any(structure_texts(spectrum)), Exclusion.NO_STRUCTURE),
        (spectrum.precursor_mz is None, Exclusion.NO_PRECURSOR),
        (spectrum.adduct is None, _adduct_reason(spectrum)),
        (_polarity_contradicts(spectrum), Exclusion.POLARITY),
    )
    return next((reason for applies, reason in checks if applies), None)


def _adduct_reason(spectrum: Spectrum) -> Exclusion:
    return Exclusion.UNKNOWN_ADDUCT if _stated(spectrum.metadata.get("adduct", "")) else Exclusion.NO_ADDUCT


def _polarity_contradicts(spectrum: Spectrum) -> bool:
    if spectrum.adduct is None:
        return False
    sign = "positive" if spectrum.adduct.charge > 0 else "negative"
    stated = spectrum.metadata.get("ionmode", sign).lower()
    return not stated.startswith(sign[:3]) and stated[:3] in {"pos", "neg"}


def precursor_exclusion(spectrum: Spectrum, structure: Structure, *, tolerance: MassTolerance) -> Exclusion | None:
    """Return what is wrong with the stated precursor m/z beside that of the structure under the stated adduct.

    A value outside the tolerance that rounding explains ("104" for 104.0706, as triple quadrupoles often state) does
    not contradict the structure, but neither does it confirm it.
    """
    if spectrum.adduct is None or spectrum.precursor_mz is None:
        return Exclusion.NO_PRECURSOR if spectrum.precursor_mz is None else Exclusion.NO_ADDUCT
    computed_mz = float(spectrum.adduct.mz(structure.neutral_mass))
    if tolerance.admits(spectrum.precursor_mz, computed_mz):
        return None
    if abs(spectrum.precursor_mz - computed_mz) <= _rounding(spectrum.precursor_mz) + tolerance.da:
        return Exclusion.PRECURSOR_ROUNDED
    return Exclusion.PRECURSOR_DISAGREES


def _rounding(value: float) -> float:
    """Return half a unit of the last decimal that a number is written with.

    >>> _rounding(104.0), _rounding(345.3)
    (0.5, 0.05)
    """
    return 0.5 * 10.0 ** -len(f"{value:.6f}".rstrip("0").partition(".")[2])
