import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from diptych.spectra.adduct import Adduct
from diptych.spectra.cleaning import CleaningSettings, clean
from diptych.spectra.flat_peaks import FlatPeaks, clean_together
from diptych.spectra.spectrum import Spectrum


@st.composite
def spectra(draw: st.DrawFn) -> Spectrum:
    # Few distinct numbers, so that limits are met exactly and intensities tie.
    peaks = draw(st.lists(st.tuples(st.integers(40, 300), st.integers(1, 50)), max_size=25))
    return Spectrum.from_peaks(
        [mz for mz, _ in peaks],
        [intensity for _, intensity in peaks],
        precursor_mz=draw(st.sampled_from([None, 100.0, 250.0])),
        charge=draw(st.sampled_from([None, 1, 2])),
        adduct=draw(st.sampled_from([None, Adduct.parse("[M+H]+"), Adduct.parse("[M+2H]2+")])),
    )


def cleaning() -> st.SearchStrategy[CleaningSettings]:
    return st.builds(
        CleaningSettings,
        min_mz=st.sampled_from([0.0, 60.0]),
        max_mz=st.sampled_from([None, 200.0]),
        precursor_margin=st.sampled_from([None, 0.5, 3.0]),
        merge_ppm=st.sampled_from([None, None, 5000.0]),
        min_relative_intensity=st.sampled_from([0.0, 0.1, 0.5]),
        max_peaks=st.sampled_from([None, 0, 3, 10]),
    )


@settings(max_examples=300)
@given(several=st.lists(spectra(), max_size=6), how=cleaning())
def test_spectra_cleaned_together_are_those_cleaned_one_by_one(several: list[Spectrum], how: CleaningSettings):
    together = clean_together(several, how)
    assert len(together.offsets) == len(several) + 1
    for i, spectrum in enumerate(several):
        alone, part = clean(spectrum, how), slice(together.offsets[i], together.offsets[i + 1])
        assert together.mz[part].tolist() == alone.mz.tolist()
        assert together.intensity[part].tolist() == alone.intensity.tolist()


def test_the_strongest_of_no_peaks_is_nothing():
    peaks = FlatPeaks.of([Spectrum.from_peaks([], []), Spectrum.from_peaks([50, 60], [2, 1])])
    assert peaks.strongest().tolist() == [0.0, 2.0]
    assert peaks.strongest().dtype == np.float32
    assert FlatPeaks.of([]).counts.tolist() == []
