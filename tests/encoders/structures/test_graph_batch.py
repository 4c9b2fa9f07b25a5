import numpy as np
import pytest
import torch

from diptych.encoders.structures.graph_batch import N_ATOM_FEATURES, N_BOND_FEATURES, GraphBatch, check_pooling
from diptych.molecules import Structure
from diptych.molecules.graph_augmentation import with_masked
from diptych.molecules.graphs import GraphFeaturiser, MoleculeGraphs


def graphs_of(*smiles: str) -> MoleculeGraphs:
    return GraphFeaturiser()([Structure.from_smiles(text).mol() for text in smiles])


def test_every_bond_is_an_edge_in_both_directions():
    batch = GraphBatch.of(graphs_of("CO", "CCO"))
    assert len(batch) == 2
    assert batch.edges.T.tolist() == [[0, 1], [1, 0], [2, 3], [3, 2], [3, 4], [4, 3]]
    assert batch.edge_features.shape == (6, N_BOND_FEATURES)
    assert batch.edge_features[0].tolist() == [1, 0, 0, 0, 0, 1, 0, 1, 0]  # single, not conjugated, not in a ring
    assert batch.molecule.tolist() == [0, 0, 1, 1, 1]
    assert batch.slot.tolist() == [0, 1, 0, 1, 2]


def test_an_atom_is_one_class_of_each_column_and_its_mass():
    features = GraphBatch.of(graphs_of("CO")).atom_features
    assert features.shape == (2, N_ATOM_FEATURES) == (2, 80)
    assert features[:, :-1].sum(dim=1).tolist() == [15, 15]
    assert features[:, 1].tolist() == [1, 0]  # carbon
    assert features[:, 2].tolist() == [0, 1]  # oxygen
    np.testing.assert_allclose(features[:, -1], [0.12011, 0.15999], atol=1e-5)


def test_a_masked_atom_is_nothing_but_masked():
    graphs = with_masked(graphs_of("CO"), np.array([True, False]))
    features = GraphBatch.of(graphs).atom_features
    assert features[0].nonzero().flatten().tolist() == [78]
    assert features[1, 78] == 0


def test_means_and_largest_values_are_taken_over_the_atoms_of_each_molecule():
    batch = GraphBatch.of(graphs_of("CO", "C"))
    atoms = torch.tensor([[1.0, -4.0], [3.0, -2.0], [-5.0, 7.0]])
    assert batch.pooled(atoms, "mean").tolist() == [[2.0, -3.0], [-5.0, 7.0]]
    assert batch.pooled(atoms, "max").tolist() == [[3.0, -2.0], [-5.0, 7.0]]


def test_atoms_are_padded_to_the_largest_molecule_and_told_by_the_mask():
    batch = GraphBatch.of(graphs_of("CO", "C"))
    rows, mask = batch.padded(torch.tensor([[1.0], [2.0], [3.0]]))
    assert rows.tolist() == [[[1.0], [2.0]], [[3.0], [0.0]]]
    assert mask.tolist() == [[True, True], [True, False]]


def test_groups_are_the_batches_of_their_molecules():
    smiles = ["CCO", "C", "c1ccccc1O", "CN"]
    groups = GraphBatch.of(graphs_of(*smiles)).groups(3)
    assert [len(group) for group in groups] == [3, 1]
    for group, expected in zip(groups, (smiles[:3], smiles[3:]), strict=True):
        alone = GraphBatch.of(graphs_of(*expected))
        assert torch.equal(group.edges, alone.edges)
        assert torch.equal(group.atom_features, alone.atom_features)
        assert torch.equal(group.edge_features, alone.edge_features)
        assert torch.equal(group.molecule, alone.molecule)


def test_an_empty_batch_is_one_empty_group():
    nothing = GraphBatch.of(GraphFeaturiser()([]))
    assert [len(group) for group in nothing.groups(3)] == [0]
    assert nothing.padded(torch.empty(0, 4))[0].shape == (0, 0, 4)


def test_an_unknown_pooling_is_refused():
    with pytest.raises(ValueError, match="pooling is 'sum'; expected 'mean' or 'max'"):
        check_pooling("sum")
