"""Whether a spectrum can be worked with; if not, why: reasons are data, to be counted and shown."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from diptych.spectra.spectrum import Spectrum


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


def _contradiction(spectrum: Spectrum) -> Rejection | None:
    sign = {"positive": 1, "negative": -1}.get(spectrum.metadata.get("ionmode", ""), 0)
    if spectrum.adduct is not None:
        if spectrum.charge and spectrum.charge != spectrum.adduct.charge:
            return Rejection.CHARGE_CONTRADICTS_ADDUCT
        if sign * spectrum.adduct.charge < 0:
            return Rejection.POLARITY_CONTRADICTS_ADDUCT
    return Rejection.POLARITY_CONTRADICTS_CHARGE if spectrum.charge and sign * spectrum.charge < 0 else None
