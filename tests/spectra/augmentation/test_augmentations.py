"""Each augmentation by hand."""

import numpy as np
import pytest

from diptych.errors import SpectrumError
from diptych.spectra.adduct import Adduct
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

MANY = Spectrum.from_peaks(np.linspace(50, 500, 2000), np.linspace(1, 100, 2000), precursor_mz=501.0, identifier="x")
EMPTY = Spectrum.from_peaks([], [])


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_peaks_are_dropped_at_the_rate_and_the_rest_is_untouched():
    fewer = drop_peaks(MANY, rate=0.3, rng=generator())
    assert fewer.n_peaks == pytest.approx(1400, abs=60)
    assert np.isin(fewer.mz, MANY.mz).all()
    assert (fewer.precursor_mz, fewer.identifier) == (501.0, "x")
    assert MANY.n_peaks == 2000


def test_the_strongest_peak_always_stays():
    assert drop_peaks(MANY, rate=1.0, rng=generator()).intensity.tolist() == [100.0]
    assert drop_peaks(EMPTY, rate=0.5, rng=generator()).n_peaks == 0


def test_intensities_vary_by_the_factor_and_positions_do_not():
    varied = vary_intensities(MANY, sigma=0.2, rng=generator())
    assert varied.mz is MANY.mz
    assert np.log(varied.intensity / MANY.intensity).std() == pytest.approx(0.2, rel=0.1)


def test_a_power_stretches_relative_intensities():
    spectrum = Spectrum.from_peaks([100, 200, 300], [1, 10, 100])
    assert stretch_intensities(spectrum, exponent=2.0).intensity.tolist() == pytest.approx([0.01, 1, 100], rel=1e-5)
    assert stretch_intensities(EMPTY, exponent=2.0) is EMPTY
    # (10^-30)^4 is below what a float32 can hold; the peak stays all the same.
    faint = Spectrum.from_peaks([100, 200], [1e-30, 1])
    assert (stretch_intensities(faint, exponent=4.0).intensity > 0).all()


def test_mass_errors_have_the_deviation_and_half_of_the_variance_is_shared():
    errors = []
    for seed in range(400):
        shifted = shift_masses(MANY, sigma_ppm=5.0, rng=generator(seed))
        errors.append((shifted.mz[::200] / MANY.mz[::200] - 1) * 1e6)
    errors = np.array(errors)
    assert errors.std() == pytest.approx(5.0, rel=0.05)
    assert np.mean(errors) == pytest.approx(0.0, abs=0.7)
    assert errors.mean(axis=1).var() == pytest.approx(12.5 + 12.5 / 10, rel=0.2)


def test_peaks_closer_than_their_width_become_one():
    # R = 10,000 at m/z 200: a peak is 0.02 wide there, and with exponent 0.5 it is 0.0566 wide at m/z 400.
    spectrum = Spectrum.from_peaks([200.0, 200.015, 400.0, 400.05], [3.0, 1.0, 1.0, 1.0])
    merged = lower_resolution(spectrum, resolving_power=10_000, exponent=0.5)
    assert merged.mz.tolist() == pytest.approx([(3 * 200 + 200.015) / 4, 400.025])
    assert merged.intensity.tolist() == [4.0, 2.0]
    # Of constant resolving power it is 0.04 wide at m/z 400.
    assert lower_resolution(spectrum, resolving_power=10_000).n_peaks == 3
    assert lower_resolution(spectrum, resolving_power=1e6) is spectrum


def test_a_crop_keeps_what_lies_inside_and_never_everything_away():
    spectrum = Spectrum.from_peaks([50, 100, 150], [1, 2, 3])
    assert crop_mz_range(spectrum, low=100, high=150).mz.tolist() == [100, 150]
    assert crop_mz_range(spectrum, low=60, high=120).mz.tolist() == [100]
    assert crop_mz_range(spectrum, low=101, high=149) is spectrum
    assert crop_mz_range(spectrum, low=0, high=999) is spectrum


def test_the_precursor_and_its_isotopes_go():
    spectrum = Spectrum.from_peaks([100, 199.6, 200, 201, 203.4, 204], [1, 2, 3, 4, 5, 6], precursor_mz=200.0)
    assert remove_precursor(spectrum).mz.tolist() == [100, 204]
    only = Spectrum.from_peaks([200], [1], precursor_mz=200.0)
    assert remove_precursor(only) is only
    unknown = spectrum.with_changes(precursor_mz=None)
    assert remove_precursor(unknown) is unknown


def test_noise_is_weak_spread_out_and_clear_of_measured_peaks():
    spectrum = Spectrum.from_peaks([100, 300], [50, 1000], precursor_mz=400.0)
    noisy = add_noise_peaks(spectrum, n=2000, max_relative_intensity=0.02, clearance_da=5.0, rng=generator())
    added = ~np.isin(noisy.mz, spectrum.mz)
    assert added.sum() == pytest.approx(2000 * (360 - 20) / 360, abs=30)
    assert noisy.mz[added].min() >= 40
    assert noisy.mz[added].max() < 400
    assert 1.0 <= noisy.intensity[added].min() <= noisy.intensity[added].max() <= 20.001
    assert np.abs(noisy.mz[added] - 100).min() > 5
    assert np.median(np.log(noisy.intensity[added])) == pytest.approx(np.log(20) / 2, abs=0.1)
    assert add_noise_peaks(EMPTY, n=9, max_relative_intensity=0.02, rng=generator()) is EMPTY


ION = Adduct.parse("[M+H]+")


def replicate(mz: list[float], intensity: list[float], energy: float | None, **fields: object) -> Spectrum:
    return Spectrum.from_peaks(mz, intensity, collision_energy=energy, **{"adduct": ION, "identifier": "a", **fields})


def test_replicates_are_summed_after_each_is_made_relative():
    first = replicate([100.0, 200.0], [50.0, 100.0], 10.0, precursor_mz=300.0)
    second = replicate([100.0005, 150.0], [8.0, 4.0], 40.0, identifier="b")
    merged = merge_replicates(first, second, weight=0.25)
    # Weights 0.75 and 0.25: 0.75 * 0.5 and 0.25 * 1 are 5 ppm apart and become one peak.
    assert merged.intensity.tolist() == pytest.approx([0.625, 0.125, 0.75])
    assert merged.mz.tolist() == pytest.approx([(0.375 * 100 + 0.25 * 100.0005) / 0.625, 150.0, 200.0])
    assert merged.collision_energy == pytest.approx(0.75 * 10 + 0.25 * 40)
    assert (merged.identifier, merged.precursor_mz) == ("a", 300.0)


def test_an_unknown_energy_stays_unknown_and_weight_nothing_changes_no_peak():
    first, second = replicate([100.0], [1.0], None), replicate([150.0], [1.0], 40.0)
    assert merge_replicates(first, second, weight=0.5).collision_energy is None
    assert merge_replicates(second, first, weight=0.0).mz.tolist() == [150.0]


def test_spectra_of_different_ions_are_not_merged():
    other = replicate([100.0], [1.0], 10.0, adduct=Adduct.parse("[M+Na]+"))
    with pytest.raises(SpectrumError, match=r"'a' of \[M\+Na\]\+ merged with 'a' of \[M\+H\]\+; expected one adduct"):
        merge_replicates(other, replicate([100.0], [1.0], 10.0), weight=0.5)
