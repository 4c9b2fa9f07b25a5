import csv
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diptych.errors import AdductError
from diptych.spectra.adduct import LIKELY_ADDUCTS, Adduct, adduct_weight

GLUCOSE = 180.06338810


@pytest.mark.parametrize(
    ("text", "mz"),
    [
        # H 1.007825031898, e 0.000548579909, Na 22.98976928195, K 38.96370648482, Cl 34.968852694, O 15.99491461926
        ("[M+H]+", 181.07066455),
        ("[M-H]-", 179.05611165),
        ("[M+Na]+", 203.05260880),
        ("[M+K]+", 219.02654600),
        ("[M+NH4]+", 198.09721365),
        ("[M+FA-H]-", 225.06159095),
        ("[M+HCOO]-", 225.06159095),
        ("[M+Cl]-", 215.03278937),
        ("[M+CH3COO]-", 239.07724102),
        ("[M-H2O+H]+", 163.06009987),
        ("[2M+H]+", 361.13405265),
        ("[2M-H]-", 359.11949975),
        ("[M+2H]2+", 91.03897050),
        ("[M-2H]2-", 89.02441760),
        ("[M]+", 180.06283952),
        ("[M]-", 180.06393668),
        ("[M+H-C6H10O5]+", 19.01784113),
        ("[M+H+Na]2+", 102.02994263),
    ],
)
def test_mz_is_that_worked_out_by_hand(text: str, mz: float):
    adduct = Adduct.parse(text)
    assert adduct.mz(GLUCOSE) == pytest.approx(mz, abs=1e-7)
    assert adduct.neutral_mass(mz) == pytest.approx(GLUCOSE, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "spellings"),
    [
        ("[M+H]+", "M+H|[M+H]1+|[M+H+]|[M+H]+1|[M+H]|(M+H)+|[M+H](+)|[M+H]⁺|[ M + H ]+|M+H+|[M+H]+*|[M+H1]+"),
        ("[M-H]-", "M-H|[M-H]1-|[M-H-]|[M−H]−|[M-H]-/[M-Ser]-|[M-H1]-"),
        ("[M]+", "M+|[M]+.|[M]+*|[M+]|[Cat]+|[M-e]+|[M]1+"),
        ("[M-H2O+H]+", "[M+H-H2O]+|M+H-H2O|[M-H2O+H]1+"),
        ("[M-2H2O+H]+", "[M+H-2H2O]+|[M-H2O+H-H2O]+"),
        ("[M+HCOO]-", "[M+FA-H]-|[M-H+FA]-|[M+HCO2]-|[M+CHO2]-|[M+HCOOH-H]-|[M-H+CH2O2]-|M+FA-H"),
        ("[M+CH3COO]-", "[M+Hac-H]-|[M+HAc-H]-|[M+OAc]-|[M+Ac]-|[M+CH3COOH-H]-|[M+CH3COO]-/[M-CH3]-|M+CH3COO"),
        ("[M+NH4]+", "M+NH4|[M+NH3+H]+|[M+H+NH3]+"),
        ("[M+2H]2+", "M+2H|[M+2H]++|[M+2H]+2|[M+H+H]2+"),
        ("[M+ACN+H]+", "[M+H+CH3CN]+|[M+C2H3N+H]+"),
        ("[M+2Na-H]+", "[M-H+2Na]+|[M+2NA-H]+"),
        ("[2M+Na-2H]-", "[2M-2H+Na]-|2M-2H+Na"),
        ("[M+CF3COO]-", "[M+TFA-H]-|[M+C2F3O2]-"),
        ("[M+CH3OH+H]+", "[M+MeOH+H]+|[M+CH4O+H]+"),
        ("[M+DMSO+H]+", "[M+H+DMSO]+"),
        ("[M+IsoProp+H]+", "[M+H+IsoProp]+"),
        ("[M+Cl]-", "[M+CL]-|[M+HCl-H]-|M+Cl"),
        ("[M-2H]-.", "[M-2H]-*|[M-2H].-|[M-2H]•-"),
        ("[M+Na-H]+.", "[M-H+Na]+*"),
    ],
)
def test_spellings_of_one_ion_are_equal(name: str, spellings: str):
    canonical = Adduct.parse(name)
    assert canonical.name == str(canonical) == name
    for spelling in spellings.split("|"):
        assert Adduct.parse(spelling) == canonical, spelling


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[M+H]2+", r"charge \+2 contradicts its charge carriers, which add up to \+1"),
        ("[M+H]-", r"charge -1 contradicts its charge carriers, which add up to \+1"),
        ("[M+Cl]+", r"charge \+1 contradicts its charge carriers, which add up to -1"),
        ("[M-2H]-", r"charge -1 contradicts .* add up to -2; expected them to agree, or a radical mark"),
        ("M", "its charge is neither written nor clear"),
        ("[M-CH3]", "its charge is neither written nor clear"),
        ("[M+FooBar]+", "adduct group 'FooBar' is unknown"),
        ("[M+13C+H]+", "13C names an isotope"),
        ("[M+H]0+", "charge 0 is no ion"),
        ("[M+H]+0", "charge 0 is no ion"),
        ("[M+H]+-", r"'\+-' is no charge"),
        ("[M+H]x", "'x' is no charge"),
        ("[0M+H]+", "no molecule in it"),
        ("[M+15]+", "is no adduct; expected such as"),
        ("", "is no adduct; expected such as"),
        ("unknown", "is no adduct; expected such as"),
        ("[M" + "+H" * 100 + "]+", "is no adduct; expected such as"),
    ],
)
def test_what_is_no_adduct_is_refused(text: str, message: str):
    with pytest.raises(AdductError, match=message):
        Adduct.parse(text)


