import math

import numpy as np
import pytest

from diptych.errors import EvaluationError
from diptych.molecules.structure import Structure
from diptych.ranking import BondDisconnectionRanker, CandidateList, Query
from diptych.ranking.bond_disconnection import cheapest_energy
from diptych.spectra.adduct import Adduct
from diptych.spectra.spectrum import Spectrum

ETHANOL, ETHER = Structure.from_smiles("CCO"), Structure.from_smiles("COC")
PROTON, ELECTRON = 1.00727647, 0.00054858
ETHYL = 2 * 12.0 + 5 * 1.00782503  # C2H5, with the hydrogens that its atoms carry


def ask(mz: list[float], intensity: list[float], *, adduct: str = "[M+H]+", **settings: float) -> np.ndarray:
    ion = Adduct.parse(adduct)
    precursor_mz = ion.mz(ETHANOL.exact_mass)
    spectrum = Spectrum.from_peaks(mz, intensity, precursor_mz=precursor_mz, adduct=ion)
    candidates = CandidateList(structures=(ETHANOL, ETHER))
    query = Query(identifier="q", spectrum=spectrum, target="", candidates=candidates)
    return BondDisconnectionRanker(**settings).score([query])[0]


def test_an_explained_peak_counts_by_mass_intensity_and_energy():
    # C2H5+ is the ethyl side of the C-O bond of ethanol (320 kJ/mol) without an electron: one hydrogen below
    # the protonated side. Dimethyl ether has no two carbons side by side.
    cation, precursor = ETHYL - ELECTRON, ETHANOL.exact_mass + PROTON
    expected = (cation / precursor) * math.sqrt(0.25) / math.sqrt(1 + 320 / 320)
    whole = 1.0  # the precursor itself: its mass, intensity 1, no bond
    np.testing.assert_allclose(ask([cation, precursor], [25.0, 100.0]), [whole + expected, whole], atol=1e-5)


def test_the_negative_ion_lacks_the_proton():
    anion = ETHANOL.exact_mass - PROTON
    np.testing.assert_allclose(ask([anion], [1.0], adduct="[M-H]-"), [1.0, 1.0], atol=1e-6)


def test_an_ion_that_keeps_its_sodium_is_explained_by_no_candidate():
    whole = ETHANOL.exact_mass + 22.98976928 - ELECTRON
    np.testing.assert_array_equal(ask([whole], [1.0], adduct="[M+Na]+"), [0, 0])
    protonated = ETHANOL.exact_mass + PROTON
    assert (ask([protonated], [1.0], adduct="[M+Na]+") > 0).all()


def test_peaks_above_the_precursor_and_beyond_the_tolerance_count_nothing():
    cation = ETHYL - ELECTRON
    np.testing.assert_array_equal(ask([cation + 0.003, 200.0], [1.0, 1.0]), [0, 0])
    assert ask([cation + 0.003], [1.0], min_tolerance_da=0.004)[0] > 0


@pytest.mark.parametrize(("adduct", "proton"), [("[M+H]+", PROTON), ("[M-H]-", -PROTON)])
@pytest.mark.parametrize(("n_hydrogens", "explained"), [(0, True), (1, True), (2, True), (3, False)])
def test_at_most_two_hydrogens_move(n_hydrogens: int, explained: bool, adduct: str, proton: float):
    # No cut leaves a fragment so heavy: the next lighter one lacks a whole carbon or oxygen.
    mz = ETHANOL.exact_mass + proton - n_hydrogens * 1.00782503
    assert ((ask([mz], [1.0], adduct=adduct) > 0) == explained).all()


def test_without_a_precursor_the_last_peak_takes_its_place():
    cation, whole = ETHYL - ELECTRON, ETHANOL.exact_mass + PROTON
    candidates = CandidateList(structures=(ETHANOL, ETHER))
    unknown = Spectrum.from_peaks([cation, 40.0, whole], [25.0, 1.0, 100.0])
    query = Query(identifier="q", spectrum=unknown, target="", candidates=candidates)
    (scores,) = BondDisconnectionRanker().score([query])
    np.testing.assert_array_equal(scores, ask([cation, 40.0, whole], [25.0, 1.0, 100.0]))


@pytest.mark.parametrize(("ppm", "explained"), [(-10.1, False), (-9.9, True), (9.9, True), (10.1, False)])
def test_the_wider_of_ten_ppm_and_two_thousandths_is_the_tolerance(ppm: float, explained: bool):
    whole = ETHANOL.exact_mass + PROTON
    assert ((ask([whole * (1 + ppm * 1e-6)], [1.0], min_tolerance_da=0.0) > 0) == explained).all()
    # 2 mDa are 43 ppm here.
    assert (ask([whole - 0.0019], [1.0]) > 0).all()
    assert not ask([whole - 0.0021], [1.0]).any()


def test_every_query_is_scored():
    np.testing.assert_array_equal(ask([], []), [0, 0])


def test_the_cheapest_fragment_within_the_tolerance_counts():
    found = cheapest_energy(
        np.array([15.0, 21.0, 30.0]),
        np.array([0.1, 0.1, 0.1]),
        np.array([14.95, 15.05, 20.0]),
        np.array([3.0, 2.0, 7.0]),
        np.array([0.0, 1.0]),
    )
    np.testing.assert_array_equal(found, [2.0, 7.0, np.inf])


def test_a_negative_tolerance_is_refused():
    with pytest.raises(EvaluationError, match=r"tolerances -1 ppm and 0.002 Da; expected numbers not below 0"):
        BondDisconnectionRanker(tolerance_ppm=-1)
    assert BondDisconnectionRanker(tolerance_ppm=0, min_tolerance_da=0).score([]) == []
