import pytest
from rdkit import Chem

from diptych.molecules.smiles_tokens import tokenised
from diptych.molecules.substructures import substructure_of_atoms, substructure_of_tokens


@pytest.mark.parametrize(
    ("smiles", "pieces"),
    [
        ("CCO", [0, 0, 0]),
        ("CC(=O)Nc1ccccc1O", [0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2]),
        ("c1ccc2ccccc2c1", [0] * 10),  # fused rings are one system
        ("c1ccccc1-c1ccccc1", [0] * 6 + [1] * 6),  # joined ones are two
        ("C1CCC2(CC1)CC2", [0] * 8),
    ],
)
def test_pieces_are_ring_systems_and_what_hangs_on_them(smiles: str, pieces: list[int]):
    assert substructure_of_atoms(Chem.MolFromSmiles(smiles)).tolist() == pieces


def test_every_token_belongs_to_the_atom_before_it():
    smiles = "[H]OC(=O)c1ccc([13CH3])cc1"
    pieces = substructure_of_tokens(smiles)
    written = {
        number: "".join(token for token, piece in zip(tokenised(smiles), pieces, strict=True) if piece == number)
        for number in set(pieces.tolist())
    }
    assert written == {0: "[H]OC(=O)", 1: "c1ccc(cc1", 2: "[13CH3])"}


def test_what_cannot_be_parsed_is_one_piece():
    assert set(substructure_of_tokens("c1cccc").tolist()) == {0}
