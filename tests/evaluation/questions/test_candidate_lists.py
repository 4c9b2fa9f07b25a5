from collections.abc import Iterable

import numpy as np
import pytest

from diptych.errors import EvaluationError
from diptych.evaluation.questions import candidate_lists as lists
from diptych.evaluation.questions.candidate_lists import (
    ListKey,
    match_keys,
    queries_from_library,
    queries_from_lists,
    standardised,
)
from diptych.evaluation.questions.known import KnownSpectra, KnownSpectrum
from diptych.molecules.structure import Structure
from diptych.spectra.spectrum import Spectrum

ETHANOL, ETHER = Structure.from_smiles("CCO"), Structure.from_smiles("COC")
PROPANE, BUTANE = Structure.from_smiles("CCC"), Structure.from_smiles("CCCC")


def known(identifier: str, structure: Structure | None, *, written: str = "", **fields: str) -> KnownSpectrum:
    target = structure.inchikey_first_block if structure else "AAAAAAAAAAAAAA"
    spectrum = Spectrum.from_peaks([50.0], [1.0], identifier=identifier)
    return KnownSpectrum(spectrum=spectrum, target=target, structure=structure, written=written, **fields)


def spectra(*items: KnownSpectrum) -> KnownSpectra:
    return KnownSpectra(spectra=items)


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("s1", ListKey.IDENTIFIER),
        ("accession 1", ListKey.IDENTIFIER),
        (ETHANOL.inchikey_first_block, ListKey.FIRST_BLOCK),
        ("BBBBBBBBBBBBBB", ListKey.FIRST_BLOCK),
        ("OCC", ListKey.SMILES),
        ("C(C)O", ListKey.SMILES),
    ],
)
def test_what_the_keys_are_is_found_out(key: str, kind: ListKey):
    item = known("s1", ETHANOL, written="OCC", accession="accession 1", other_block="BBBBBBBBBBBBBB")
    questions = queries_from_lists(spectra(item), {"unrelated": [], key: ["OCC", "COC"]})
    assert questions.provenance["lists_keyed_by"] == str(kind)
    assert questions.queries[0].target in questions.queries[0].candidates.positions
    assert questions.queries[0].candidates.n_candidates == 2


def test_the_kind_of_key_that_knows_most_spectra_counts():
    items = [known("s1", ETHANOL), known("s2", ETHANOL), known("s3", PROPANE)]
    kind, keys = match_keys(items, {"s1": [], ETHANOL.inchikey_first_block: []})
    assert kind is ListKey.FIRST_BLOCK
    assert keys == [ETHANOL.inchikey_first_block, ETHANOL.inchikey_first_block, None]


def test_of_two_spellings_of_a_key_the_spectrum_s_own_counts():
    items = [known("s1", ETHANOL, written="OCC"), known("s2", ETHANOL, written="C(C)O")]
    assert match_keys(items, {"CCO": [], "OCC": []})[1] == ["OCC", "CCO"]


def test_a_spectrum_without_a_list_has_an_empty_one_and_is_counted():
    questions = queries_from_lists(spectra(known("s1", ETHANOL), known("s2", PROPANE)), {"s1": ["CCO"]})
    assert [query.candidates.n_candidates for query in questions.queries] == [1, 0]
    assert questions.provenance["spectra_without_list"] == 1


def test_candidates_are_written_as_targets_are_and_the_unparsed_stay_in_the_list():
    smiles = ["C(O)C", "OCC", "[O-]CC.[Na+]", "COC", "C1CC", "C1CC", ""]
    (query,) = queries_from_lists(spectra(known("s1", ETHANOL)), {"s1": smiles}).queries
    assert query.candidates.positions.keys() == {ETHANOL.inchikey_first_block, ETHER.inchikey_first_block}
    assert query.candidates.n_duplicates == 2
    assert query.candidates.unparsed == ("", "C1CC")
    assert query.candidates.n_candidates == 4


def test_the_order_of_a_list_is_shuffled_by_seed():
    smiles = ["C" * n for n in range(2, 40)]
    item = spectra(known("s1", ETHANOL))
    orders = [list(queries_from_lists(item, {"s1": smiles}, seed=s).queries[0].candidates.positions) for s in (0, 0, 1)]
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2])


def test_spectra_of_one_molecule_share_a_list():
    items = spectra(known("s1", ETHANOL), known("s2", ETHANOL))
    first, second = queries_from_lists(items, {ETHANOL.inchikey_first_block: ["CCO"]}).queries
    assert first.candidates is second.candidates


def test_many_structures_go_through_worker_processes_in_order(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lists, "_WORTH_A_POOL", 1000)
    smiles = ["C" * i + "O" + "C" * j for i in range(1, 36) for j in range(1, 33)] + ["C1CC"]
    found = standardised(smiles, workers=2)
    assert list(found) == sorted(smiles)
    assert found["C1CC"] is None
    assert found["COC"] == ETHER


def test_lists_that_belong_to_no_spectrum_are_refused():
    with pytest.raises(EvaluationError, match=r"belongs to any of 1 spectra; .* for instance 'CCCC'"):
        queries_from_lists(spectra(known("s1", ETHANOL)), {"CCCC": ["CC"]})


def test_spectra_without_structures_are_refused():
    nothing = KnownSpectra(spectra=(), n_without_structure=3)
    with pytest.raises(EvaluationError, match="none of 3 MS/MS spectra says its structure"):
        queries_from_lists(nothing, {"s1": ["C"]})
    with pytest.raises(EvaluationError, match="none of 3 MS/MS spectra says its structure"):
        queries_from_library(nothing, Library(), by="mass")


class Library:
    """Four structures in order of mass."""

    def __init__(self, *rows: Structure) -> None:
        self.rows = sorted(rows or (PROPANE, ETHANOL, ETHER, BUTANE), key=lambda s: s.neutral_mass)
        self.masses = np.array([s.neutral_mass for s in self.rows])

    def window(self, neutral_mass: float, half_width_da: float) -> slice:
        low, high = np.searchsorted(self.masses, [neutral_mass - half_width_da, neutral_mass + half_width_da])
        return slice(int(low), int(high))

    def formula_rows(self, formula: str) -> np.ndarray:
        return np.flatnonzero([s.formula == formula for s in self.rows])

    def structures(self, rows: Iterable[int]) -> list[Structure]:
        return [self.rows[row] for row in rows]


def test_lists_are_drawn_by_formula():
    (query,) = queries_from_library(spectra(known("s1", ETHANOL)), Library(), by="formula").queries
    assert query.candidates.positions.keys() == {ETHANOL.inchikey_first_block, ETHER.inchikey_first_block}


@pytest.mark.parametrize(("ppm", "length"), [(10, 2), (900_000, 4)])
def test_lists_are_drawn_by_mass(ppm: float, length: int):
    questions = queries_from_library(spectra(known("s1", ETHANOL)), Library(), by="mass", ppm=ppm)
    assert questions.queries[0].candidates.n_candidates == length
    assert questions.provenance["lists_drawn_by"].startswith("mass within")


def test_a_target_that_the_library_lacks_is_missing_from_its_list():
    (query,) = queries_from_library(spectra(known("s1", ETHANOL)), Library(ETHER), by="formula").queries
    assert list(query.candidates.positions) == [ETHER.inchikey_first_block]


def test_a_target_known_by_inchikey_alone_has_no_list():
    questions = queries_from_library(spectra(known("s1", None)), Library(), by="mass")
    assert questions.queries[0].candidates.n_candidates == 0
    assert questions.provenance["spectra_without_list"] == 1
