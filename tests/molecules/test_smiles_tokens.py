import pytest
from rdkit import Chem

from diptych.molecules import Structure
from diptych.molecules.smiles_tokens import (
    SPECIAL_TOKENS,
    TOKENS,
    VOCABULARY,
    atom_of_token,
    random_smiles,
    token_ids,
    tokenised,
)

ODD = [
    "Clc1ccc(Br)cc1",
    "C[Sn](C)(C)Sc1cc[se]c1",
    "[13CH3][N+](C)(C)CC(=O)[O-]",
    "OB(O)c1ccc2[nH]ccc2c1",
    "C1CC2CCC1CC%10CCCC%10C2",
    "[Cu-3]12NCCN1CCN2",
    "F/C=C/[C@@H](N)O",
    "[2H]C([2H])([2H])O",
]


def test_tokens_are_atoms_bonds_brackets_and_ring_closures():
    assert tokenised("CC(=O)Nc1ccc(Cl)cc1") == [*"CC(=O)Nc1ccc(", "Cl", *")cc1"]
    assert tokenised("C[N+](C)(C)C") == ["C", "[N+]", *"(C)(C)C"]
    assert tokenised("[U]Sc1nccn1") == ["[", "U", "]", *"Sc1nccn1"]
    assert tokenised("[Sc]Sc1") == ["[", "Sc", "]", "S", "c", "1"]


@pytest.mark.parametrize("smiles", ODD)
def test_every_smiles_can_be_written_and_read_back(smiles: str):
    assert "".join(tokenised(smiles)) == smiles
    assert VOCABULARY["[UNK]"] not in token_ids(smiles)


def test_ids_stand_between_start_and_end_and_what_is_no_smiles_is_unknown():
    assert [TOKENS[i] for i in token_ids("C!")] == ["[CLS]", "C", "[UNK]", "[SEP]"]
    assert TOKENS[:5] == SPECIAL_TOKENS
    assert len(set(TOKENS)) == len(TOKENS) == len(VOCABULARY)


@pytest.mark.parametrize("smiles", ODD)
def test_every_atom_has_its_tokens_in_the_order_of_the_smiles(smiles: str):
    parameters = Chem.SmilesParserParams()
    parameters.removeHs = False
    symbols = [atom.GetSymbol() for atom in Chem.MolFromSmiles(smiles, parameters).GetAtoms()]
    tokens = tokenised(smiles)
    atoms = atom_of_token(tokens)
    written = ["".join(t for t, a in zip(tokens, atoms, strict=True) if a == number) for number in range(len(symbols))]
    assert atoms.max() == len(symbols) - 1
    assert all(symbol.lower() in text.lower() for symbol, text in zip(symbols, written, strict=True))


def test_random_smiles_are_the_same_molecule_and_follow_from_the_seed():
    molecule = Structure.from_smiles("CC(C)Cc1ccc(cc1)C(C)C(=O)O")
    written = random_smiles(molecule.mol(), n=8, seed=3)
    assert written == random_smiles(molecule.mol(), n=8, seed=3)
    assert len(set(written)) > 3
    assert {Structure.from_smiles(text).inchikey for text in written} == {molecule.inchikey}
    assert random_smiles(molecule.mol(), n=0, seed=3) == []
