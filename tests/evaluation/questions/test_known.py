import pytest

from diptych.data.annotated import AnnotatedSpectrum
from diptych.evaluation.questions.known import KnownSpectra
from diptych.molecules.structure import Structure
from diptych.spectra.spectrum import Spectrum

ETHANOL_BLOCK = "LFQSCWFLJHTTHZ"


def spectrum(**metadata: str) -> Spectrum:
    return Spectrum.from_peaks([50.0], [1.0], identifier="s1", metadata=metadata)


@pytest.mark.parametrize(
    "metadata",
    [
        {"smiles": "OCC"},
        {"smiles": "N/A", "inchi": "InChI=1S/C2H6O/c1-2-3/h3H,2H2,1H3"},
        {"smiles": "", "inchi": "broken", "inchikey": "LFQSCWFLJHTTHZ-UHFFFAOYSA-N"},
        {"inchikey": "LFQSCWFLJHTTHZ"},
    ],
)
def test_the_target_is_found_by_smiles_else_inchi_else_inchikey(metadata: dict[str, str]):
    (known,) = KnownSpectra.from_metadata([spectrum(**metadata)]).spectra
    assert known.target == ETHANOL_BLOCK
    assert (known.structure is None) == ("inchikey" in metadata)


@pytest.mark.parametrize("metadata", [{}, {"smiles": "C1CC"}, {"inchikey": "unknown"}, {"compound_name": "ethanol"}])
def test_a_spectrum_without_structure_is_counted(metadata: dict[str, str]):
    known = KnownSpectra.from_metadata([spectrum(**metadata), spectrum(smiles="CCO")])
    assert len(known.spectra) == 1
    assert known.n_without_structure == 1


def test_a_survey_scan_is_no_query_and_is_counted():
    known = KnownSpectra.from_metadata([spectrum(smiles="CCO", ms_level="1"), spectrum(smiles="CCO", ms_level="2")])
    assert (len(known.spectra), known.n_not_ms2) == (1, 1)


def test_stereo_and_salts_do_not_change_the_target():
    drawn = ["C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O", "CC(N)C(=O)[O-].[Na+]", "CC([NH3+])C(=O)[O-]"]
    known = KnownSpectra.from_metadata([spectrum(smiles=smiles) for smiles in drawn])
    assert len({item.target for item in known.spectra}) == 1


def test_the_accession_is_what_the_file_calls_it_else_the_identifier():
    known = KnownSpectra.from_metadata([spectrum(smiles="CCO", accession="MSBNK-1"), spectrum(smiles="CCO")])
    assert [item.accession for item in known.spectra] == ["MSBNK-1", "s1"]


def test_examples_of_a_dataset_are_all_known():
    example = AnnotatedSpectrum(spectrum=spectrum(), structure=Structure.from_smiles("OCC"))
    (known,) = KnownSpectra.from_annotated([example]).spectra
    assert (known.target, known.written, known.accession) == (ETHANOL_BLOCK, "CCO", "s1")
