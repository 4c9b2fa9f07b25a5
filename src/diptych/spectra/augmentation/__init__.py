"""Spectra as they might have been measured instead: pure functions of a spectrum and a random generator.

Each changes peaks alone: identifier, precursor, adduct, charge, instrument and metadata stay. Only merging replicates
changes the collision energy, which is then that of two measurements.
"""

from diptych.spectra.augmentation.intensities import stretch_intensities, vary_intensities
from diptych.spectra.augmentation.masses import lower_resolution, shift_masses
from diptych.spectra.augmentation.peaks import add_noise_peaks, crop_mz_range, drop_peaks, remove_precursor
from diptych.spectra.augmentation.replicates import merge_replicates

__all__ = [
    "add_noise_peaks",
    "crop_mz_range",
    "drop_peaks",
    "lower_resolution",
    "merge_replicates",
    "remove_precursor",
    "shift_masses",
    "stretch_intensities",
    "vary_intensities",
]
