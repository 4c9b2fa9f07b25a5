from dataclasses import fields
from types import SimpleNamespace

import numpy as np
import pytest

from diptych.molecules import Structure
from diptych.molecules.features import StructureFeaturiser
from diptych.molecules.fragmentation import FragmentFeaturiser
from diptych.molecules.graph_augmentation import draw_atoms, drop_subgraph, mask_atoms, without_atoms
from diptych.molecules.graphs import MASKED, GraphFeaturiser, MoleculeGraphs

SMILES = ["CCO", "C", "CC(=O)Nc1ccc(O)cc1", "C" * 20]


def mols():
    return [Structure.from_smiles(text).mol() for text in SMILES]


def graphs() -> MoleculeGraphs:
    return GraphFeaturiser()(mols())


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def same(a: MoleculeGraphs, b: MoleculeGraphs) -> bool:
    return all(np.array_equal(getattr(a, field.name), getattr(b, field.name)) for field in fields(a))


def n_parts(molecule: MoleculeGraphs) -> int:
    """Return the number of connected parts of one molecule, found by merging the ends of bonds."""
    label = list(range(len(molecule.atoms)))
    for a, b in molecule.ends.tolist():
        label = [label[a] if here == label[b] else here for here in label]
    return len(set(label))


def test_the_share_of_masked_atoms_is_the_one_asked_for():
    masked = mask_atoms(graphs(), share=0.25, rng=rng())
    hidden = (masked.atoms == MASKED).all(axis=1)
    per_molecule = np.bincount(masked.molecule_of_atom[hidden], minlength=4)
    assert per_molecule[2] in {2, 3}  # a quarter of 11
    assert per_molecule[3] == 5
    assert (masked.atom_mass[hidden] == 0).all()
    assert np.array_equal(masked.atoms[~hidden], graphs().atoms[~hidden])
    assert np.array_equal(masked.ends, graphs().ends)


def test_every_molecule_can_be_asked_for_a_masked_atom():
    chosen = draw_atoms(graphs(), share=0.0, rng=rng(), at_least=1)
    assert np.bincount(graphs().molecule_of_atom[chosen], minlength=4).tolist() == [1, 1, 1, 1]


def test_the_masked_share_is_right_on_average():
    shares = [draw_atoms(graphs(), share=0.15, rng=rng(seed)).mean() for seed in range(300)]
    assert np.mean(shares) == pytest.approx(0.15, abs=0.01)


def test_a_dropped_part_is_connected_and_what_stays_keeps_its_bonds():
    whole = graphs()
    for seed in range(20):
        left = drop_subgraph(whole, share=0.3, rng=rng(seed))
        assert left.n_atoms[1] == 1
        assert left.n_atoms[3] == 14
        # A chain without a connected part is one chain, or two.
        chain = left.take(np.array([3]))
        assert n_parts(chain) in {1, 2}
        assert len(chain.ends) == 14 - n_parts(chain)


def test_the_part_lies_around_one_atom():
    whole = graphs().take(np.array([3]))
    sizes = {tuple(np.diff(drop_subgraph(whole, share=0.3, rng=rng(seed)).bond_start)) for seed in range(40)}
    assert sizes == {(13,), (12,)}


def test_bonds_of_the_left_atoms_are_numbered_anew():
    left = without_atoms(graphs(), np.arange(35) == 1)  # ethanol without its middle, all else as it was
    assert left.n_atoms.tolist() == [2, 1, 11, 20]
    assert np.diff(left.bond_start).tolist() == [0, 0, 11, 19]
    assert same(left.take(np.array([1, 2, 3])), graphs().take(np.array([1, 2, 3])))


def test_equal_seeds_give_equal_graphs_and_nothing_is_changed_in_place():
    whole = graphs()
    for vary in (mask_atoms, drop_subgraph):
        assert same(vary(whole, share=0.3, rng=rng(5)), vary(whole, share=0.3, rng=rng(5)))
        assert not same(vary(whole, share=0.3, rng=rng(5)), vary(whole, share=0.3, rng=rng(6)))
        assert vary(whole, share=0.0, rng=rng(5)) is whole
    assert same(whole, graphs())


def test_fragments_are_left_alone_by_what_varies_the_graphs():
    features = StructureFeaturiser(own=GraphFeaturiser(), fragments=FragmentFeaturiser(width=64))(mols())
    settings = SimpleNamespace(atom_masking=0.2, subgraph_dropping=0.3)
    varied = features.augmented(settings, rng())
    assert varied.fragments is features.fragments
    assert len(varied) == len(features)
    assert (varied.own.n_atoms <= features.own.n_atoms).all()
    assert (varied.own.atoms == MASKED).any()
