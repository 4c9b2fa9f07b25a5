import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyteomics import mass as pyteomics_mass
from rdkit import Chem
from rdkit.Chem.Descriptors import ExactMolWt

from diptych.errors import FormulaError
from diptych.molecules.formula import Formula
from diptych.molecules.structure import Structure

MOLECULES = [
    "CN1C=NC2=C1C(=O)N(C(=O)N2C)C",
    "OC1C(O)C(O)C(O)C(CO)O1",
    "Clc1ccc(Br)cc1I",
    "OP(O)(=O)OP(O)(O)=O",
    "C[Si](C)(C)O[Si](C)(C)C",
    "NC(CSSCC(N)C(=O)O)C(=O)O",
    "FC(F)(F)c1ccc(B(O)O)cc1",
    "C[Se]CCC(N)C(=O)O",
    "[2H]C([2H])([2H])[13C](=O)[15NH2]",
]


@pytest.mark.parametrize("smiles", MOLECULES)
def test_masses_agree_with_rdkit(smiles: str):
    structure = Structure.from_smiles(smiles)
    expected = ExactMolWt(Chem.MolFromSmiles(structure.smiles))
    assert structure.exact_mass == pytest.approx(expected, abs=1e-8)
    assert Formula.parse(structure.formula).exact_mass == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize(
    "text", ["C8H10N4O2", "C6H12O6", "C6H3BrClI", "H4O7P2", "C6H12N2O4S2", "C7H6BF3O2", "C20H28Na2"]
)
def test_masses_agree_with_pyteomics(text: str):
    assert Formula.parse(text).exact_mass == pytest.approx(pyteomics_mass.calculate_mass(formula=text), abs=1e-5)


def test_a_mass_worked_out_by_hand():
    by_hand = 6 * 12 + 12 * 1.00782503190 + 6 * 15.99491461926
    assert Formula.parse("C6H12O6").exact_mass == pytest.approx(by_hand, abs=1e-7)


def test_a_charge_is_counted_in_electrons():
    ammonium = Formula.parse("H4N+")
    assert ammonium.charge == 1
    assert ammonium.exact_mass == pytest.approx(14.00307400 + 4 * 1.00782503 - 0.00054858, abs=1e-7)
    sulfate = 31.97207117 + 4 * 15.99491462 + 2 * 0.00054858
    assert Formula.parse("O4S-2").exact_mass == pytest.approx(sulfate, abs=1e-7)


@pytest.mark.parametrize(
    ("text", "hill"),
    [
        ("OH2", "H2O"),
        ("ClNaH2CO3", "CH2ClNaO3"),
        ("Ca(OH)2", "CaH2O2"),
        ("HCl", "ClH"),
        ("C5H14NO+", "C5H14NO+"),
        ("NH4+", "H4N+"),
        ("SO4-2", "O4S-2"),
        ("SO4^2-", "O4S-2"),
        ("SO4--", "O4S-2"),
        ("C8H9^+", "C8H9+"),
        ("OD2C[13C]H4", "C[13C]H4D2O"),
        ("[2H]2O", "D2O"),
        ("[3H]C", "CT"),
        ("[13C]6H12O6", "[13C]6H12O6"),
        ("C2[15N]2N", "C2N[15N]2"),
    ],
)
def test_hill_order(text: str, hill: str):
    formula = Formula.parse(text)
    assert formula.hill == str(formula) == hill
    assert Formula.parse(hill) == formula


def test_isotopes_weigh_what_the_tables_say():
    assert Formula.parse("[13C]").exact_mass == pytest.approx(13.00335484, abs=1e-7)
    assert Formula.parse("[15N]").exact_mass == pytest.approx(15.00010890, abs=1e-7)
    assert Formula.parse("D").exact_mass == pytest.approx(2.01410178, abs=1e-7)


def test_formulas_are_added_and_taken_away():
    glucose, water = Formula.parse("C6H12O6"), Formula.parse("H2O")
    assert (glucose - water).hill == "C6H10O5"
    assert (glucose - water) + water == glucose
    assert (water - water).hill == ""
    assert (Formula.parse("NH4+") - Formula.parse("H+")).hill == "H3N"


def test_a_formula_holds_its_parts_only():
    glucose = Formula.parse("C6H12O6")
    assert Formula.parse("H2O") in glucose
    assert Formula.parse("NH3") not in glucose
    assert Formula.parse("C7") not in glucose


def test_equal_formulas_are_one_key_and_other_things_are_not_equal():
    assert len({Formula.parse("CH4O"), Formula.parse("HOCH3")}) == 1
    assert Formula.parse("CH4") != Formula.parse("CH4+")
    assert Formula.parse("CH4") != "CH4"


def test_counts_cannot_be_changed():
    with pytest.raises(TypeError):
        Formula.parse("CH4").counts["C"] = 2  # type: ignore[index]


def test_taking_away_what_is_not_there_is_an_error():
    with pytest.raises(FormulaError, match="H2O cannot be taken from CH4; expected a part of it"):
        Formula.parse("CH4") - Formula.parse("H2O")


def test_a_count_below_one_is_an_error():
    with pytest.raises(FormulaError, match="0 atoms of C; expected at least one"):
        Formula(counts={"C": 0})


@pytest.mark.parametrize("text", ["", "c6h6", "C6H6)", "Xx2", "+", "6C", "C6H6?"])
def test_what_is_no_formula_is_an_error(text: str):
    with pytest.raises(FormulaError):
        Formula.parse(text)


def test_an_unknown_isotope_is_an_error():
    with pytest.raises(FormulaError, match=r"\[99C\]: unknown element or isotope"):
        _ = Formula.parse("[99C]").exact_mass
    with pytest.raises(FormulaError, match=r"\[12Qq\]: unknown element or isotope"):
        _ = Formula.parse("[12Qq]").exact_mass


COUNTS = st.dictionaries(
    st.sampled_from(["C", "H", "N", "O", "Cl", "D", "[13C]", "Na"]), st.integers(1, 60), min_size=1
)


@given(COUNTS, st.integers(-3, 3))
def test_writing_and_reading_gives_the_same_formula(counts: dict[str, int], charge: int):
    formula = Formula(counts=counts, charge=charge)
    assert Formula.parse(formula.hill) == formula


@given(COUNTS, COUNTS)
def test_masses_add_up(first: dict[str, int], second: dict[str, int]):
    one, other = Formula(counts=first), Formula(counts=second)
    assert (one + other).exact_mass == pytest.approx(one.exact_mass + other.exact_mass)
    assert one in one + other
