"""Intensities as another detector, or another transmission, would have given them."""

from __future__ import annotations

import numpy as np

from diptych.spectra.spectrum import Spectrum


def vary_intensities(spectrum: Spectrum, *, sigma: float, rng: np.random.Generator) -> Spectrum:
    """Return the spectrum with each intensity multiplied by exp(x), x normal with mean 0 and deviation ``sigma``.

    Parameters
    ----------
    spectrum
        Its m/z values do not change.
    sigma
        Not below 0.
    rng
        One number is drawn per peak.

    Notes
    -----
    I_k -> I_k exp(x_k), x_k ~ N(0, sigma^2). That intensities are varied in training is from MS2DeepScore (Huber et
    al., doi:10.1186/s13321-021-00558-4), which draws the factors from an interval; a factor and its inverse are as
    likely here.
    """
    factor = np.exp(rng.normal(0.0, sigma, spectrum.n_peaks)).astype(np.float32)
    return spectrum.with_peaks(spectrum.mz, spectrum.intensity * factor)


def stretch_intensities(spectrum: Spectrum, *, exponent: float) -> Spectrum:
    """Return the spectrum with relative intensities raised to a power; their order and the strongest one stay.

    Parameters
    ----------
    spectrum
        Its m/z values do not change.
    exponent
        Above 0: below 1 weak peaks gain, above 1 they lose.

    Notes
    -----
    I -> I_max (I / I_max)^exponent: the weighing of peaks by a power of their intensity in library search (Stein and
    Scott 1994, doi:10.1016/1044-0305(94)87009-8), with the power drawn.

    Examples
    --------
    >>> stretch_intensities(Spectrum.from_peaks([50, 60], [25, 100]), exponent=0.5).intensity.tolist()
    [50.0, 100.0]
    """
    if not spectrum.n_peaks:
        return spectrum
    strongest = spectrum.intensity.max()
    stretched = strongest * (spectrum.intensity / strongest) ** np.float32(exponent)
    # An intensity is positive: what would vanish stays as the smallest number.
    return spectrum.with_peaks(spectrum.mz, np.maximum(stretched, np.finfo(np.float32).tiny))
