import numpy as np

from diptych.ranking.peak_features import PeakVocabulary
from diptych.spectra.spectrum import Spectrum


def spectrum(*mz: float, precursor_mz: float | None = None, intensity: list[float] | None = None) -> Spectrum:
    return Spectrum.from_peaks(mz, intensity or [1.0] * len(mz), precursor_mz=precursor_mz)


def test_the_bins_of_most_molecules_are_kept_and_a_molecule_counts_once():
    spectra = [spectrum(50.5), spectrum(50.5), spectrum(60.5), spectrum(60.5), spectrum(70.5)]
    vocabulary = PeakVocabulary.of(spectra, np.array([0, 0, 1, 2, 3]), n_columns=1, bin_width_da=1.0)
    assert np.flatnonzero(vocabulary.column >= 0).tolist() == [60]


def test_rows_are_square_roots_of_unit_length_and_losses_are_columns_of_their_own():
    known = spectrum(30.5, 80.5, precursor_mz=100.0, intensity=[9, 16])
    vocabulary = PeakVocabulary.of([known], np.array([0]), bin_width_da=1.0)
    # Columns: m/z 30, m/z 80, loss 19 (of 80.5), loss 69 (of 30.5).
    root = np.sqrt([9, 16, 16, 9])
    np.testing.assert_allclose(vocabulary([known]).toarray(), [root / np.sqrt(50)], rtol=1e-6)
    # Without a precursor there are no losses; of unknown peaks nothing is left.
    np.testing.assert_allclose(vocabulary([spectrum(30.2), spectrum(500.0), spectrum()]).toarray()[:, 0], [1, 0, 0])


def test_masses_beyond_the_range_and_losses_below_zero_are_left_out():
    vocabulary = PeakVocabulary.of([spectrum(1500.0, precursor_mz=900.0)], np.array([0]), bin_width_da=1.0)
    assert vocabulary.n_columns == 0
    assert vocabulary([spectrum(1500.0)]).shape == (1, 0)
