from dataclasses import fields

import numpy as np
import pytest
from rdkit import Chem

from diptych.molecules import Structure
from diptych.molecules.graphs import ATOM_COLUMNS, BOND_COLUMNS, GraphFeaturiser, MoleculeGraphs
from diptych.molecules.parallel import standardise_rows
from diptych.molecules.structure import mol_from_smiles, standardise
from diptych.molecules.tables import StructureRow

SMILES = ["CCO", "c1ccccc1O", "C", "CC(=O)Nc1ccc(O)cc1"]
NAMES = [column.name for column in ATOM_COLUMNS]


def graphs_of(*smiles: str) -> MoleculeGraphs:
    return GraphFeaturiser()([Structure.from_smiles(text).mol() for text in smiles])


def atom(graphs: MoleculeGraphs, at: int) -> dict[str, int]:
    return dict(zip(NAMES, graphs.atoms[at].tolist(), strict=True))


def same(a: MoleculeGraphs, b: MoleculeGraphs) -> bool:
    pairs = [(getattr(a, field.name), getattr(b, field.name)) for field in fields(a)]
    return all(np.array_equal(x, y) and x.dtype == y.dtype for x, y in pairs)


def test_the_oxygen_of_ethanol_is_described_as_a_chemist_would():
    oxygen = atom(graphs_of("CCO"), 2)
    assert oxygen == {
        "element": 2,
        "has_single_bond": 1,
        "has_double_bond": 0,
        "has_triple_bond": 0,
        "has_aromatic_bond": 0,
        "degree": 1,
        "total_degree": 2,
        "heavy_valence": 1,
        "valence": 2,
        "hybridisation": 2,
        "n_hydrogens": 1,
        "formal_charge": 2,
        "n_radical_electrons": 0,
        "is_aromatic": 0,
        "in_ring": 0,
    }


def test_charges_rings_triple_bonds_and_rare_elements_are_told():
    graphs = graphs_of("C[N+](C)(C)C", "c1ccccc1", "CC#N", "C[Se]C")
    nitrogen, aromatic, nitrile, selenium = atom(graphs, 1), atom(graphs, 5), atom(graphs, 12), atom(graphs, 15)
    assert nitrogen["formal_charge"] == 3
    assert (aromatic["is_aromatic"], aromatic["in_ring"], aromatic["has_aromatic_bond"]) == (1, 1, 1)
    assert (nitrile["has_triple_bond"], nitrile["hybridisation"], nitrile["valence"]) == (1, 0, 4)
    assert selenium["element"] == 10


def test_bonds_tell_type_conjugation_and_ring():
    graphs = graphs_of("C=CC", "c1ccccc1")
    assert [column.name for column in BOND_COLUMNS] == ["type", "is_conjugated", "in_ring"]
    assert graphs.bonds[:2].tolist() == [[1, 0, 0], [0, 0, 0]]
    assert graphs.bonds[2:].tolist() == [[3, 1, 1]] * 6
    assert graphs.ends[:2].tolist() == [[0, 1], [1, 2]]
    assert graphs.flat_ends[2].tolist() == [3, 4]


def test_masses_are_those_of_the_isotopes():
    graphs = graphs_of("CO", "[13CH3]O")
    np.testing.assert_allclose(graphs.atom_mass, [12.011, 15.999, 13.00335, 15.999], atol=1e-3)


def test_a_class_beyond_the_last_is_the_last():
    assert atom(graphs_of("FS(F)(F)(F)(F)F"), 1)["valence"] == 6
    assert atom(GraphFeaturiser()([Chem.MolFromSmiles("[Fe+3]")]), 0)["formal_charge"] == 4


def test_rows_are_taken_and_joined_like_those_of_one_call():
    graphs = graphs_of(*SMILES)
    assert len(graphs) == 4
    assert graphs.n_atoms.tolist() == [3, 7, 1, 11]
    assert graphs.molecule_of_atom.tolist() == [0] * 3 + [1] * 7 + [2] + [3] * 11
    order = np.array([3, 0, 0, 2])
    assert same(graphs.take(order), graphs_of(*[SMILES[row] for row in order]))
    parts = [graphs_of(*SMILES[:1]), graphs_of(*SMILES[1:])]
    assert same(MoleculeGraphs.concatenate(parts), graphs)
    assert len(graphs.take(np.empty(0, dtype=np.int64))) == 0


def test_no_molecules_have_empty_graphs():
    nothing = GraphFeaturiser()([])
    assert len(nothing) == 0
    assert same(MoleculeGraphs.concatenate([nothing, graphs_of("CCO")]), graphs_of("CCO"))


def test_the_featuriser_can_be_sent_to_other_processes():
    rows = [StructureRow(row_number=at, smiles=text) for at, text in enumerate(SMILES)]
    chunks = list(standardise_rows(rows, featuriser=GraphFeaturiser(), workers=2, chunk_size=2))
    here = GraphFeaturiser()([standardise(mol_from_smiles(text)) for text in SMILES])
    assert same(MoleculeGraphs.concatenate([chunk.features for chunk in chunks]), here)


@pytest.mark.parametrize("drawn", ["[NH3+]c1ccccc1C(=O)[O-]", "C1=C[NH+]=CN1", "[O-]c1ccccc1", "[NH3+]CC(=O)[O-]"])
def test_a_molecule_has_one_graph_however_it_was_drawn(drawn: str):
    standard = standardise(mol_from_smiles(drawn))
    again = Structure.from_standardised(standard).mol()
    first, second = GraphFeaturiser()([standard]), GraphFeaturiser()([again])
    assert sorted(first.atoms.tolist()) == sorted(second.atoms.tolist())
    assert sorted(first.bonds.tolist()) == sorted(second.bonds.tolist())


def test_a_molecule_that_rdkit_would_not_sanitise_again_still_has_a_graph():
    odd = standardise(mol_from_smiles("[CH-]1C=CC=C1"))
    assert GraphFeaturiser()([odd]).n_atoms.tolist() == [5]
