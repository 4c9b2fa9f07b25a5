import numpy as np

from diptych.ranking import MatchEvidenceScorer, SpectrumScorer
from diptych.retrieval.spectrum_scorer import EmbeddingScorer, RememberedVectors, with_match_evidence
from diptych.spectra.spectrum import Spectrum


class Compass:
    """Points where the only peak says, in degrees; blind, to the north."""

    name = "compass"

    def encode_spectra(self, spectra, *, blind=False):
        angles = np.radians([0.0 if blind else spectrum.mz[0] for spectrum in spectra])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32).reshape(-1, 2)


def spectrum(*mz: float) -> Spectrum:
    return Spectrum.from_peaks(mz, np.ones(len(mz)), precursor_mz=200.0)


def test_the_score_is_the_cosine_of_the_vectors_and_nan_without_peaks():
    scorer = EmbeddingScorer(Compass())
    (table,) = scorer.scores([spectrum(60.0), spectrum()], [spectrum(60.0), spectrum(120.0), spectrum()])
    np.testing.assert_allclose(table, [[1, 0.5, np.nan], [np.nan] * 3], atol=1e-6)
    assert isinstance(scorer, SpectrumScorer)
    assert scorer.name == "compass"


def test_blind_all_spectra_are_alike():
    scorer = EmbeddingScorer(Compass(), blind=True)
    (table,) = scorer.scores([spectrum(60.0)], [spectrum(120.0), spectrum(170.0)])
    assert (table == 1).all()
    assert scorer.name == "spectrum_blind"


def test_nothing_usable_gives_only_nan():
    (table,) = EmbeddingScorer(Compass()).scores([spectrum()], [spectrum(10.0)])
    assert np.isnan(table).all()


def test_with_match_evidence_adds_evidence_cosine_and_precursor():
    query, reference = spectrum(60.0), spectrum(120.0)
    (table,) = with_match_evidence(Compass()).scores([query], [query, reference, spectrum()])
    (evidence,) = MatchEvidenceScorer().scores([query], [query, reference])
    np.testing.assert_allclose(table[0, :2], evidence[0] + 4 * np.array([1.0, 0.5]) + 4, atol=1e-6)
    assert np.isnan(table[0, 2])


def test_remembered_vectors_are_encoded_once_and_in_any_order():
    class Counting(Compass):
        asked = 0

        def encode_spectra(self, spectra, *, blind=False):
            self.asked += len(spectra)
            return super().encode_spectra(spectra, blind=blind)

    model, spectra = Counting(), [spectrum(float(angle)) for angle in (10, 20, 30)]
    remembered = RememberedVectors(model)
    assert remembered.name == "compass"
    for chosen in (spectra, spectra[::-1], [spectra[1], spectra[1]]):
        np.testing.assert_array_equal(remembered.encode_spectra(chosen), Compass().encode_spectra(chosen))
    assert model.asked == 3
    np.testing.assert_array_equal(remembered.encode_spectra(spectra, blind=True)[:, 0], 1)
    assert model.asked == 6
    assert remembered.encode_spectra([]).shape == (0, 2)
