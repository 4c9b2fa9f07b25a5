"""Fragments with the cuts that set them free."""

import numpy as np
import pytest
from rdkit import Chem

from diptych.molecules.atom_environments import atom_environments
from diptych.molecules.fragment_graphs import FragmentGraphFeaturiser, FragmentGraphs
from diptych.molecules.fragmentation import fragment_masses

ETHANOL, PARACETAMOL = "CCO", "CC(=O)Nc1ccc(O)cc1"


def features(*smiles: str, **options: float) -> FragmentGraphs:
    return FragmentGraphFeaturiser(**options)([Chem.MolFromSmiles(text) for text in smiles])


def test_ethanol_breaks_into_what_one_writes_down_by_hand():
    graphs = features(ETHANOL, min_mass=10)
    # CH2, CH3, OH, C2H5, CH2OH, C2H6O
    assert graphs.mass == pytest.approx([14.01565, 15.02348, 17.00274, 29.03913, 31.01839, 46.04186], abs=1e-4)
    assert graphs.first[-1] == graphs.second[-1] == -1
    assert (graphs.first[:-1] >= 0).all()
    assert np.flatnonzero(graphs.second >= 0).tolist() == [0]


def test_each_cut_knows_which_side_is_kept():
    graphs = features(ETHANOL, min_mass=10)
    methyl, carbon, oxygen = atom_environments(Chem.MolFromSmiles(ETHANOL), width=4096)
    cut = graphs.first[1]  # CH3
    assert graphs.cut_share[cut] == pytest.approx(15.02348 / 46.04186, abs=1e-6)
    assert np.array_equal(graphs.cut_ends[cut, 0], methyl)
    assert np.array_equal(graphs.cut_ends[cut, 1], carbon)
    assert (graphs.cut_ends[cut, 2:] == -1).all()
    cut = graphs.first[3]  # C2H5
    assert np.array_equal(graphs.cut_ends[cut, 0], carbon)
    assert np.array_equal(graphs.cut_ends[cut, 1], oxygen)


def test_a_ring_cut_has_two_bonds():
    graphs = features(PARACETAMOL)
    assert (graphs.cut_ends[:, 2, 0] >= 0).any()
    assert (graphs.cut_ends[:, :2, 0] >= 0).all()


def test_the_masses_are_those_of_the_other_fragmentation():
    expected = fragment_masses(Chem.MolFromSmiles(PARACETAMOL))
    assert features(PARACETAMOL, min_mass=0.1).mass == pytest.approx(expected[expected >= 0.1], abs=1e-4)


def test_equal_masses_are_counted_and_told_once():
    graphs = features("COC", min_mass=10)
    methyl = int(np.argmin(np.abs(graphs.mass - 15.0235)))
    assert graphs.n_ways[methyl] == 2
    assert len(graphs.mass) == len(np.unique(graphs.mass))


def test_rows_are_taken_and_joined_like_lists():
    one, two = features(ETHANOL, min_mass=10), features(PARACETAMOL, min_mass=10)
    both = FragmentGraphs.concatenate([one, two])
    again = both.take(np.array([1, 0, 1]))
    assert len(both) == 2
    assert np.array_equal(again.mass, np.concatenate([two.mass, one.mass, two.mass]))
    assert np.array_equal(again.take(np.array([1])).cut_ends, one.cut_ends)


def test_no_molecules_give_no_rows():
    assert len(features()) == 0


def test_of_many_fragments_the_cheapest_stay():
    few = features(PARACETAMOL, max_fragments=5)
    assert len(few.mass) == 5
    assert few.mass.max() == features(PARACETAMOL).mass.max()
    assert (np.diff(few.mass) > 0).all()


def test_an_enormous_molecule_is_not_taken_apart():
    graphs = features("C" * 300)
    assert len(graphs.mass) == 1
    assert len(graphs.cut_kind) == 0


def test_alike_atoms_have_alike_environments():
    environments = atom_environments(Chem.MolFromSmiles("CCCCCC"), width=4096)
    assert np.array_equal(environments, environments[::-1])
    assert not np.array_equal(environments[0], environments[2])
    assert environments.min() >= 0
