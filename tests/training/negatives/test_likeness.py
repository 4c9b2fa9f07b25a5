import numpy as np
import pytest

from diptych.molecules.similarity import packed_fingerprints
from diptych.training.negatives.likeness import most_similar, tanimoto_to_owner
from diptych.training.ragged import Ragged


def test_tanimoto_counts_shared_bits_over_bits_of_either():
    packed = np.array([[0b0111, 0], [0b0011, 0b1], [0b1000, 0], [0, 0], [0, 0]], dtype=np.uint64)
    similarity = tanimoto_to_owner(Ragged.from_lists([[1, 2, 0], [0], [], [4]]), packed)
    assert similarity.tolist() == pytest.approx([2 / 4, 0.0, 1.0, 2 / 4, 0.0])


def test_the_most_similar_come_first_and_the_rest_is_left_out():
    lists = Ragged.from_lists([[10, 11, 12, 13], [], [14]])
    likeness = most_similar(lists, np.array([0.1, 0.9, 0.5, 0.9, 0.3], dtype=np.float32), at_most=3)
    assert [likeness.lists[i].tolist() for i in range(3)] == [[11, 13, 12], [], [14]]
    assert likeness.similarity.tolist() == pytest.approx([0.9, 0.9, 0.5, 0.3])


def test_isomers_with_the_same_rings_resemble_more():
    # Ibuprofen with its meta isomer and with an ester of the same formula.
    smiles = ["CC(C)Cc1ccc(C(C)C(=O)O)cc1", "CC(C)Cc1cccc(C(C)C(=O)O)c1", "CCCCCCOC(=O)c1ccccc1"]
    similarity = tanimoto_to_owner(Ragged.from_lists([[1, 2]]), packed_fingerprints(smiles))
    assert similarity[0] > 2 * similarity[1]
