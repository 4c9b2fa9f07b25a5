from diptych.molecules import Structure
from diptych.ranking import CandidateList, Query
from diptych.retrieval.listed_formulas import asked_spectra, common_formula
from diptych.spectra import Spectrum
from diptych.spectra.peak_formulas import given_formula, with_formula

ETHANOL, ETHER, PROPANE = (Structure.from_smiles(smiles) for smiles in ("CCO", "COC", "CCC"))


def candidates(*structures: Structure) -> CandidateList:
    return CandidateList.distinct(structures)


def query(spectrum: Spectrum, *structures: Structure) -> Query:
    return Query(identifier="q", spectrum=spectrum, target="", candidates=candidates(*structures))


def test_a_list_of_one_formula_gives_it_away_and_others_do_not():
    assert common_formula(candidates(ETHANOL, ETHER)) == "C2H6O"
    assert common_formula(candidates(ETHANOL, PROPANE)) is None
    assert common_formula(candidates()) is None


def test_a_spectrum_is_told_the_formula_of_its_list_and_no_other():
    spectrum = with_formula(Spectrum.from_peaks([29.04], [1.0], precursor_mz=47.05), "C10H10")
    told, kept_secret = asked_spectra([query(spectrum, ETHANOL, ETHER), query(spectrum, ETHANOL, PROPANE)])
    assert given_formula(told).sum() == 9
    assert given_formula(kept_secret) is None
