import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem

from diptych.errors import StructureError
from diptych.molecules.structure import MAX_CHARACTERS, MAX_HEAVY_ATOMS, Structure, charge_of_formula, standardise
from diptych.spectra.masses import ELECTRON_MASS


def test_two_spellings_of_a_molecule_are_one_structure():
    assert Structure.from_smiles("OCC") == Structure.from_smiles("C(C)O")
    assert Structure.from_smiles("c1ccccc1O") == Structure.from_smiles("OC1=CC=CC=C1")


def test_the_inchikey_is_that_of_published_records():
    assert Structure.from_smiles("CC(=O)Oc1ccccc1C(=O)O").inchikey == "BSYNRYMUTXBXSQ-UHFFFAOYSA-N"
    assert Structure.from_smiles("C").inchikey_first_block == "VNWKTOKETHGBQD"


def test_stereo_is_removed():
    plain = Structure.from_smiles("CC(N)C(=O)O")
    assert Structure.from_smiles("C[C@H](N)C(=O)O") == Structure.from_smiles("C[C@@H](N)C(=O)O") == plain
    assert Structure.from_smiles("F/C=C/F") == Structure.from_smiles("F/C=C\\F")
    assert plain.smiles == "CC(N)C(=O)O"


@pytest.mark.parametrize(
    ("salt", "free"),
    [
        ("CC(=O)[O-].[Na+]", "CC(=O)O"),
        ("C[NH+](C)C.[Cl-]", "CN(C)C"),
        ("[NH3+]CC(=O)[O-]", "NCC(=O)O"),
        ("O.O.OC(=O)c1ccccc1", "OC(=O)c1ccccc1"),
        ("[O-]S(=O)(=O)c1ccccc1.[K+]", "OS(=O)(=O)c1ccccc1"),
    ],
)
def test_salts_become_the_free_molecule(salt: str, free: str):
    assert Structure.from_smiles(salt) == Structure.from_smiles(free)


def test_a_small_organic_fragment_wins_over_a_larger_inorganic_one():
    assert Structure.from_smiles("C[N+](C)(C)C.F[P-](F)(F)(F)(F)F").smiles == "C[N+](C)(C)C"


def test_of_equally_large_fragments_the_choice_does_not_depend_on_their_order():
    assert Structure.from_smiles("CCO.CCN") == Structure.from_smiles("CCN.CCO")
    assert Structure.from_smiles("CCO.COC") == Structure.from_smiles("COC.CCO")


@pytest.mark.parametrize(
    ("anion", "neutral"),
    [
        ("c1ccc(-c2ccc[cH-]2)cc1", "C1=CCC(c2ccccc2)=C1"),
        ("[cH-]1cccc1", "C1=CCC=C1"),
        ("[n-]1cccc1", "c1cc[nH]c1"),
        ("[O-]c1ccccc1", "Oc1ccccc1"),
    ],
)
def test_an_aromatic_anion_is_neutralised_to_what_can_be_read_again(anion: str, neutral: str):
    assert Structure.from_smiles(anion).smiles == neutral
    assert Structure.from_smiles(neutral).smiles == neutral


def test_what_cannot_be_read_again_is_refused():
    with pytest.raises(StructureError, match="cannot read it again"):
        Structure.from_smiles("[H][H-][B-]1([H-][H])[n+]2ccccc2-c2cccc[n+]21")


def test_a_quaternary_ammonium_stays_charged_and_weighs_an_electron_less():
    choline = Structure.from_smiles("C[N+](C)(C)CCO.[Cl-]")
    assert (choline.formula, choline.charge) == ("C5H14NO+", 1)
    # 5 C + 14 H + N + O = 60 + 14.10955045 + 14.00307400 + 15.99491462, less one electron
    assert choline.exact_mass == pytest.approx(104.10753907 - 0.00054858, abs=1e-7)
    assert choline.neutral_mass == pytest.approx(104.10753907, abs=1e-7)


def test_the_mass_of_a_neutral_molecule_is_its_neutral_mass():
    # caffeine: 8 C + 10 H + 4 N + 2 O = 96 + 10.07825032 + 56.01229602 + 31.98982924
    caffeine = Structure.from_smiles("CN1C=NC2=C1C(=O)N(C(=O)N2C)C")
    assert caffeine.exact_mass == caffeine.neutral_mass == pytest.approx(194.08037558, abs=1e-7)


def test_a_carbocation_is_not_given_a_hydride():
    trityl = Structure.from_smiles("[CH+](c1ccccc1)c1ccccc1")
    assert (trityl.formula, trityl.charge) == ("C13H11+", 1)


def test_isotope_labels_are_kept_but_share_the_first_block():
    labelled, plain = Structure.from_smiles("[2H]C([2H])([2H])[13CH2]O"), Structure.from_smiles("CCO")
    assert labelled.inchikey_first_block == plain.inchikey_first_block
    assert labelled.formula == "C[13C]H3D3O"
    assert labelled.exact_mass - plain.exact_mass == pytest.approx(3 * 1.00627675 + 1.00335484, abs=1e-6)


