"""Positions as a less accurate, or a less resolving, analyser would have given them."""

from __future__ import annotations

import numpy as np

from diptych.spectra.cleaning import merge_runs
from diptych.spectra.spectrum import Spectrum

# Of the variance of the mass error: what all peaks of a scan share (calibration), and what each has to itself.
_SHARED = 0.5


def shift_masses(spectrum: Spectrum, *, sigma_ppm: float, rng: np.random.Generator) -> Spectrum:
    """Return the spectrum with measurement errors added to its m/z; the precursor m/z stays.

    Parameters
    ----------
    spectrum
        Peaks that the errors put in another order are sorted.
    sigma_ppm
        Standard deviation of the error of a peak, parts per million.
    rng
        One number is drawn for the spectrum and one per peak.

    Notes
    -----
    m -> m (1 + 10^-6 (c + e)), c normal with variance sigma^2 / 2 for the whole spectrum (its calibration), e the same
    for each peak. Errors are cut at three standard deviations, so that a peak never leaves the accuracy stated.
    """
    draws = np.clip(rng.standard_normal(1 + spectrum.n_peaks), -3, 3)
    error = np.sqrt(_SHARED) * draws[0] + np.sqrt(1 - _SHARED) * draws[1:]
    mz = spectrum.mz * (1 + 1e-6 * sigma_ppm * np.clip(error, -3, 3))
    order = np.argsort(mz, kind="stable")
    return spectrum.with_peaks(mz[order], spectrum.intensity[order])


def lower_resolution(
    spectrum: Spectrum, *, resolving_power: float, at_mz: float = 200.0, exponent: float = 0.0
) -> Spectrum:
    """Return the spectrum with peaks that an analyser of this resolving power sees as one merged.

    Parameters
    ----------
    spectrum
        Total intensity does not change.
    resolving_power
        m / width of a peak at half its height.
    at_mz
        Th, where the resolving power is stated.
    exponent
        How it falls with m/z: 0 for time of flight, 0.5 for an Orbitrap, 1 for ion cyclotron resonance.

    Notes
    -----
    R(m) = R_0 (m_0 / m)^exponent (Orbitrap, 0.5: Makarov, doi:10.1021/ac991131p); peaks that follow one another within
    m / R(m) become one, of their summed intensity and at their mean m/z weighted by intensity.
    """
    if spectrum.n_peaks < 2:
        return spectrum
    width = spectrum.mz / (resolving_power * (at_mz / spectrum.mz) ** exponent)
    is_new = np.diff(spectrum.mz) > width[:-1]
    if is_new.all():
        return spectrum
    return merge_runs(spectrum, is_new)
