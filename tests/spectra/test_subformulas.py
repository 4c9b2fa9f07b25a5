import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diptych.spectra import subformulas
from diptych.spectra.masses import MONOISOTOPIC_MASS, PROTON_MASS
from diptych.spectra.subformulas import (
    ELEMENTS,
    best_subformulas,
    double_bond_equivalents,
    element_counts,
    subformula_table,
)

CAFFEINE = {"C": 8, "H": 10, "N": 4, "O": 2}
USED = ("C", "H", "N", "O", "S", "Cl")
ROUNDING = 1e-9  # a mass this near to the tolerance may fall on either side of it: sums differ in their order
VALENCES = {"C": 4, "H": 1, "N": 3, "O": 2, "S": 2, "Cl": 1}


def text(counts: np.ndarray) -> str:
    return "".join(f"{element}{n}" for element, n in zip(ELEMENTS, counts.tolist(), strict=True) if n)


def best(mass: float, formula: dict[str, int], *, ppm: float = 10.0) -> tuple[str, float, int]:
    masses = np.array([mass])
    found = best_subformulas(masses, masses * ppm * 1e-6, subformula_table(element_counts(formula)))
    return text(found.counts[0]), float(found.error_da[0]), int(found.n_matches[0])


def brute_force(mass: float, formula: dict[str, int], tolerance: float) -> list[tuple[float, dict[str, int]]]:
    """Return error and counts of every subformula that can exist, nearest first, by trying them all."""
    found = []
    for numbers in itertools.product(*(range(n + 1) for n in formula.values())):
        counts = dict(zip(formula, numbers, strict=True))
        error = mass - sum(n * MONOISOTOPIC_MASS[element] for element, n in counts.items())
        dbe = 1 + sum(n * (VALENCES[element] - 2) / 2 for element, n in counts.items())
        if abs(error) <= tolerance and dbe >= -0.5:
            found.append((abs(error), counts))
    return sorted(found, key=lambda item: item[0])


def test_a_fragment_of_caffeine_has_the_formula_of_the_textbook():
    # m/z 138.0662 is C6H8N3O+, caffeine without methyl isocyanate; less its proton C6H7N3O of 137.05891 Da.
    formula, error, _ = best(138.0662 - PROTON_MASS, CAFFEINE)
    assert formula == "H7C6N3O1"
    assert error == pytest.approx(138.0662 - PROTON_MASS - 137.058912, abs=1e-6)


def test_a_mass_beyond_the_tolerance_has_no_formula():
    found = best_subformulas(np.array([137.1]), np.array([0.001]), subformula_table(element_counts(CAFFEINE)))
    assert not found.found[0]
    assert found.counts.sum() == 0
    assert np.isnan(found.error_da[0])


def test_atoms_that_the_molecule_lacks_are_not_used():
    assert best(31.98983, {"C": 8, "H": 10, "N": 4, "O": 2})[0] == "O2"
    assert best(31.98983, {"C": 8, "H": 10, "N": 4, "O": 1}) == ("", pytest.approx(np.nan, nan_ok=True), 0)


def test_more_hydrogens_than_valences_hold_are_no_fragment():
    # CH5 has -0.5 rings and double bonds and may be left of a rearrangement, CH6 has -1.
    assert best(12 + 5 * MONOISOTOPIC_MASS["H"], {"C": 2, "H": 9})[0] == "H5C1"
    assert best(12 + 6 * MONOISOTOPIC_MASS["H"], {"C": 2, "H": 9})[2] == 0


def test_rings_and_double_bonds_are_those_counted_by_hand():
    # Benzene 4; caffeine 8 - 10/2 + 4/2 + 1 = 6; chloroform 0; ammonia 0; sulfuric acid by its lowest valence 0.
    formulas = [{"C": 6, "H": 6}, CAFFEINE, {"C": 1, "H": 1, "Cl": 3}, {"N": 1, "H": 3}, {"H": 2, "S": 1, "O": 4}]
    counts = np.array([element_counts(formula) for formula in formulas])
    assert double_bond_equivalents(counts).tolist() == [4, 6, 0, 0, 0]


def test_costs_make_the_plain_formula_the_best():
    masses, tolerance = np.array([137.0589]), np.array([0.004])
    dear = [1.0 if element == "N" else 0.0 for element in ELEMENTS]
    table = subformula_table(element_counts({"C": 12, "H": 20, "N": 6, "O": 6}), cost=dear)
    plain = best_subformulas(masses, tolerance, table)
    nearest = best_subformulas(masses, tolerance, subformula_table(element_counts({"C": 12, "H": 20, "N": 6, "O": 6})))
    assert plain.counts[0, ELEMENTS.index("N")] < nearest.counts[0, ELEMENTS.index("N")]
    assert plain.n_matches[0] == nearest.n_matches[0]


def test_a_table_of_a_largest_mass_holds_nothing_heavier():
    table = subformula_table(element_counts({"C": 20, "O": 10}), max_mass=100.0)
    assert table is not None
    assert table.mass.max() <= 100
    assert sorted(table.mass)[-1] == pytest.approx(7 * 12 + 15.99491461926)  # C7O, 99.995 Da


def test_a_formula_of_far_too_many_combinations_is_not_searched():
    giant = dict.fromkeys(ELEMENTS, 60)
    assert subformula_table(element_counts(giant)) is None
    found = best_subformulas(np.array([100.0]), np.array([0.01]), None)
    assert not found.found.any()


FORMULAS = st.fixed_dictionaries({element: st.integers(0, 4 if element != "H" else 12) for element in USED})


@settings(max_examples=60)
@given(formula=FORMULAS, data=st.data())
def test_the_search_finds_what_trying_everything_finds(formula: dict[str, int], data: st.DataObject):
    part = {element: data.draw(st.integers(0, n)) for element, n in formula.items()}
    shift = data.draw(st.floats(-0.006, 0.006))
    mass = sum(n * MONOISOTOPIC_MASS[element] for element, n in part.items()) + shift
    tolerance = 0.005
    expected = brute_force(mass, formula, tolerance - ROUNDING)
    or_rounded = brute_force(mass, formula, tolerance + ROUNDING)
    found = best_subformulas(np.array([mass]), np.array([tolerance]), subformula_table(element_counts(formula)))
    assert len(expected) <= int(found.n_matches[0]) <= len(or_rounded)
    if expected:
        assert abs(found.error_da[0]) == pytest.approx(expected[0][0], abs=1e-9)


@settings(max_examples=30)
@given(formula=FORMULAS, mass=st.floats(10, 200))
def test_a_divided_table_finds_the_same(formula: dict[str, int], mass: float):
    masses, tolerance = np.array([mass]), np.array([0.02])
    undivided = subformula_table(element_counts(formula))
    whole, narrower, wider = (
        best_subformulas(masses, tolerance + rounding, undivided) for rounding in (0.0, -ROUNDING, ROUNDING)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subformulas, "_LARGEST_TABLE", 30)
        subformulas._table.cache_clear()
        table = subformula_table(element_counts(formula))
        subformulas._table.cache_clear()
    divided = best_subformulas(masses, tolerance, table)
    assert table is not None
    assert len(table.mass) <= 30
    assert narrower.n_matches[0] <= divided.n_matches[0] <= wider.n_matches[0]
    if narrower.n_matches[0]:
        np.testing.assert_allclose(np.abs(divided.error_da), np.abs(whole.error_da), atol=1e-9)
