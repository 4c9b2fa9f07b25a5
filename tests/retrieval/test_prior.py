import numpy as np
import pytest

from diptych.errors import ConfigError
from diptych.molecules import Structure
from diptych.ranking import CandidateList, Query
from diptych.retrieval import EmbeddingRanker, reranking
from diptych.retrieval.prior import spectrum_vectors
from diptych.retrieval.rankers import usable_vectors
from diptych.retrieval.reranking import ReRanking, ReRankingRanker, model_ranker
from diptych.spectra.spectrum import Spectrum

ETHANOL, ETHER = Structure.from_smiles("CCO"), Structure.from_smiles("COC")


class Favours:
    """Blind, it expects ethanol; the peaks speak for the ether, less loudly."""

    name = "favours"

    def encode_spectra(self, spectra, *, blind=False):
        vector = [1.0, 0.0, 0.0] if blind else [0.8, 0.6, 0.0]
        return np.array([vector] * len(spectra), dtype=np.float32).reshape(-1, 3)

    def encode_structures(self, structures):
        return np.array([[1.0, 0, 0] if s == ETHANOL else [0, 1.0, 0] for s in structures], dtype=np.float32)


SPECTRUM = Spectrum.from_peaks([29.0, 31.0], [1.0, 1.0], precursor_mz=47.0491)


def test_without_the_prior_only_what_the_peaks_say_is_left():
    # v - v0 = (-0.2, 0.6), of length 0.2 sqrt(10).
    (vector,) = spectrum_vectors(Favours(), [SPECTRUM], prior=0.0)
    np.testing.assert_allclose(vector, np.array([-1, 3, 0]) / np.sqrt(10), rtol=1e-6)


def test_a_whole_prior_is_the_model_as_it_is_and_nothing_is_taken_off_the_blind():
    model = Favours()
    np.testing.assert_array_equal(spectrum_vectors(model, [SPECTRUM]), model.encode_spectra([SPECTRUM]))
    blind = spectrum_vectors(model, [SPECTRUM], blind=True, prior=0.0)
    np.testing.assert_array_equal(blind, model.encode_spectra([SPECTRUM], blind=True))
    assert spectrum_vectors(model, [], prior=0.0).shape == (0, 3)


def test_a_spectrum_that_adds_nothing_to_the_prior_points_nowhere():
    class Deaf(Favours):
        def encode_spectra(self, spectra, *, blind=False):
            return super().encode_spectra(spectra, blind=True)

    np.testing.assert_array_equal(spectrum_vectors(Deaf(), [SPECTRUM], prior=0.0), np.zeros((1, 3)))


@pytest.mark.parametrize(("prior", "first"), [(1.0, "ethanol"), (0.0, "ether")])
def test_the_prior_decides_who_is_first(prior: float, first: str):
    query = Query(
        identifier="q",
        spectrum=SPECTRUM,
        target=ETHER.inchikey_first_block,
        candidates=CandidateList(structures=(ETHANOL, ETHER)),
    )
    (scores,) = EmbeddingRanker(Favours(), prior=prior).score([query])
    assert ["ethanol", "ether"][int(np.argmax(scores))] == first


@pytest.mark.parametrize("prior", [-0.1, 1.1, float("nan")])
def test_a_prior_out_of_its_range_is_refused(prior: float):
    with pytest.raises(ConfigError, match="expected a number from 0"):
        EmbeddingRanker(Favours(), prior=prior)


def test_a_ranker_without_its_prior_says_so_and_shares_the_vectors():
    ranker = EmbeddingRanker(Favours())
    freed = ranker.without_prior()
    assert (freed.prior, freed.name) == (0.0, "without_prior")
    assert freed._vectors is ranker._vectors


def test_a_reranking_ranker_recalls_without_the_prior_and_shares_it_with_its_twin(monkeypatch):
    monkeypatch.setattr(reranking, "late_scorer", lambda model, blind: None)
    ranker = ReRankingRanker(Favours(), ReRanking(recall=2, weight=0.0), prior=0.0)
    assert (ranker._recall.prior, ranker.without_prior().name) == (0.0, "without_prior")
    assert ReRankingRanker(Favours(), ReRanking()).without_prior()._recall.prior == 0.0


@pytest.mark.parametrize("metadata", [{}, ReRanking(recall=2).to_metadata()])
def test_the_ranker_of_a_model_takes_the_prior(metadata: dict, monkeypatch):
    monkeypatch.setattr(reranking, "late_scorer", lambda model, blind: None)
    model = Favours()
    model.metadata = metadata
    ranker = model_ranker(model, prior=0.25)
    assert getattr(ranker, "_recall", ranker).prior == 0.25


def test_vectors_of_usable_spectra_take_the_prior():
    found = usable_vectors(Favours(), [SPECTRUM], prior=0.0)
    np.testing.assert_array_equal(found, spectrum_vectors(Favours(), [SPECTRUM], prior=0.0))
