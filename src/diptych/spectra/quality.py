"""Whether a spectrum can be worked with; if not, why: reasons are data, to be counted and shown."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from diptych.spectra.spectrum import Spectrum
from diptych.spectra.wording import quoted

# As readers note them; half a unit of the fourth is narrower than any usual window.
_FEW_DECIMALS = ("0", "1", "2", "3")


class Rejection(StrEnum):
    """Why a spectrum is left out; the first that applies, in this order."""

    NOT_MS2 = "not MS2"
    NO_PEAKS = "no peaks"
    TOO_FEW_PEAKS = "too few peaks"
    NO_PRECURSOR = "no precursor m/z"
    ABSURD_PRECURSOR = "absurd precursor m/z"
    CHARGE_CONTRADICTS_ADDUCT = "charge contradicts adduct"
    POLARITY_CONTRADICTS_ADDUCT = "polarity contradicts adduct"
    POLARITY_CONTRADICTS_CHARGE = "polarity contradicts charge"


@dataclass(frozen=True, kw_only=True)
class QualitySettings:
    """What a spectrum must have.

    Attributes
    ----------
    min_peaks
        Fewest peaks.
    min_precursor_mz, max_precursor_mz
        Th; a precursor outside is taken for a mistake. No ion of an organic molecule is lighter than 10.
    """

    min_peaks: int = 1
    min_precursor_mz: float = 10.0
    max_precursor_mz: float = 10_000.0


def reject_reason(spectrum: Spectrum, settings: QualitySettings | None = None) -> Rejection | None:
    """Return why a spectrum cannot be worked with; None if it can.

    A spectrum that does not state its MS level is taken for MS2.
    """
    limits = settings or QualitySettings()
    if spectrum.metadata.get("ms_level", "2") != "2":
        return Rejection.NOT_MS2
    if spectrum.n_peaks < limits.min_peaks:
        return Rejection.TOO_FEW_PEAKS if spectrum.n_peaks else Rejection.NO_PEAKS
    if spectrum.precursor_mz is None:
        return Rejection.NO_PRECURSOR
    if not limits.min_precursor_mz <= spectrum.precursor_mz <= limits.max_precursor_mz:
        return Rejection.ABSURD_PRECURSOR
    return _contradiction(spectrum)


def rejection_text(spectrum: Spectrum, settings: QualitySettings | None = None) -> str:
    """Return why a spectrum cannot be worked with, after a colon the particulars; empty if it can."""
    reason = reject_reason(spectrum, settings)
    if reason is None:
        return ""
    stated, n_impossible = spectrum.metadata.get("precursor_mz", ""), spectrum.metadata.get("impossible_peaks", "")
    if reason == Rejection.NO_PRECURSOR and stated:
        return f"{reason}: {quoted(stated)} is no number"
    if reason == Rejection.NO_PEAKS and n_impossible:
        return f"{reason}: {n_impossible} without a usable number left out"
    return str(reason)


def doubts(spectrum: Spectrum, *, ppm: float | None = None) -> str:
    """Return what to mind about the answers to a spectrum that can be worked with; empty where there is nothing.

    Parameters
    ----------
    spectrum
        As read.
    ppm
        Half-width of the window around its precursor m/z, parts per million; None for no window.

    Returns
    -------
    str
        Parted by semicolons; each a category, then after a colon the particulars.
    """
    metadata = spectrum.metadata
    adduct, n_impossible = metadata.get("adduct", "").strip(), metadata.get("impossible_peaks", "")
    found = (
        f"adduct not understood: {quoted(adduct)}" if adduct and spectrum.adduct is None else "",
        _coarseness(spectrum, ppm=ppm),
        f"peaks without a usable number left out: {n_impossible}" if n_impossible else "",
    )
    return "; ".join(text for text in found if text)


def _coarseness(spectrum: Spectrum, *, ppm: float | None) -> str:
    """Return what to mind where the decimals of the precursor m/z leave it more room than the window has."""
    mz, decimals = spectrum.precursor_mz, spectrum.metadata.get("precursor_mz_decimals", "")
    if mz is None or ppm is None or decimals not in _FEW_DECIMALS:
        return ""
    rounding = 0.5 * 10.0 ** -int(decimals)
    if rounding <= ppm * 1e-6 * mz:
        return ""
    text = f"{mz:.{int(decimals)}f}"
    return f"precursor m/z stated coarsely: {text} may be off by {rounding:g}, more than the window of {ppm:g} ppm"


def _contradiction(spectrum: Spectrum) -> Rejection | None:
    sign = {"positive": 1, "negative": -1}.get(spectrum.metadata.get("ionmode", ""), 0)
    if spectrum.adduct is not None:
        if spectrum.charge and spectrum.charge != spectrum.adduct.charge:
            return Rejection.CHARGE_CONTRADICTS_ADDUCT
        if sign * spectrum.adduct.charge < 0:
            return Rejection.POLARITY_CONTRADICTS_ADDUCT
    return Rejection.POLARITY_CONTRADICTS_CHARGE if spectrum.charge and sign * spectrum.charge < 0 else None
