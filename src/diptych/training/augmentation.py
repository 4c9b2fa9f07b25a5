"""Spectra as they might have been measured instead: pure functions of a spectrum and a random generator."""

from __future__ import annotations

import numpy as np

from diptych.spectra.spectrum import Spectrum
from diptych.training.config import AugmentationConfig


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
    return spectrum.with_changes(mz=spectrum.mz[keep], intensity=spectrum.intensity[keep])


def vary_intensities(spectrum: Spectrum, *, sigma: float, rng: np.random.Generator) -> Spectrum:
    """Return the spectrum with each intensity multiplied by exp(x), x normal with mean 0 and deviation ``sigma``."""
    factor = np.exp(rng.normal(0.0, sigma, spectrum.n_peaks)).astype(np.float32)
    return spectrum.with_changes(intensity=spectrum.intensity * factor)


def augmented(spectrum: Spectrum, config: AugmentationConfig, *, rng: np.random.Generator) -> Spectrum:
    """Return a spectrum after the augmentations of a configuration; the peaks that stay keep their order."""
    if config.peak_dropout:
        spectrum = drop_peaks(spectrum, rate=rng.uniform(0.0, 2 * config.peak_dropout), rng=rng)
    if config.intensity_noise:
        spectrum = vary_intensities(spectrum, sigma=config.intensity_noise, rng=rng)
    return spectrum
