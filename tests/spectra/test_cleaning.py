import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diptych.errors import ConfigError
from diptych.spectra import Adduct, CleaningSettings, Spectrum, clean
from diptych.spectra.cleaning import (
    keep_most_intense,
    keep_mz_range,
    merge_close_peaks,
    remove_above_precursor,
    remove_weak_peaks,
)


def spectrum(mz, intensity, **fields) -> Spectrum:
    return Spectrum.from_peaks(mz, intensity, **fields)


def peaks(cleaned: Spectrum) -> list[tuple[float, float]]:
    return list(zip(cleaned.mz.tolist(), cleaned.intensity.tolist(), strict=True))


def test_the_limits_of_the_range_are_kept():
    assert keep_mz_range(spectrum([1, 2, 3, 4], [1, 1, 1, 1]), minimum=2, maximum=3).mz.tolist() == [2, 3]


def test_peaks_far_above_the_precursor_are_removed():
    measured = spectrum([90, 101.5, 103.5], [1, 1, 1], precursor_mz=100.0)
    assert remove_above_precursor(measured, margin=3).mz.tolist() == [90, 101.5]


@pytest.mark.parametrize(
    "fields", [{}, {"precursor_mz": 100.0, "charge": 2}, {"precursor_mz": 100.0, "adduct": Adduct.parse("[M+2H]2+")}]
)
def test_fragments_may_lie_above_a_precursor_of_several_charges(fields: dict):
    assert remove_above_precursor(spectrum([150], [1], **fields), margin=3).n_peaks == 1


def test_close_peaks_become_their_weighted_mean():
    # 5 ppm of 200 is 0.001; the weighted mean of 200.0 (3) and 200.0008 (1) is 200.0002
    merged = merge_close_peaks(spectrum([100, 200.0, 200.0008, 300], [1, 3, 1, 2]), ppm=5)
    np.testing.assert_allclose(merged.mz, [100, 200.0002, 300], atol=1e-9)
    assert merged.intensity.tolist() == [1, 4, 2]


def test_weak_peaks_are_those_below_a_fraction_of_the_strongest():
    assert peaks(remove_weak_peaks(spectrum([1, 2, 3], [1, 10, 100]), min_relative_intensity=0.1)) == [
        (2, 10),
        (3, 100),
    ]


def test_of_equally_intense_peaks_those_of_lower_mz_are_kept():
    assert peaks(keep_most_intense(spectrum([1, 2, 3, 4], [5, 7, 5, 5]), max_peaks=3)) == [(1, 5), (2, 7), (3, 5)]


def test_what_needs_no_cleaning_is_returned_as_it_is():
    measured = spectrum([1, 2], [1, 1], precursor_mz=5.0)
    everything_passes = CleaningSettings(
        max_mz=10, precursor_margin=1, merge_ppm=5, min_relative_intensity=0.1, max_peaks=5
    )
    assert clean(measured, CleaningSettings()) is measured
    assert clean(measured, everything_passes) is measured


def test_filters_are_applied_in_the_order_of_the_settings():
    measured = spectrum([10, 50, 60, 99, 150], [9, 1, 10, 1, 1000], precursor_mz=100.0)
    settings = CleaningSettings(min_mz=20, precursor_margin=5, min_relative_intensity=0.1, max_peaks=2)
    assert peaks(clean(measured, settings)) == [(50, 1), (60, 10)]


def test_a_spectrum_without_peaks_stays_without():
    settings = CleaningSettings(min_mz=1, max_mz=2, merge_ppm=5, min_relative_intensity=0.1, max_peaks=0)
    assert clean(spectrum([], []), settings).n_peaks == 0


def test_settings_survive_json():
    settings = CleaningSettings(min_relative_intensity=0.001, max_peaks=60, merge_ppm=10)
    assert CleaningSettings.from_dict(json.loads(json.dumps(settings.to_dict()))) == settings


def test_bad_settings_are_named():
    with pytest.raises(ConfigError, match="unknown cleaning setting 'max_peak'; expected one of min_mz"):
        CleaningSettings.from_dict({"max_peak": 5})
    with pytest.raises(ConfigError, match="cleaning setting max_peaks is -1; expected a number not below 0"):
        CleaningSettings(max_peaks=-1)


PEAKS = st.lists(st.tuples(st.floats(50, 2000), st.floats(1e-3, 1e6)), max_size=60)


@given(PEAKS, st.integers(0, 20), st.floats(0, 0.5), st.randoms())
def test_cleaning_keeps_what_it_promises_and_ignores_the_order_of_peaks(pairs, max_peaks: int, least: float, random):
    settings = CleaningSettings(merge_ppm=10, min_relative_intensity=least, max_peaks=max_peaks)
    shuffled = list(pairs)
    random.shuffle(shuffled)
    first, second = (
        clean(spectrum([mz for mz, _ in some], [height for _, height in some]), settings) for some in (pairs, shuffled)
    )
    assert first.n_peaks <= max_peaks
    assert np.all(np.diff(first.mz) >= 0)
    if first.n_peaks:
        assert first.intensity.min() >= first.intensity.max() * np.float32(least)
    if len({mz for mz, _ in pairs}) == len(pairs):
        np.testing.assert_array_equal(first.mz, second.mz)
        np.testing.assert_array_equal(first.intensity, second.intensity)
