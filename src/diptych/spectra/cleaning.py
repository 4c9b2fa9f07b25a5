"""Which peaks of a spectrum are kept: each filter one pure function, `clean` applies those that are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from diptych.errors import ConfigError
from diptych.spectra.spectrum import Spectrum


@dataclass(frozen=True, kw_only=True)
class CleaningSettings:
    """What `clean` removes; by default nothing. Saved with the encoder that needs it.

    Attributes
    ----------
    min_mz, max_mz
        Th; peaks outside are removed. None: no limit.
    precursor_margin
        Th; peaks more than this above the precursor m/z are removed (isotopes of the precursor stay with 3 to 5). None:
        they are kept.
    merge_ppm
        Neighbouring peaks closer than this are merged into one. None: none are.
    min_relative_intensity
        Fraction of the most intense peak; weaker peaks are removed.
    max_peaks
        At most so many peaks are kept, the most intense ones. None: no limit.
    """

    min_mz: float = 0.0
    max_mz: float | None = None
    precursor_margin: float | None = None
    merge_ppm: float | None = None
    min_relative_intensity: float = 0.0
    max_peaks: int | None = None

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value is not None and not value >= 0:
                raise ConfigError(f"cleaning setting {name} is {value!r}; expected a number not below 0")

    def to_dict(self) -> dict[str, float | int | None]:
        """Return the settings as JSON can hold them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> Self:
        """Return the settings that `to_dict` gave.

        Raises
        ------
        ConfigError
            A setting is unknown or below 0.
        """
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(settings).difference(known))
        if unknown:
            raise ConfigError(f"unknown cleaning setting {unknown[0]!r}; expected one of {', '.join(known)}")
        return cls(**settings)


def clean(spectrum: Spectrum, settings: CleaningSettings) -> Spectrum:
    """Return the spectrum with the peaks that the settings keep.

    The filters are applied in the order of the settings; relative intensities refer to the most intense peak that the
    filters before have left.
    """
    cleaned = keep_mz_range(spectrum, minimum=settings.min_mz, maximum=settings.max_mz)
    if settings.precursor_margin is not None:
        cleaned = remove_above_precursor(cleaned, margin=settings.precursor_margin)
    if settings.merge_ppm:
        cleaned = merge_close_peaks(cleaned, ppm=settings.merge_ppm)
    if settings.min_relative_intensity:
        cleaned = remove_weak_peaks(cleaned, min_relative_intensity=settings.min_relative_intensity)
    if settings.max_peaks is not None:
        cleaned = keep_most_intense(cleaned, max_peaks=settings.max_peaks)
    return cleaned


def keep_mz_range(spectrum: Spectrum, *, minimum: float = 0.0, maximum: float | None = None) -> Spectrum:
    """Return the spectrum with the peaks from minimum to maximum m/z (Th), both included."""
    first = int(np.searchsorted(spectrum.mz, minimum, side="left")) if minimum > 0 else 0
    last = spectrum.n_peaks if maximum is None else int(np.searchsorted(spectrum.mz, maximum, side="right"))
    if first == 0 and last == spectrum.n_peaks:
        return spectrum
    return spectrum.with_peaks(spectrum.mz[first:last], spectrum.intensity[first:last])


def remove_above_precursor(spectrum: Spectrum, *, margin: float) -> Spectrum:
    """Return the spectrum without peaks more than ``margin`` (Th) above its precursor m/z.

    A spectrum without a precursor m/z, or of a precursor of several charges, whose fragments may lie above it, keeps
    all of its peaks.
    """
    charge = spectrum.charge or (spectrum.adduct.charge if spectrum.adduct else 1)
    if spectrum.precursor_mz is None or abs(charge) > 1:
        return spectrum
    return keep_mz_range(spectrum, maximum=spectrum.precursor_mz + margin)


def merge_close_peaks(spectrum: Spectrum, *, ppm: float) -> Spectrum:
    """Return the spectrum with each run of peaks that follow one another within ``ppm`` as one peak.

    Notes
    -----
    Its intensity is the sum of theirs, its m/z their mean weighted by intensity.
    """
    if spectrum.n_peaks < 2:
        return spectrum
    is_new = np.diff(spectrum.mz) > spectrum.mz[:-1] * (ppm * 1e-6)
    if is_new.all():
        return spectrum
    return merge_runs(spectrum, is_new)


def merge_runs(spectrum: Spectrum, is_new: NDArray[np.bool_]) -> Spectrum:
    """Return the spectrum with each run of neighbouring peaks as one, of their summed intensity and mean m/z.

    Parameters
    ----------
    spectrum
        With at least one peak.
    is_new
        Bool, of shape (n_peaks - 1,): whether each peak but the first begins a run.
    """
    starts = np.concatenate(([0], np.flatnonzero(is_new) + 1))
    weights = spectrum.intensity.astype(np.float64)
    totals = np.add.reduceat(weights, starts)
    mz = np.add.reduceat(spectrum.mz * weights, starts) / totals
    return spectrum.with_peaks(mz, totals.astype(np.float32))


def remove_weak_peaks(spectrum: Spectrum, *, min_relative_intensity: float) -> Spectrum:
    """Return the spectrum without peaks weaker than this fraction of its most intense peak."""
    if not spectrum.n_peaks:
        return spectrum
    keep = spectrum.intensity >= spectrum.intensity.max() * min_relative_intensity
    if keep.all():
        return spectrum
    return spectrum.with_peaks(spectrum.mz[keep], spectrum.intensity[keep])


def keep_most_intense(spectrum: Spectrum, *, max_peaks: int) -> Spectrum:
    """Return the spectrum with its most intense peaks, at most ``max_peaks``; of equal ones those of lower m/z."""
    if spectrum.n_peaks <= max_peaks:
        return spectrum
    kept = np.sort(np.argsort(-spectrum.intensity, kind="stable")[:max_peaks])
    return spectrum.with_peaks(spectrum.mz[kept], spectrum.intensity[kept])
