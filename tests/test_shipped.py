import csv
import lzma
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from diptych.molecules import Structure
from diptych.spectra import Spectrum, read_spectra

SHIPPED = Path(__file__).parents[1] / "src" / "diptych" / "shipped"
PERMISSIVE = {"CC0", "MIT", "CC BY", "dl-de/by-2-0"}
OPEN = {"CC0", "CC BY", "CC BY-SA", "dl-de/by-2-0"}


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    with lzma.open(SHIPPED / "structures.tsv.xz", "rt", encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))


def example() -> Iterator[tuple[Spectrum, Structure]]:
    for spectrum in read_spectra(SHIPPED / "example.mgf"):
        yield spectrum, Structure.from_smiles(spectrum.metadata["smiles"])


def test_there_are_at_least_50_000_structures_each_of_its_own(rows: list[dict[str, str]]):
    assert len(rows) >= 50_000
    assert len({row["inchikey_first_block"] for row in rows}) == len(rows)


def test_every_structure_states_its_source_and_a_permissive_licence(rows: list[dict[str, str]]):
    assert {row["licence"] for row in rows} <= PERMISSIVE
    assert all(row["source"] for row in rows)
    assert all(row["accession"] for row in rows if row["source"] == "massbank")


def test_the_structures_are_standardised(rows: list[dict[str, str]]):
    for row in rows[:: len(rows) // 200]:
        structure = Structure.from_smiles(row["smiles"])
        assert (structure.smiles, structure.inchikey_first_block) == (row["smiles"], row["inchikey_first_block"])


def test_the_structures_are_small_to_ship():
    assert (SHIPPED / "structures.tsv.xz").stat().st_size < 2_500_000


def test_the_answers_of_the_example_stand_in_the_list(rows: list[dict[str, str]]):
    answers = {structure.inchikey_first_block for _, structure in example()}
    assert answers <= {row["inchikey_first_block"] for row in rows}


def test_training_can_leave_out_exactly_the_molecules_of_the_example():
    blocks = (SHIPPED / "example_first_blocks.txt").read_text(encoding="utf-8").split()
    assert blocks == sorted({structure.inchikey_first_block for _, structure in example()})


def test_the_example_is_some_40_spectra_of_several_kinds():
    spectra = [spectrum for spectrum, _ in example()]
    adducts = Counter(spectrum.adduct.name for spectrum in spectra if spectrum.adduct)
    assert 40 <= len(spectra) <= 50
    assert len(adducts) >= 12
    assert {spectrum.polarity for spectrum in spectra} == {"positive", "negative"}
    assert all(10 <= spectrum.n_peaks <= 400 for spectrum in spectra)


def test_each_spectrum_of_the_example_says_where_it_comes_from_and_may_be_shared():
    for spectrum, _ in example():
        assert spectrum.identifier.startswith("MSBNK-")
        assert spectrum.metadata["license"] in OPEN
        assert spectrum.metadata["authors"]


def test_each_precursor_of_the_example_agrees_with_its_structure():
    for spectrum, structure in example():
        assert spectrum.adduct is not None, spectrum.identifier
        assert spectrum.precursor_mz == pytest.approx(spectrum.adduct.mz(structure.neutral_mass), rel=10e-6)
