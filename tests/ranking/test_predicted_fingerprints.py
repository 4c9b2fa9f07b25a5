import math
from dataclasses import dataclass

import numpy as np
import pytest

from diptych.errors import EvaluationError
from diptych.ranking import CandidateList, ClassifierRanker, FingerprintPredictor, FingerprintRanker, Query
from diptych.ranking.peak_network import NetworkSettings
from diptych.ranking.predicted_fingerprints import bit_similarity, fingerprint_bits
from diptych.spectra.spectrum import Spectrum

SETTINGS = NetworkSettings(n_hidden=16, epochs=60, learning_rate=0.01, dropout=0.0)


@dataclass(frozen=True)
class Molecule:
    smiles: str

    @property
    def inchikey_first_block(self) -> str:
        return f"block of {self.smiles}"


BENZOIC, HEXANE, TOLUENE = Molecule("O=C(O)c1ccccc1"), Molecule("CCCCCC"), Molecule("Cc1ccccc1")
SPECTRA = [Spectrum.from_peaks([mz], [1.0], precursor_mz=150.0) for mz in (50.0, 60.0, 50.0, 60.0)]
STRUCTURES = [BENZOIC, HEXANE, BENZOIC, HEXANE]


def queries() -> list[Query]:
    candidates = CandidateList(structures=(HEXANE, BENZOIC, TOLUENE))
    return [
        Query(identifier=str(i), spectrum=spectrum, target="", candidates=candidates)
        for i, spectrum in enumerate(SPECTRA[:2])
    ]


@pytest.mark.parametrize(
    ("similarity", "expected"),
    [
        # p = (0.8, 0.4), the candidates are (1, 0), (1, 1) and (0, 0).
        ("cosine", [0.8 / math.sqrt(0.8), 1.2 / math.sqrt(0.8 * 2), 0.0]),
        ("tanimoto", [0.8 / (0.8 + 1 - 0.8), 1.2 / (0.8 + 2 - 1.2), 0.0]),
        (
            "likelihood",
            [(math.log(0.8) + math.log(0.6)) / 2, (math.log(0.8) + math.log(0.4)) / 2, math.log(0.2 * 0.6) / 2],
        ),
    ],
)
def test_similarities_of_bits_worked_out_by_hand(similarity: str, expected: list[float]):
    bits = np.array([[1, 0], [1, 1], [0, 0]], dtype=bool)
    np.testing.assert_allclose(bit_similarity(np.array([0.8, 0.4]), bits, similarity=similarity), expected, atol=1e-5)


def test_a_bit_that_was_never_seen_does_not_make_a_candidate_impossible():
    found = bit_similarity(np.array([0.0]), np.array([[True]]), similarity="likelihood")
    assert found[0] == pytest.approx(math.log(1e-4), abs=1e-5)


def test_bits_are_those_of_the_fingerprint():
    bits = fingerprint_bits([HEXANE, BENZOIC])
    assert bits.shape == (2, 2048)
    # Environments of hexane: CH3 and CH2; two and three of their surroundings at radius 1 and 2.
    assert 2 < bits[0].sum() <= 8
    assert bits[1].sum() > bits[0].sum()


@pytest.mark.parametrize("similarity", ["cosine", "tanimoto", "likelihood"])
def test_the_candidate_of_the_predicted_fingerprint_stands_first(similarity: str):
    predictor = FingerprintPredictor(SPECTRA, STRUCTURES, settings=SETTINGS)
    ranker = FingerprintRanker(predictor, similarity=similarity)
    first, second = ranker.score(queries())
    assert (np.argmax(first), np.argmax(second)) == (1, 0)
    assert ranker.name == f"fingerprint_{similarity}"


def test_the_classifier_scores_by_likeness_to_the_probable_molecule():
    first, second = ClassifierRanker(SPECTRA, STRUCTURES, settings=SETTINGS).score(queries())
    assert np.argsort(-first).tolist() == [1, 2, 0]
    assert np.argmax(second) == 0


def test_an_unknown_similarity_is_refused():
    with pytest.raises(EvaluationError, match="fingerprint similarity 'dice'; expected one of cosine, tanimoto"):
        FingerprintRanker(None, similarity="dice")


@pytest.mark.parametrize("ranker", [FingerprintPredictor, ClassifierRanker])
def test_training_spectra_need_their_structures(ranker: type):
    with pytest.raises(EvaluationError, match="training spectra: 4, with 0 structures"):
        ranker(SPECTRA, [])
