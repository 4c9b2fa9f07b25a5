import numpy as np
import pytest

from diptych.molecules.fragment_costs import fragment_costs
from diptych.molecules.structure import Structure

C, H, O = 12.0, 1.00782503, 15.99491462  # noqa: E741 - the symbols of the elements


def test_the_fragments_of_ethanol_with_the_energies_of_their_bonds():
    found = fragment_costs(Structure.from_smiles("CCO"))
    # CH3 | CH2 | OH: one C-C bond (350 kJ/mol), one C-O bond (320 kJ/mol), both for the CH2 between them.
    expected = {
        C + 2 * H: 670.0,
        C + 3 * H: 350.0,
        O + H: 320.0,
        2 * C + 5 * H: 320.0,
        C + 3 * H + O: 350.0,
        2 * C + 6 * H + O: 0.0,
    }
    np.testing.assert_allclose(found.mass, sorted(expected), atol=1e-5)
    np.testing.assert_allclose(found.energy, [expected[mass] for mass in sorted(expected)])


def test_of_two_ways_to_a_mass_the_cheaper_counts():
    # CH3-CH2-O-CH2-CH3: C2H5 by one C-O bond.
    found = fragment_costs(Structure.from_smiles("CCOCC"))
    row = np.argmin(np.abs(found.mass - (2 * C + 5 * H)))
    assert found.energy[row] == 320.0


def test_a_huge_molecule_has_no_fragments_but_itself():
    found = fragment_costs(Structure.from_smiles("C" * 300))
    assert found.mass == pytest.approx([300 * C + 602 * H], abs=1e-3)
    assert found.energy.tolist() == [0.0]
