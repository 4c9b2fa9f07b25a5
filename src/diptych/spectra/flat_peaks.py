"""Many spectra cleaned at once, in flat arrays: what `clean` does to each, at a tenth of its time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from diptych.spectra.cleaning import CleaningSettings, clean
from diptych.spectra.spectrum import Spectrum


@dataclass(frozen=True, kw_only=True, eq=False)
class FlatPeaks:
    """The peaks of several spectra, one after the other.

    Attributes
    ----------
    offsets
        int64, of shape (n_spectra + 1,): spectrum i holds ``mz[offsets[i]:offsets[i + 1]]``.
    mz
        float64, of shape (n_peaks,), Th, ascending within a spectrum.
    intensity
        float32, of shape (n_peaks,), arbitrary units.
    """

    offsets: NDArray[np.int64]
    mz: NDArray[np.float64]
    intensity: NDArray[np.float32]

    @classmethod
    def of(cls, spectra: Sequence[Spectrum]) -> Self:
        """Return the peaks of spectra as they are."""
        counts = [spectrum.mz.size for spectrum in spectra]
        return cls(
            offsets=np.cumsum([0, *counts], dtype=np.int64),
            mz=np.concatenate([np.empty(0), *(spectrum.mz for spectrum in spectra)]),
            intensity=np.concatenate([np.empty(0, np.float32), *(spectrum.intensity for spectrum in spectra)]),
        )

    @property
    def counts(self) -> NDArray[np.int64]:
        """Peaks of each spectrum, int64 of shape (n_spectra,)."""
        return np.diff(self.offsets)

    @property
    def owners(self) -> NDArray[np.int64]:
        """Spectrum of each peak, int64 of shape (n_peaks,)."""
        return np.repeat(np.arange(len(self.offsets) - 1), self.counts)

    def where(self, keep: NDArray[np.bool_]) -> Self:
        """Return the peaks for which ``keep``, of shape (n_peaks,), is true."""
        if keep.all():
            return self
        kept_before = np.concatenate([[0], np.cumsum(keep)])
        return type(self)(offsets=kept_before[self.offsets], mz=self.mz[keep], intensity=self.intensity[keep])

    def strongest(self) -> NDArray[np.float32]:
        """Return the largest intensity of each spectrum, float32 of shape (n_spectra,); 0 where there is no peak."""
        largest = np.zeros(len(self.offsets) - 1, dtype=np.float32)
        filled = self.counts > 0
        if filled.any():
            largest[filled] = np.maximum.reduceat(self.intensity, self.offsets[:-1][filled])
        return largest


def clean_together(spectra: Sequence[Spectrum], settings: CleaningSettings) -> FlatPeaks:
    """Return the peaks that `clean` leaves of each spectrum."""
    if settings.merge_ppm:
        return FlatPeaks.of([clean(spectrum, settings) for spectrum in spectra])
    peaks = FlatPeaks.of(spectra)
    highest = np.array([_highest_mz(spectrum, settings) for spectrum in spectra], dtype=np.float64)
    peaks = peaks.where((peaks.mz >= settings.min_mz) & (peaks.mz <= highest[peaks.owners]))
    if settings.min_relative_intensity:
        weakest = peaks.strongest() * settings.min_relative_intensity
        peaks = peaks.where(peaks.intensity >= weakest[peaks.owners])
    return peaks if settings.max_peaks is None else _most_intense(peaks, at_most=settings.max_peaks)


def _highest_mz(spectrum: Spectrum, settings: CleaningSettings) -> float:
    highest = np.inf if settings.max_mz is None else settings.max_mz
    charge = spectrum.charge or (spectrum.adduct.charge if spectrum.adduct else 1)
    if settings.precursor_margin is None or spectrum.precursor_mz is None or abs(charge) > 1:
        return highest
    return min(highest, spectrum.precursor_mz + settings.precursor_margin)


def _most_intense(peaks: FlatPeaks, *, at_most: int) -> FlatPeaks:
    owners = peaks.owners
    contested = np.flatnonzero((peaks.counts > at_most)[owners])
    # By intensity within each spectrum; equal ones stay in the order of their m/z.
    order = contested[np.lexsort((-peaks.intensity[contested], owners[contested]))]
    lengths = peaks.counts[peaks.counts > at_most]
    rank = np.arange(len(order)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    keep = np.ones(len(owners), dtype=bool)
    keep[order[rank >= at_most]] = False
    return peaks.where(keep)
