from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from diptych.embedding import JointEmbedding
from diptych.encoders.pairs.tokens import TokenVectors
from diptych.errors import ConfigError
from diptych.molecules import Structure
from diptych.ranking import CandidateList, Query
from diptych.retrieval.rankers import EmbeddingRanker
from diptych.retrieval.reranking import ReRanking, ReRankingRanker, chosen_reranking, model_ranker
from diptych.spectra.spectrum import Spectrum


@dataclass(frozen=True)
class Molecule:
    inchikey_first_block: str
    formula: str = "CH4"


COSINES = {"A": 0.9, "B": 0.8, "C": 0.6, "D": 0.1}
ATOMS = {"A": [[0.0, 1.0]], "B": [[1.0, 0.0], [0.0, 1.0]], "C": [[1.0, 0.0]], "D": [[1.0, 0.0], [0.0, 1.0]]}


class TwoSteps:
    """Cosines and atoms by the name of the molecule; a spectrum has a peak on one axis or on both."""

    name = "two-steps"
    interaction = None

    def __init__(self) -> None:
        self.metadata = {}
        self.asked: list[list[str]] = []

    def encode_spectra(self, spectra, *, blind=False):
        return np.array([[1.0, 0.0]] * len(spectra), dtype=np.float32)

    def encode_structures(self, structures):
        cosines = np.array([COSINES[s.inchikey_first_block] for s in structures])
        return np.stack([cosines, np.sqrt(1 - cosines**2)], axis=1).astype(np.float32)

    def encode_spectrum_tokens(self, spectra, *, blind=False):
        masks = [[not blind, len(s.mz) > 1 and not blind] for s in spectra]
        return TokenVectors(vectors=torch.eye(2).expand(len(spectra), 2, 2), mask=torch.tensor(masks))

    def encode_structure_tokens(self, structures):
        names = [s.inchikey_first_block for s in structures]
        self.asked.append(names)
        parts = [
            TokenVectors(vectors=torch.tensor([ATOMS[n]]), mask=torch.ones(1, len(ATOMS[n])).bool()) for n in names
        ]
        return TokenVectors.concatenate(parts)


CANDIDATES = CandidateList(structures=tuple(map(Molecule, "ABCD")))


def query(n_peaks: int, *, target: str = "C", candidates: CandidateList = CANDIDATES) -> Query:
    spectrum = Spectrum.from_peaks([50.0, 60.0][:n_peaks], [1.0] * n_peaks, precursor_mz=100.0)
    return Query(identifier=str(n_peaks), spectrum=spectrum, target=target, candidates=candidates)


def test_the_first_by_cosine_are_scored_by_their_parts_and_the_others_stay_below():
    ranker = ReRankingRanker(TwoSteps(), ReRanking(recall=3, weight=0.25))
    one, both = ranker.score([query(1), query(2)])
    # One peak on the first axis: A explains nothing of it, B and C all of it. Late: 0, 1, 1.
    np.testing.assert_allclose(one, [0.75 * 0.9, 0.75 * 0.8 + 0.25, 0.75 * 0.6 + 0.25, 0.1 - 3], atol=1e-6)
    # A peak on each axis: A and C explain half of them, B all.
    np.testing.assert_allclose(both, [0.75 * 0.9 + 0.125, 0.75 * 0.8 + 0.25, 0.75 * 0.6 + 0.125, 0.1 - 3], atol=1e-6)


def test_only_the_recalled_have_their_atoms_embedded_once_for_all_spectra_of_a_list():
    model = TwoSteps()
    ReRankingRanker(model, ReRanking(recall=2, weight=0.5)).score([query(1), query(2)])
    assert model.asked == [["A", "B"]]


def test_candidates_that_tie_with_the_last_recalled_are_recalled():
    class AllAlike(TwoSteps):
        def encode_structures(self, structures):
            return np.array([[1.0, 0.0]] * len(structures), dtype=np.float32)

    scores = ReRankingRanker(AllAlike(), ReRanking(recall=1, weight=0.5)).score([query(1)])[0]
    np.testing.assert_allclose(scores, [0.5, 1, 1, 1], atol=1e-6)


def test_the_blind_control_has_no_peaks_to_re_rank_by():
    control = ReRankingRanker(TwoSteps(), ReRanking(recall=4, weight=0.5)).blinded()
    assert control.name == "spectrum_blind"
    np.testing.assert_allclose(control.score([query(2)])[0], np.array([0.9, 0.8, 0.6, 0.1]) / 2, atol=1e-6)


def test_spectra_that_cannot_be_worked_with_are_misses_and_empty_lists_no_trouble():
    ranker = ReRankingRanker(TwoSteps(), ReRanking())
    unusable = replace(query(1), spectrum=Spectrum.from_peaks([50.0], [1.0]))
    empty = query(1, candidates=CandidateList(structures=()))
    scores = ranker.score([unusable, empty, query(1)])
    assert np.isnan(scores[0]).all()
    assert scores[1].shape == (0,)
    assert np.isfinite(scores[2]).all()
    assert ranker.score([]) == []


def test_the_weight_is_the_smallest_of_those_that_rank_best():
    # C overtakes A where 0.6 (1 - w) + w > 0.9 (1 - w), and never B: from w = 0.3 on it stands second.
    assert chosen_reranking(TwoSteps(), [query(1)], recall=4).weight == 0.3
    # A stands first by cosine, so that nothing is gained.
    assert chosen_reranking(TwoSteps(), [query(1, target="A")], recall=4).weight == 0.0


def test_a_model_says_by_its_metadata_how_it_is_asked():
    model = TwoSteps()
    assert isinstance(model_ranker(model), EmbeddingRanker)
    model.metadata = ReRanking(recall=5, weight=0.2).to_metadata()
    ranker = model_ranker(model)
    assert isinstance(ranker, ReRankingRanker)
    assert ranker.settings == ReRanking(recall=5, weight=0.2)


@pytest.mark.parametrize("wrong", [{"recall": 0}, {"weight": 1.5}])
def test_impossible_settings_are_named(wrong: dict):
    with pytest.raises(ConfigError, match=r"re-ranking of \d+ candidates with weight"):
        ReRanking(**wrong)


def test_towers_without_parts_are_one_clear_line():
    towers = {
        "spectrum": {"fine_width": 64, "bin_dim": 4, "hidden_dim": 8},
        "structure": {"width": 64, "hidden_dim": 8},
    }
    model = JointEmbedding.from_config(**towers, embedding_dim=8)
    ethanol = CandidateList(structures=(Structure.from_smiles("CCO"), Structure.from_smiles("COC")))
    with pytest.raises(ConfigError, match=r"a vector for each peak and each atom; the tower 'binned-mlp' returns none"):
        ReRankingRanker(model, ReRanking()).score([query(2, candidates=ethanol)])
    with pytest.raises(ConfigError, match="the tower 'fingerprint-mlp' returns none"):
        model.encode_structure_tokens([Structure.from_smiles("CCO")])


def test_tables_of_tokens_are_padded_to_the_widest():
    parts = [
        TokenVectors(vectors=torch.ones(1, width, 2), mask=torch.ones(1, width, dtype=torch.bool)) for width in (1, 3)
    ]
    table = TokenVectors.concatenate(parts)
    assert len(table) == 2
    assert table.mask.tolist() == [[True, False, False], [True, True, True]]
    assert table.vectors[0, 1:].abs().sum() == 0
    assert table.take([1, 0]).mask.sum(dim=1).tolist() == [3, 1]
