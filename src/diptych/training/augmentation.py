"""The augmentations of a configuration, each applied as often and as strongly as it says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diptych.data.instruments import InstrumentClass, instrument_class
from diptych.spectra.augmentation import (
    add_noise_peaks,
    crop_mz_range,
    drop_peaks,
    lower_resolution,
    merge_replicates,
    remove_precursor,
    shift_masses,
    stretch_intensities,
    vary_intensities,
)
from diptych.spectra.spectrum import Spectrum
from diptych.training.ragged import Ragged

if TYPE_CHECKING:
    from diptych.data.dataset import Dataset
    from diptych.training.data_config import AugmentationConfig

# Usual mass error of a fragment, ppm. docs/augmentations.md says where the figures come from.
MASS_ERROR_PPM = {
    InstrumentClass.FOURIER_TRANSFORM: 3.0,
    InstrumentClass.TIME_OF_FLIGHT: 7.0,
    InstrumentClass.ION_TRAP: 300.0,
    InstrumentClass.QUADRUPOLE: 500.0,
    InstrumentClass.OTHER: 10.0,
}
_RESOLUTION_EXPONENT = {InstrumentClass.FOURIER_TRANSFORM: 0.5}
_RESOLUTION_RANGE = 10.0

Step = Callable[[Spectrum, "AugmentationConfig", np.random.Generator], Spectrum]


def augmented(spectrum: Spectrum, config: AugmentationConfig, *, rng: np.random.Generator) -> Spectrum:
    """Return a spectrum after the augmentations of a configuration, but for the merging of replicates.

    Parameters
    ----------
    spectrum
        As measured.
    config
        What is 0 is left out, and draws nothing.
    rng
        Decides everything.
    """
    for name, step in _STEPS.items():
        if getattr(config, name):
            spectrum = step(spectrum, config, rng)
    return spectrum


def _cropped(spectrum: Spectrum, config: AugmentationConfig, rng: np.random.Generator) -> Spectrum:
    applied, low, high = rng.random(3)
    if applied >= config.crop_probability or not spectrum.n_peaks:
        return spectrum
    end = spectrum.precursor_mz if spectrum.precursor_mz is not None else float(spectrum.mz[-1])
    # Isotopes of the precursor lie above it; an upper limit that takes nothing away leaves them.
    top = np.inf if not config.crop_high else end * (1 - high * config.crop_high)
    return crop_mz_range(spectrum, low=end * low * config.crop_low, high=top)


def _at_lower_resolution(spectrum: Spectrum, config: AugmentationConfig, rng: np.random.Generator) -> Spectrum:
    applied, power = rng.random(2)
    if applied >= config.resolution_probability:
        return spectrum
    resolving_power = config.resolving_power * _RESOLUTION_RANGE**power
    exponent = _RESOLUTION_EXPONENT.get(_class_of(spectrum), 0.0)
    return lower_resolution(spectrum, resolving_power=resolving_power, exponent=exponent)


def _without_precursor(spectrum: Spectrum, config: AugmentationConfig, rng: np.random.Generator) -> Spectrum:
    return remove_precursor(spectrum) if rng.random() < config.precursor_removal_probability else spectrum


def _with_fewer_peaks(spectrum: Spectrum, config: AugmentationConfig, rng: np.random.Generator) -> Spectrum:
    return drop_peaks(spectrum, rate=rng.uniform(0.0, 2 * config.peak_dropout), rng=rng)


def _with_mass_errors(spectrum: Spectrum, config: AugmentationConfig, rng: np.random.Generator) -> Spectrum:
    return shift_masses(spectrum, sigma_ppm=config.mz_jitter * MASS_ERROR_PPM[_class_of(spectrum)], rng=rng)


def _stretched(spectrum: Spectrum, config: AugmentationConfig, rng: np.random.Generator) -> Spectrum:
    widest = np.log1p(config.intensity_power)
    return stretch_intensities(spectrum, exponent=float(np.exp(rng.uniform(-widest, widest))))


def _with_intensity_noise(spectrum: Spectrum, config: AugmentationConfig, rng: np.random.Generator) -> Spectrum:
    return vary_intensities(spectrum, sigma=config.intensity_noise, rng=rng)


def _with_noise_peaks(spectrum: Spectrum, config: AugmentationConfig, rng: np.random.Generator) -> Spectrum:
    n = int(rng.poisson(config.noise_peaks))
    return add_noise_peaks(spectrum, n=n, max_relative_intensity=config.noise_intensity, rng=rng)


_STEPS: dict[str, Step] = {
    "crop_probability": _cropped,
    "resolution_probability": _at_lower_resolution,
    "precursor_removal_probability": _without_precursor,
    "peak_dropout": _with_fewer_peaks,
    "mz_jitter": _with_mass_errors,
    "intensity_power": _stretched,
    "intensity_noise": _with_intensity_noise,
    "noise_peaks": _with_noise_peaks,
}


def _class_of(spectrum: Spectrum) -> InstrumentClass:
    return instrument_class(spectrum.instrument_type, spectrum.metadata.get("instrument"))


@dataclass(frozen=True, kw_only=True, eq=False)
class Replicates:
    """Which spectra are of one molecule and adduct.

    Attributes
    ----------
    group
        int64, of shape (n_spectra,): number of each spectrum's molecule and adduct.
    spectra_of
        For each such number its spectra.
    """

    group: NDArray[np.int64]
    spectra_of: Ragged

    @classmethod
    def of(cls, dataset: Dataset) -> Replicates:
        """Return the groups of a dataset; a spectrum of an unknown adduct stands alone."""
        adducts = dataset.column("adduct").astype(str)
        alone = np.where(np.isin(adducts, ["", "None"]), np.arange(len(dataset)), -1)
        _, adduct = np.unique(adducts, return_inverse=True)
        _, group = np.unique(np.stack([dataset.molecules, adduct, alone]), axis=1, return_inverse=True)
        group = group.ravel().astype(np.int64)
        return cls(group=group, spectra_of=Ragged.from_owners(group, n_owners=int(group.max(initial=-1)) + 1))

    def others(self, row: int) -> NDArray[np.int64]:
        """Return the other spectra of a spectrum's group."""
        rows = self.spectra_of[int(self.group[row])]
        others: NDArray[np.int64] = rows[rows != row]
        return others

    def merged(
        self, spectra: Sequence[Spectrum], row: int, *, probability: float, rng: np.random.Generator
    ) -> Spectrum:
        """Return a spectrum, or with a probability its sum with another of its group.

        Parameters
        ----------
        spectra
            All of them.
        row
            The one that is drawn.
        probability
            In [0, 1]; a spectrum without others of its group stays as it is.
        rng
            Three numbers are drawn.
        """
        applied, which, weight = rng.random(3)
        others = self.others(row)
        if applied >= probability or not others.size:
            return spectra[row]
        return merge_replicates(spectra[row], spectra[int(others[int(which * others.size)])], weight=float(weight))


def replicates_for(config: AugmentationConfig, dataset: Dataset) -> Replicates | None:
    """Return the replicates of the training spectra; None where the configuration merges none."""
    return Replicates.of(dataset) if config.replicate_merging_probability else None
