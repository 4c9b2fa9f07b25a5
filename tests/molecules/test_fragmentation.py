from itertools import combinations

import numpy as np
import pytest
from rdkit import Chem

from diptych.molecules.fragmentation import (
    HYDROGEN_SHIFTS,
    N_FRAGMENT_CLASSES,
    FragmentFeaturiser,
    class_weights,
    fragment_masses,
    molecular_graph,
)
from diptych.molecules.sparse import SparseFeatures

UNHASHED = FragmentFeaturiser(width=2**31 - 1)


def masses_by_brute_force(smiles: str) -> set[float]:
    """Remove every cut and every two cuts, and weigh the connected parts that touch all of what was removed."""
    mol = Chem.MolFromSmiles(smiles)
    graph = molecular_graph(mol)
    rings = [set(ring) for ring in mol.GetRingInfo().BondRings()]
    in_ring = set().union(*rings) if rings else set()
    cuts = [{bond} for bond in range(len(graph.bonds)) if bond not in in_ring]
    cuts += [set(pair) for ring in rings for pair in combinations(sorted(ring), 2)]

    def parts(removed: set[int]) -> list[frozenset[int]]:
        left = [tuple(b) for i, b in enumerate(graph.bonds) if i not in removed]
        groups = [{atom} for atom in range(len(graph.atom_mass))]
        for a, b in left:
            first, second = (next(g for g in groups if atom in g) for atom in (a, b))
            if first is not second:
                first |= second
                groups.remove(second)
        return [frozenset(group) for group in groups]

    found = set(parts(set()))
    for cut in cuts:
        found |= set(parts(cut))
    for first, second in combinations(cuts, 2):
        if not first & second:
            found |= {p for p in parts(first | second) if len(parts(first | second)) == 3}
    return {round(sum(graph.atom_mass[list(part)]), 3) for part in found}


def test_ethanol_breaks_into_the_masses_worked_out_by_hand():
    hydrogen, carbon, oxygen = 1.00782503, 12.0, 15.99491462
    expected = [
        carbon + 2 * hydrogen,  # CH2, between the two cuts
        carbon + 3 * hydrogen,
        oxygen + hydrogen,
        2 * carbon + 5 * hydrogen,
        carbon + 3 * hydrogen + oxygen,
        2 * carbon + 6 * hydrogen + oxygen,
    ]
    np.testing.assert_allclose(fragment_masses(Chem.MolFromSmiles("CCO")), expected, atol=1e-5)


def test_benzene_breaks_into_runs_of_ring_atoms():
    masses = fragment_masses(Chem.MolFromSmiles("c1ccccc1"))
    np.testing.assert_allclose(masses, [n * 13.00782503 for n in range(1, 7)], atol=1e-5)


@pytest.mark.parametrize("smiles", ["CC(=O)Nc1ccc(O)cc1", "CC(C)CC(N)C(=O)O", "O=C1CCCN1CCO", "C1CC1C1CCC1"])
def test_masses_are_those_of_brute_force(smiles: str):
    found = {round(mass, 3) for mass in fragment_masses(Chem.MolFromSmiles(smiles))}
    assert found <= masses_by_brute_force(smiles)
    # Three parts of which one touches neither other (two cuts of one opened ring) are the only ones left out.
    assert len(masses_by_brute_force(smiles) - found) <= 2


def test_the_order_of_the_atoms_changes_nothing():
    mol = Chem.MolFromSmiles("COc1ccc(CCN2CCOCC2)cc1C(=O)NC")
    order = list(range(mol.GetNumAtoms()))
    reference = UNHASHED([mol])
    for seed in range(5):
        np.random.default_rng(seed).shuffle(order)
        shuffled = UNHASHED([Chem.RenumberAtoms(mol, order)])
        np.testing.assert_array_equal(shuffled.indices, reference.indices)
        np.testing.assert_array_equal(shuffled.values, reference.values)


def test_an_entry_stands_at_the_bin_of_its_mass():
    water_free = UNHASHED([Chem.MolFromSmiles("CCO")])
    whole = round(46.0418648 * 200) * 2654435761 >> 7
    row = water_free.indices.tolist()
    assert whole % (2**31 - 1) in row
    kind, shift = divmod(int(water_free.values[row.index(whole % (2**31 - 1))]), len(HYDROGEN_SHIFTS))
    assert kind == 0
    assert HYDROGEN_SHIFTS[shift] == 0


def test_whole_molecules_and_easy_cuts_weigh_more_than_two_hard_ones():
    weights = class_weights().reshape(-1, len(HYDROGEN_SHIFTS))
    assert weights.size == N_FRAGMENT_CLASSES
    assert weights.max() == 1.0
    assert weights.min() > 0
    unmoved = weights[:, HYDROGEN_SHIFTS.index(0)]
    single_bond_to_heteroatom, two_aromatic_rings = unmoved[1], unmoved[-1]
    assert single_bond_to_heteroatom > 5 * two_aromatic_rings


def test_a_single_atom_and_a_giant_have_one_row_each():
    giant = Chem.MolFromSmiles("C" * 300)
    features = FragmentFeaturiser()([Chem.MolFromSmiles("C"), giant])
    assert isinstance(features, SparseFeatures)
    assert len(features) == 2
    assert features.indptr[1] == 0  # methane is lighter than min_mass
    assert features.indptr[2] == len(HYDROGEN_SHIFTS)


def test_a_cage_of_many_rings_is_described_in_bounded_memory():
    peptide_macrocycle = Chem.MolFromSmiles("C1" + "CC(=O)N" * 50 + "C1")
    features = FragmentFeaturiser()([peptide_macrocycle])
    assert 0 < len(features.indices) < 100_000