def test_formulas_without_carbon_are_in_alphabetical_order():
    assert Structure.from_smiles("OP(O)(O)=O").formula == "H3O4P"
    assert Structure.from_smiles("Cl").formula == "ClH"


def test_an_element_without_a_mass_table_still_has_a_formula():
    assert Structure.from_smiles("[99Tc]").formula == "[99Tc]"


def test_atom_map_numbers_are_removed():
    assert Structure.from_smiles("[CH3:1][OH:2]") == Structure.from_smiles("CO")


def test_what_follows_the_smiles_is_ignored():
    assert Structure.from_smiles("  CCO ethanol\n") == Structure.from_smiles("CCO")


@pytest.mark.parametrize("prefix", ["InChI=", "", '"'])
def test_an_inchi_is_read_with_or_without_its_prefix(prefix: str):
    structure = Structure.from_inchi(f"{prefix}1S/C2H6O/c1-2-3/h3H,2H2,1H3", name="ethanol")
    assert (structure.smiles, structure.name) == ("CCO", "ethanol")


def test_a_structure_gives_back_its_molecule():
    assert Structure.from_smiles("CCO").mol().GetNumAtoms() == 3


def test_standardising_leaves_the_argument_alone():
    mol = Chem.MolFromSmiles("C[C@H]([NH3+:7])C(=O)[O-].O")
    before = Chem.MolToSmiles(mol)
    standardise(mol)
    assert Chem.MolToSmiles(mol) == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty SMILES"),
        (" \t", "empty SMILES"),
        ("notasmiles", "'notasmiles': cannot be parsed; expected a SMILES"),
        ("C(C)(C)(C)(C)C", "cannot be parsed"),
        ("c1ccccc", "cannot be parsed"),
        ("C" * (MAX_CHARACTERS + 1), f"of {MAX_CHARACTERS + 1} characters; expected at most"),
        ("C" * (MAX_HEAVY_ATOMS + 1), f"{MAX_HEAVY_ATOMS + 1} heavy atoms; expected at most {MAX_HEAVY_ATOMS}"),
        ("CC*", "atom 3 is a placeholder"),
        ("C~C", "is a query"),
        ("[H+]", "without heavy atoms"),
    ],
)
def test_a_bad_smiles_is_an_error_of_one_short_line(text: str, message: str):
    with pytest.raises(StructureError, match=message) as caught:
        Structure.from_smiles(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty InChI"),
        ("InChI=1S/nonsense", "cannot be parsed; expected an InChI"),
        ("1S/" + "C" * MAX_CHARACTERS, "characters; expected at most"),
    ],
)
def test_a_bad_inchi_is_an_error(text: str, message: str):
    with pytest.raises(StructureError, match=message):
        Structure.from_inchi(text)


def test_a_molecule_that_inchi_does_not_know_is_an_error(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Chem, "MolToInchi", lambda _: "")
    with pytest.raises(StructureError, match="no InChIKey can be made"):
        Structure.from_smiles("CCO")


def test_a_molecule_that_cannot_be_standardised_is_an_error(monkeypatch: pytest.MonkeyPatch):
    def fail(_: Chem.Mol):
        raise RuntimeError("odd")

    monkeypatch.setattr(Chem, "RemoveStereochemistry", fail)
    with pytest.raises(StructureError, match="RDKit cannot standardise: odd"):
        Structure.from_smiles("CCO")


def test_rdkit_prints_nothing_and_goes_on_printing_for_others():
    script = (
        "from rdkit import Chem\n"
        "from diptych.molecules import Structure\n"
        "try:\n    Structure.from_smiles('c1ccccc')\nexcept Exception: pass\n"
        "Structure.from_smiles('C[C@](N)(F)Cl')\n"
        "import sys; print('from here', file=sys.stderr, flush=True)\n"
        "Chem.MolFromSmiles('c1ccccc')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    before, after = done.stderr.split("from here")
    assert before == ""
    assert "SMILES Parse Error" in after


@pytest.mark.parametrize(("formula", "charge"), [("CH4", 0), ("NH4+", 1), ("O4S-2", -2), ("C2H4+12", 12), ("Cl-", -1)])
def test_the_charge_is_read_off_the_formula(formula: str, charge: int):
    assert charge_of_formula(formula) == charge


PIECES = ["C", "c1ccccc1", "C(=O)O", "N", "[N+](C)(C)C", "C(=O)[O-]", "Cl", "C=C", "[C@H](O)C", "S(=O)(=O)C", "[2H]"]


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=6))
def test_standardising_a_second_time_changes_nothing(pieces: list[str]):
    try:
        structure = Structure.from_smiles("C" + "".join(f"C({piece})" for piece in pieces))
    except StructureError:
        return
    assert Structure.from_smiles(structure.smiles) == structure
    assert structure.neutral_mass == pytest.approx(structure.exact_mass + structure.charge * ELECTRON_MASS)
