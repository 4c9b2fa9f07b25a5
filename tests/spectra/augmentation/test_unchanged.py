"""What no augmentation changes, for spectra of any kind."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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

Augmentation = Callable[[Spectrum, np.random.Generator], Spectrum]

AUGMENTATIONS: dict[str, Augmentation] = {
    "dropped": lambda s, rng: drop_peaks(s, rate=0.5, rng=rng),
    "noise": lambda s, rng: add_noise_peaks(s, n=5, max_relative_intensity=0.02, rng=rng),
    "cropped": lambda s, _: crop_mz_range(s, low=100.0, high=400.0),
    "precursor": lambda s, _: remove_precursor(s),
    "varied": lambda s, rng: vary_intensities(s, sigma=0.3, rng=rng),
    "stretched": lambda s, _: stretch_intensities(s, exponent=1.7),
    "shifted": lambda s, rng: shift_masses(s, sigma_ppm=10.0, rng=rng),
    "resolution": lambda s, _: lower_resolution(s, resolving_power=2000.0, exponent=0.5),
    "merged": lambda s, _: merge_replicates(s, s.with_changes(collision_energy=35.0), weight=0.4),
}
KEPT = ("precursor_mz", "charge", "adduct", "instrument_type", "identifier", "metadata")


@st.composite
def spectra(draw: st.DrawFn) -> Spectrum:
    peaks = draw(st.lists(st.tuples(st.floats(20, 1500), st.floats(1e-3, 1e9)), max_size=30))
    return Spectrum.from_peaks(
        [mz for mz, _ in peaks],
        [intensity for _, intensity in peaks],
        precursor_mz=draw(st.one_of(st.none(), st.floats(30, 1500))),
        charge=draw(st.sampled_from([None, 1, -1, 2])),
        adduct=draw(st.sampled_from([None, Adduct.parse("[M+H]+"), Adduct.parse("[M-H]-")])),
        collision_energy=draw(st.one_of(st.none(), st.floats(0, 100))),
        instrument_type=draw(st.sampled_from([None, "LC-ESI-QTOF", "LC-ESI-ITFT"])),
        identifier="x",
        metadata={"smiles": "CCO", "inchikey": "LFQSCWFLJHTTHZ-UHFFFAOYSA-N"},
    )


@pytest.mark.parametrize("name", list(AUGMENTATIONS))
@settings(max_examples=60)
@given(spectrum=spectra(), seed=st.integers(0, 2**32))
def test_identity_stays_and_the_result_is_a_spectrum(name: str, spectrum: Spectrum, seed: int):
    before = (spectrum.mz.copy(), spectrum.intensity.copy())
    changed = AUGMENTATIONS[name](spectrum, np.random.default_rng(seed))
    assert all(getattr(changed, field) == getattr(spectrum, field) for field in KEPT)
    if name != "merged":
        assert changed.collision_energy == spectrum.collision_energy
    assert changed.mz.dtype == np.float64
    assert changed.intensity.dtype == np.float32
    assert (np.diff(changed.mz) >= 0).all()
    assert (changed.mz > 0).all()
    assert (changed.intensity > 0).all()
    assert np.isfinite(changed.intensity).all()
    assert (changed.n_peaks > 0) == (spectrum.n_peaks > 0)
    assert np.array_equal(spectrum.mz, before[0])
    assert np.array_equal(spectrum.intensity, before[1])


@pytest.mark.parametrize("name", list(AUGMENTATIONS))
@settings(max_examples=20)
@given(spectrum=spectra(), seed=st.integers(0, 2**32))
def test_the_seed_decides_everything(name: str, spectrum: Spectrum, seed: int):
    first, again = (AUGMENTATIONS[name](spectrum, np.random.default_rng(seed)) for _ in range(2))
    assert np.array_equal(first.mz, again.mz)
    assert np.array_equal(first.intensity, again.intensity)


@pytest.mark.parametrize("name", ["dropped", "cropped", "precursor"])
@settings(max_examples=60)
@given(spectrum=spectra(), seed=st.integers(0, 2**32))
def test_what_only_removes_peaks_leaves_the_others_as_they_are(name: str, spectrum: Spectrum, seed: int):
    changed = AUGMENTATIONS[name](spectrum, np.random.default_rng(seed))
    measured = set(zip(spectrum.mz.tolist(), spectrum.intensity.tolist(), strict=True))
    assert set(zip(changed.mz.tolist(), changed.intensity.tolist(), strict=True)) <= measured


@settings(max_examples=60)
@given(spectrum=spectra(), seed=st.integers(0, 2**32))
def test_noise_leaves_every_measured_peak_and_its_surroundings_alone(spectrum: Spectrum, seed: int):
    changed = AUGMENTATIONS["noise"](spectrum, np.random.default_rng(seed))
    added = changed.mz[~np.isin(changed.mz, spectrum.mz)]
    assert np.isin(spectrum.mz, changed.mz).all()
    assert changed.n_peaks - spectrum.n_peaks == len(added) <= 5
    if len(added):
        assert np.abs(added[:, None] - spectrum.mz[None, :]).min() > 0.05
        assert added.max() < (spectrum.precursor_mz or spectrum.mz[-1])
        weakest, strongest = (
            x.max() for x in (changed.intensity[~np.isin(changed.mz, spectrum.mz)], spectrum.intensity)
        )
        assert weakest <= 0.0201 * strongest


@settings(max_examples=60)
@given(spectrum=spectra(), seed=st.integers(0, 2**32))
def test_a_mass_error_stays_within_three_deviations(spectrum: Spectrum, seed: int):
    changed = AUGMENTATIONS["shifted"](spectrum, np.random.default_rng(seed))
    assert changed.n_peaks == spectrum.n_peaks
    assert sorted(changed.intensity.tolist()) == sorted(spectrum.intensity.tolist())
    if spectrum.n_peaks:
        # Sorted against sorted, no peak moves further than the largest error.
        assert (np.abs(changed.mz / spectrum.mz - 1) * 1e6).max() <= 30.001


@settings(max_examples=60)
@given(spectrum=spectra())
def test_lower_resolution_keeps_the_total_intensity_and_the_range(spectrum: Spectrum):
    changed = AUGMENTATIONS["resolution"](spectrum, np.random.default_rng(0))
    assert changed.intensity.sum(dtype=np.float64) == pytest.approx(spectrum.intensity.sum(dtype=np.float64), rel=1e-5)
    if spectrum.n_peaks:
        assert changed.mz.min() >= spectrum.mz.min() * (1 - 1e-12)
        assert changed.mz.max() <= spectrum.mz.max() * (1 + 1e-12)
