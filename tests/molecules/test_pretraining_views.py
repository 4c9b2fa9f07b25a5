import numpy as np
import pytest

from diptych.errors import StructureError
from diptych.molecules import Structure
from diptych.molecules.pretraining_views import DESCRIPTORS, ViewMaker
from diptych.molecules.smiles_tokens import TOKENS, token_ids

SMILES = "CC(=O)Nc1ccc(O)cc1"


def written(ids: np.ndarray) -> str:
    return "".join(TOKENS[i] for i in ids[1:-1])


def test_views_are_the_same_molecule_written_by_the_seed():
    make = ViewMaker(describe=False, find_pieces=True)
    texts = {written(make(SMILES, seed=seed).ids) for seed in range(10)}
    assert len(texts) > 3
    assert {Structure.from_smiles(text).inchikey for text in texts} == {Structure.from_smiles(SMILES).inchikey}
    assert make(SMILES, seed=None).ids.tolist() == token_ids(SMILES)
    assert make(SMILES, seed=3).ids.tolist() == make(SMILES, seed=3).ids.tolist()
    assert len(make(SMILES, seed=None).pieces) == len(token_ids(SMILES)) - 2


def test_a_description_does_not_depend_on_the_spelling():
    make = ViewMaker(describe=True, find_pieces=False)
    first, second = make(SMILES, seed=1), make(SMILES, seed=2)
    assert first.fingerprint.tolist() == second.fingerprint.tolist()
    np.testing.assert_allclose(first.descriptors, second.descriptors, rtol=1e-6)
    values = dict(zip(DESCRIPTORS, first.descriptors.tolist(), strict=True))
    assert (values["HeavyAtomCount"], values["NumHDonors"], values["NumAromaticRings"]) == (11, 2, 1)
    assert values["ExactMolWt"] == pytest.approx(151.0633, abs=1e-3)
    assert first.pieces is None


def test_salts_are_standardised_and_nonsense_is_refused():
    make = ViewMaker(describe=False, find_pieces=False)
    assert written(make("[Na+].CC(=O)[O-]", seed=None).ids) == "CC(=O)O"
    with pytest.raises(StructureError, match="cannot be parsed"):
        make("C1CC", seed=None)
