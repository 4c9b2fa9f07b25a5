import numpy as np
import pytest

from diptych.errors import SpectrumError
from diptych.spectra import Adduct, Spectrum


def test_peaks_are_sorted_and_unusable_ones_counted():
    spectrum = Spectrum.from_peaks([200, np.nan, 100, 150, 160, 170], [2, 1, 1, 0, -3, np.inf], identifier="a")
    assert spectrum.mz.tolist() == [100, 200]
    assert spectrum.intensity.tolist() == [1, 2]
    assert spectrum.metadata["unusable_peaks"] == "4"
    assert spectrum.metadata["impossible_peaks"] == "3"
    assert (spectrum.mz.dtype, spectrum.intensity.dtype) == (np.float64, np.float32)


def test_points_of_no_intensity_are_nothing_impossible():
    assert "impossible_peaks" not in Spectrum.from_peaks([100, 150], [2, 0]).metadata


def test_a_spectrum_cannot_be_changed():
    spectrum = Spectrum.from_peaks([100.0], [1.0])
    with pytest.raises(ValueError, match="read-only"):
        spectrum.mz[0] = 5
    with pytest.raises(ValueError, match="read-only"):
        spectrum.with_peaks(np.array([1.0]), np.array([1.0], dtype=np.float32)).intensity[0] = 2


def test_peaks_of_two_lengths_are_refused():
    with pytest.raises(SpectrumError, match="spectrum 'a': 2 m/z values against 1 intensities"):
        Spectrum.from_peaks([1, 2], [1], identifier="a")
    with pytest.raises(SpectrumError, match=r"got shapes \(2,\) and \(1,\)"):
        Spectrum(mz=np.ones(2), intensity=np.ones(1, dtype=np.float32))


def test_copies_keep_what_is_not_changed():
    spectrum = Spectrum.from_peaks([1, 2], [1, 1], identifier="a", precursor_mz=5.0)
    copy = spectrum.with_peaks(np.array([3.0]), np.array([1.0], dtype=np.float32))
    assert (copy.identifier, copy.precursor_mz, copy.n_peaks, spectrum.n_peaks) == ("a", 5.0, 1, 2)
    assert spectrum.with_changes(charge=1).charge == 1


@pytest.mark.parametrize(
    ("fields", "polarity"),
    [
        ({"charge": 2}, "positive"),
        ({"charge": -1}, "negative"),
        ({"adduct": Adduct.parse("[M-H]-")}, "negative"),
        ({"metadata": {"ionmode": "positive"}}, "positive"),
        ({"metadata": {"ionmode": "neg"}}, "negative"),
        ({}, None),
    ],
)
def test_polarity_is_found_in_charge_adduct_or_ion_mode(fields: dict, polarity: str | None):
    assert Spectrum.from_peaks([1], [1], **fields).polarity == polarity
