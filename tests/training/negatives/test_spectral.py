import numpy as np
import pytest

from diptych.spectra.spectrum import Spectrum
from diptych.training.negatives.spectral import negatives_by_spectrum


def spectrum(mz: list[float], *, precursor: float | None = 300.0, charge: int = 1) -> Spectrum:
    return Spectrum.from_peaks(mz, [1.0] * len(mz), precursor_mz=precursor, charge=charge)


SPECTRA = [
    spectrum([50.01, 60.01, 70.01, 80.01]),
    spectrum([50.01, 90.01, 91.01, 92.01]),
    spectrum([50.01, 60.01, 70.01, 99.01]),  # molecule 1: three of four peaks of molecule 0
    spectrum([50.01, 60.01, 98.01, 99.01], precursor=300.3),  # molecule 2: two of four
    spectrum([50.01, 60.01, 70.01, 80.01], precursor=301.0),  # another precursor
    spectrum([50.01, 60.01, 70.01, 80.01], charge=-1),  # another polarity
    spectrum([50.01, 60.01, 70.01, 80.01], precursor=None),
]
MOLECULES = np.array([0, 0, 1, 2, 3, 4, 5])


def test_molecules_with_similar_spectra_of_one_precursor_are_listed_the_most_similar_first():
    found = negatives_by_spectrum(SPECTRA, MOLECULES, n_molecules=6, window_da=0.5, at_most=5)
    assert [found.lists[i].tolist() for i in range(6)] == [[1, 2], [0, 2], [1, 0], [], [], []]
    assert found.similarity.tolist() == pytest.approx([0.75, 0.5, 0.75, 0.75, 0.75, 0.5])


def test_only_the_most_similar_are_kept_and_a_narrow_window_keeps_fewer():
    found = negatives_by_spectrum(SPECTRA, MOLECULES, n_molecules=6, window_da=0.5, at_most=1)
    assert found.lists.lengths.tolist() == [1, 1, 1, 0, 0, 0]
    found = negatives_by_spectrum(SPECTRA, MOLECULES, n_molecules=6, window_da=0.1, at_most=9)
    assert [found.lists[i].tolist() for i in range(3)] == [[1], [0], []]
