import numpy as np

from diptych.molecules.explained import explained_peaks
from diptych.spectra.masses import PROTON_MASS


def test_fragments_of_ethanol_are_explained_and_others_are_not():
    # C2H6O 46.04186; C2H5 29.03913 (the ion C2H5+ is that less an electron); 40 is nothing.
    mz = np.array([29.03913 + PROTON_MASS - 1.00783, 40.0, 46.04186 + PROTON_MASS])
    np.testing.assert_array_equal(explained_peaks(mz, "CCO"), [True, False, True])


def test_negative_ions_have_lost_their_proton():
    mz = np.array([46.04186 - PROTON_MASS])
    assert explained_peaks(mz, "CCO", polarity="negative").all()


def test_no_peaks_and_giant_molecules_are_not_explained():
    assert explained_peaks(np.empty(0), "CCO").size == 0
    assert not explained_peaks(np.array([100.0]), "C" * 300).any()
