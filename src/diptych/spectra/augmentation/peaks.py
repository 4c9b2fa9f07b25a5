"""Peaks that another measurement would have missed, or would have had besides."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diptych.spectra.spectrum import Spectrum

_LOWEST_NOISE_MZ = 40.0
_WEAKEST_NOISE = 1e-3


def drop_peaks(spectrum: Spectrum, *, rate: float, rng: np.random.Generator) -> Spectrum:
    """Return the spectrum with each peak left out with a probability; the strongest always stays.

    Parameters
    ----------
    spectrum
        As measured; identity, precursor and acquisition conditions do not change.
    rate
        Probability in [0, 1].
    rng
        One number is drawn per peak.
    """
    keep = rng.random(spectrum.n_peaks) >= rate
    if spectrum.n_peaks:
        keep[int(np.argmax(spectrum.intensity))] = True
    return spectrum.with_peaks(spectrum.mz[keep], spectrum.intensity[keep])


def add_noise_peaks(
    spectrum: Spectrum, *, n: int, max_relative_intensity: float, clearance_da: float = 0.05, rng: np.random.Generator
) -> Spectrum:
    """Return the spectrum with up to ``n`` weak peaks where none was measured.

    Parameters
    ----------
    spectrum
        Its own peaks stay as they are; one without peaks gets none.
    n
        Peaks drawn; those that fall within the clearance of a measured peak are given up.
    max_relative_intensity
        Of the noise, relative to the strongest peak; relative intensities are uniform in their logarithm from 0.001.
    clearance_da
        Distance to every measured peak, Th, so that noise is never taken for one of them.
    rng
        Two numbers are drawn per noise peak.

    Notes
    -----
    m/z are uniform from 40 Th to the precursor, or to the last peak where the precursor is not known.
    """
    place, strength = rng.random(n), rng.random(n)
    if not spectrum.n_peaks:
        return spectrum
    end = spectrum.precursor_mz if spectrum.precursor_mz is not None else float(spectrum.mz[-1])
    mz = _LOWEST_NOISE_MZ + place * max(end - _LOWEST_NOISE_MZ, 0.0)
    low, high = np.log(min(_WEAKEST_NOISE, max_relative_intensity)), np.log(max_relative_intensity)
    intensity = spectrum.intensity.max() * np.exp(low + strength * (high - low))
    free = (_distance_to_nearest(spectrum, mz) > clearance_da) & (mz < end)
    mz = np.concatenate([spectrum.mz, mz[free]])
    intensity = np.concatenate([spectrum.intensity, intensity[free].astype(np.float32)])
    order = np.argsort(mz, kind="stable")
    return spectrum.with_peaks(mz[order], intensity[order])


def _distance_to_nearest(spectrum: Spectrum, mz: NDArray[np.float64]) -> NDArray[np.float64]:
    bounded = np.concatenate([[-np.inf], spectrum.mz, [np.inf]])
    above = np.searchsorted(bounded, mz)
    distance: NDArray[np.float64] = np.minimum(mz - bounded[above - 1], bounded[above] - mz)
    return distance


def crop_mz_range(spectrum: Spectrum, *, low: float, high: float) -> Spectrum:
    """Return the spectrum with the peaks from ``low`` to ``high`` (Th); one that has none there stays whole.

    Notes
    -----
    A quadrupole ion trap loses what lies below q / 0.908 of the precursor m/z, which is 28 % at the usual q of 0.25
    (March, doi:10.1002/(SICI)1096-9888(199704)32:4<351::AID-JMS512>3.0.CO;2-Y).
    """
    first = int(np.searchsorted(spectrum.mz, low, side="left"))
    last = int(np.searchsorted(spectrum.mz, high, side="right"))
    if first >= last or last - first == spectrum.n_peaks:
        return spectrum
    return spectrum.with_peaks(spectrum.mz[first:last], spectrum.intensity[first:last])


def remove_precursor(spectrum: Spectrum, *, below_da: float = 0.5, above_da: float = 3.5) -> Spectrum:
    """Return the spectrum without the precursor's peak and its isotopes; one of nothing else stays whole.

    Parameters
    ----------
    spectrum
        Without a precursor m/z nothing is removed.
    below_da, above_da
        What counts as the precursor: from this far below its m/z to this far above, Th.
    """
    if spectrum.precursor_mz is None:
        return spectrum
    first = int(np.searchsorted(spectrum.mz, spectrum.precursor_mz - below_da, side="left"))
    last = int(np.searchsorted(spectrum.mz, spectrum.precursor_mz + above_da, side="right"))
    if first == last or last - first == spectrum.n_peaks:
        return spectrum
    keep = np.r_[0:first, last : spectrum.n_peaks]
    return spectrum.with_peaks(spectrum.mz[keep], spectrum.intensity[keep])
