import numpy as np
import pytest

from diptych.spectra.spectrum import Spectrum
from diptych.training.augmentation import augmented, drop_peaks, vary_intensities
from diptych.training.config import AugmentationConfig

MANY = Spectrum.from_peaks(np.linspace(50, 500, 2000), np.linspace(1, 100, 2000), precursor_mz=501.0, identifier="x")
EMPTY = Spectrum.from_peaks([], [])


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_peaks_are_dropped_at_the_rate_and_the_rest_is_untouched():
    fewer = drop_peaks(MANY, rate=0.3, rng=generator())
    assert fewer.n_peaks == pytest.approx(1400, abs=60)
    assert np.isin(fewer.mz, MANY.mz).all()
    assert (np.diff(fewer.mz) > 0).all()
    assert (fewer.precursor_mz, fewer.identifier) == (501.0, "x")
    assert MANY.n_peaks == 2000


def test_the_strongest_peak_always_stays():
    assert drop_peaks(MANY, rate=1.0, rng=generator()).intensity.tolist() == [100.0]
    assert drop_peaks(EMPTY, rate=0.5, rng=generator()).n_peaks == 0


def test_intensities_vary_by_the_factor_and_positions_do_not():
    varied = vary_intensities(MANY, sigma=0.2, rng=generator())
    assert varied.mz is MANY.mz
    assert np.log(varied.intensity / MANY.intensity).std() == pytest.approx(0.2, rel=0.1)


def test_augmentation_is_a_function_of_the_seed_and_nothing_by_default():
    config = AugmentationConfig(peak_dropout=0.2, intensity_noise=0.1)
    first, again, other = (augmented(MANY, config, rng=generator(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first.intensity, again.intensity)
    assert not np.array_equal(first.intensity, other.intensity)
    assert augmented(MANY, AugmentationConfig(), rng=generator()) is MANY