def test_groups_whose_charge_cannot_be_known_are_taken_as_written():
    assert Adduct.parse("[M-CH3]-").charge == -1
    assert Adduct.parse("[M-OH]+").mz(GLUCOSE) == pytest.approx(163.06009987, abs=1e-7)
    assert Adduct.parse("[M+Fe-2H]+").charge == 1


def test_arrays_are_converted_element_by_element():
    adduct = Adduct.parse("[2M+H]+")
    masses = np.array([100.0, GLUCOSE])
    np.testing.assert_allclose(adduct.neutral_mass(adduct.mz(masses)), masses, rtol=0, atol=1e-9)


def test_likely_adducts_have_the_sign_of_their_polarity():
    assert [adduct.name for adduct in LIKELY_ADDUCTS["positive"]] == ["[M+H]+", "[M+Na]+", "[M+NH4]+", "[M-H2O+H]+"]
    assert [adduct.name for adduct in LIKELY_ADDUCTS["negative"]] == ["[M-H]-", "[M+HCOO]-", "[M+Cl]-"]
    assert all(adduct.charge == 1 for adduct in LIKELY_ADDUCTS["positive"])
    assert all(adduct.charge == -1 for adduct in LIKELY_ADDUCTS["negative"])


def test_masses_agree_with_the_table_of_matchms():
    # There, two carriers make one charge, OAc weighs 243 Da, and -2H leaves one charge.
    disputed = {"[M+IsoProp+Na+H]+", "[M+OAc]-", "[M-2H]-"}
    folder = Path(find_spec("matchms").submodule_search_locations[0])
    with (folder / "data" / "known_adducts_table.csv").open(encoding="utf-8-sig") as stream:
        for entry in csv.DictReader(stream):
            if entry["adduct"] in disputed:
                continue
            adduct = Adduct.parse(entry["adduct"])
            expected = GLUCOSE * float(entry["mass_multiplier"]) + float(entry["correction_mass"])
            assert adduct.charge == int(entry["charge"])
            assert adduct.mz(GLUCOSE) == pytest.approx(expected, abs=2e-5), entry["adduct"]


GROUPS = st.sampled_from(
    ["H", "Na", "K", "NH4", "H2O", "NH3", "CO2", "Cl", "HCOO", "ACN", "C6H10O5", "CH3", "FA", "Fe"]
)
TERMS = st.lists(st.tuples(st.sampled_from("+-"), st.integers(1, 4), GROUPS), min_size=0, max_size=4)


@given(TERMS, st.integers(1, 3), st.sampled_from([-3, -2, -1, 1, 2, 3]), st.floats(1.0, 5000.0))
def test_mass_and_mz_and_name_round_trip(terms, n_molecules: int, charge: int, mass: float):
    body = "".join(f"{sign}{number if number > 1 else ''}{group}" for sign, number, group in terms)
    text = f"[{n_molecules}M{body}]{abs(charge)}{'+' if charge > 0 else '-'}"
    adduct = Adduct.parse(text + ".")
    assert adduct.charge == charge
    assert adduct.neutral_mass(adduct.mz(mass)) == pytest.approx(mass, abs=1e-6)
    assert Adduct.parse(adduct.name) == adduct


@given(st.text(max_size=40) | st.text(alphabet="[]M+-HNa123.() /eCOF", max_size=20))
def test_any_text_is_an_adduct_or_an_adduct_error(text: str):
    try:
        adduct = Adduct.parse(text)
    except AdductError:
        return
    assert Adduct.parse(adduct.name) == adduct


def test_common_ions_weigh_more_and_none_weighs_nothing():
    weights = [adduct_weight(Adduct.parse(name)) for name in ("[M+H]+", "[M+Na]+", "[3M+2Na-H]+")]
    assert weights == [4340, 139, 50]
