import pytest

from diptych.errors import FormulaError
from diptych.spectra.masses import ELECTRON_MASS, MONOISOTOPIC_MASS, PROTON_MASS, monoisotopic_mass, parse_formula


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("C6H12O6", {"C": 6, "H": 12, "O": 6}),
        ("CH3COOH", {"C": 2, "H": 4, "O": 2}),
        ("Ca(OH)2", {"Ca": 1, "O": 2, "H": 2}),
        ("[Fe(C5H5)2]", {"Fe": 1, "C": 10, "H": 10}),
        ("C1.", None),
    ],
)
def test_formulas_are_counted(text: str, counts: dict[str, int] | None):
    if counts is None:
        with pytest.raises(FormulaError, match="is not a formula"):
            parse_formula(text)
    else:
        assert parse_formula(text) == counts


@pytest.mark.parametrize("text", ["", "  ", "c6h6", "C6H6)", "(C6", "6C", "C6H6+", "()"])
def test_what_is_no_formula_is_refused(text: str):
    with pytest.raises(FormulaError, match=r"is not a formula; expected elements and counts such as C6H12O6"):
        parse_formula(text)


def test_an_unknown_element_is_named():
    with pytest.raises(FormulaError, match="unknown element 'Xx'"):
        parse_formula("C2Xx3")
    with pytest.raises(FormulaError, match="unknown element 'Qq'"):
        monoisotopic_mass({"Qq": 1})


def test_masses_are_those_worked_out_by_hand():
    # Glucose is 72 of carbon, 12.093900382776 of hydrogen and 95.96948771556 of oxygen.
    assert monoisotopic_mass(parse_formula("C6H12O6")) == pytest.approx(180.06338809834, abs=1e-10)
    assert monoisotopic_mass({"H": -2, "O": -1}) == pytest.approx(-18.010564683056, abs=1e-10)
    assert monoisotopic_mass({}) == 0


def test_a_proton_is_hydrogen_without_its_electron():
    assert pytest.approx(MONOISOTOPIC_MASS["H"] - ELECTRON_MASS, abs=2e-8) == PROTON_MASS


def test_masses_agree_with_a_second_source():
    pyteomics_mass = pytest.importorskip("pyteomics.mass")
    for element, mass in MONOISOTOPIC_MASS.items():
        if element in {"D", "T"}:
            assert mass == pytest.approx(pyteomics_mass.nist_mass["H"][2 if element == "D" else 3][0], abs=1e-7)
            continue
        isotopes = pyteomics_mass.nist_mass[element]
        most_abundant = max((number for number in isotopes if number), key=lambda number: isotopes[number][1])
        is_light = element in {"H", "C", "N", "O", "F", "Na", "P", "S", "Cl", "K", "Si"}
        assert mass == pytest.approx(isotopes[most_abundant][0], abs=4e-7 if is_light else 2.5e-5), element
