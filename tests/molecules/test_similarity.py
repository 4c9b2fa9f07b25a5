import numpy as np
import pytest
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator

from diptych.errors import StructureError
from diptych.molecules.similarity import greatest_similarity, packed_fingerprints, similar_pairs, standard_smiles

SMILES = ["CCO", "CCCO", "CCCCO", "c1ccccc1", "Cc1ccccc1", "CC(=O)Oc1ccccc1C(=O)O", "O=C(O)c1ccccc1O", "C"]


def rdkit_tanimoto(first: str, second: str) -> float:
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=4096)
    bits = [generator.GetFingerprint(Chem.MolFromSmiles(smiles)) for smiles in (first, second)]
    return DataStructs.TanimotoSimilarity(*bits)


@pytest.mark.parametrize("threshold", [0.05, 0.3, 0.5, 1.0])
def test_similar_pairs_are_those_that_rdkit_finds(threshold: float):
    packed = packed_fingerprints(SMILES)
    pairs = similar_pairs(packed, packed[::-1], threshold=threshold)
    found = {
        (int(i), len(SMILES) - 1 - int(j)): s
        for i, j, s in zip(pairs.first, pairs.second, pairs.similarity, strict=True)
    }
    expected = {
        (i, j): rdkit_tanimoto(first, second)
        for i, first in enumerate(SMILES)
        for j, second in enumerate(SMILES)
        if rdkit_tanimoto(first, second) >= threshold
    }
    assert found.keys() == expected.keys()
    for pair, similarity in found.items():
        assert similarity == pytest.approx(expected[pair], abs=1e-6)


def test_more_rows_than_fit_one_chunk_are_all_compared():
    packed = np.repeat(packed_fingerprints(["CCO"]), 300, axis=0)
    assert similar_pairs(packed, packed, threshold=0.9).first.size == 300 * 300


def test_no_rows_have_no_neighbours():
    nothing, something = packed_fingerprints([]), packed_fingerprints(["CCO"])
    assert similar_pairs(nothing, something, threshold=0.5).first.size == 0
    assert similar_pairs(something, nothing, threshold=0.5).first.size == 0
    assert greatest_similarity(something, nothing).tolist() == [0.0]


def test_the_greatest_similarity_is_that_of_the_nearest():
    packed = packed_fingerprints(SMILES)
    nearest = greatest_similarity(packed[:1], packed[1:])
    assert nearest[0] == pytest.approx(max(rdkit_tanimoto("CCO", other) for other in SMILES[1:]), abs=1e-6)


def test_molecules_without_a_bit_are_alike_in_nothing():
    empty = np.zeros((1, 64), dtype=np.uint64)
    assert greatest_similarity(empty, empty).tolist() == [0.0]


def test_a_smiles_that_cannot_be_parsed_is_named():
    with pytest.raises(StructureError, match="row 1: SMILES 'nonsense' cannot be parsed"):
        packed_fingerprints(["CCO", "nonsense"])


def test_a_width_that_is_no_whole_number_of_words_is_refused():
    with pytest.raises(StructureError, match="expected a multiple of 64"):
        packed_fingerprints(["CCO"], width=100)


def test_standard_smiles_drop_salts_and_stereo():
    assert standard_smiles("[Na+].[O-]C(=O)[C@@H](N)C") == standard_smiles("CC(N)C(=O)O")
