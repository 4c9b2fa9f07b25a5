import numpy as np
import pytest

from diptych.errors import ConfigError
from diptych.ranking import MatchEvidenceScorer, SpectralEntropyScorer
from diptych.ranking.match_evidence import N_CONDITIONS, N_ENERGY_CLASSES, condition, fitted_weights, measured_as
from diptych.spectra.spectrum import Spectrum

PEAKS = ([50.0, 80.0, 200.0], [3.0, 2.0, 1.0])
OTHERS = ([50.0, 90.0, 200.0], [3.0, 2.0, 1.0])


def spectrum(peaks=PEAKS, *, energy: float | None = 20.0, instrument: str = "LC-ESI-QFT") -> Spectrum:
    return Spectrum.from_peaks(*peaks, precursor_mz=200.0, collision_energy=energy, instrument_type=instrument)


def test_conditions_tell_energies_and_instruments_apart():
    query = measured_as([spectrum()])
    others = [
        spectrum(),
        spectrum(energy=24.0),
        spectrum(energy=8.0),
        spectrum(energy=60.0),
        spectrum(energy=None),
        spectrum(instrument="LC-ESI-QTOF"),
        spectrum(instrument="no such thing"),
    ]
    found = condition(query[:, None], measured_as(others)[None, :])[0] - N_ENERGY_CLASSES
    assert found.tolist() == [0, 1, 2, 3, 4, -N_ENERGY_CLASSES, -N_ENERGY_CLASSES]
    back = condition(measured_as(others)[:, None], query[None, :])[:, 0] - N_ENERGY_CLASSES
    assert back.tolist() == found.tolist()


def test_evidence_worked_out_by_hand():
    weights = np.zeros((N_CONDITIONS, 3))
    weights[N_ENERGY_CLASSES] = (-1.0, 2.0, 3.0)
    weights[0] = (0.5, 0.0, 0.0)
    query, same, elsewhere = spectrum(), spectrum(OTHERS), spectrum(instrument="LC-ESI-QTOF")
    (table,) = MatchEvidenceScorer(weights=weights).scores([query], [query, same, elsewhere])
    (whole,) = SpectralEntropyScorer().scores([query], [same])
    (below,) = SpectralEntropyScorer(precursor_window_da=1.6).scores([query], [same])
    assert 0 < below.item() < whole.item() < 1
    np.testing.assert_allclose(table[0], [4.0, -1 + 2 * whole.item() + 3 * below.item(), 0.5], atol=1e-5)


def test_one_molecule_at_another_energy_counts_for_more_than_the_same_likeness_at_one_energy():
    near, far = spectrum(OTHERS), spectrum(OTHERS, energy=60.0)
    (table,) = MatchEvidenceScorer().scores([spectrum()], [near, far])
    assert table[0, 1] > table[0, 0]


def test_more_likeness_is_more_evidence_under_every_condition():
    assert (fitted_weights()[:, 1:] > 0).all()


def test_blocks_of_queries_are_scored_like_all_at_once(monkeypatch: pytest.MonkeyPatch):
    spectra = [spectrum(), spectrum(OTHERS, energy=40.0), spectrum(OTHERS, instrument="LC-ESI-QTOF")]
    whole = np.concatenate(list(MatchEvidenceScorer().scores(spectra, spectra)))
    monkeypatch.setattr("diptych.ranking.spectrum_scorers._CELLS_AT_A_TIME", 6)
    np.testing.assert_array_equal(np.concatenate(list(MatchEvidenceScorer().scores(spectra, spectra))), whole)


def test_weights_of_another_shape_are_refused():
    with pytest.raises(ConfigError, match=r"weights of shape \(2, 3\); expected \(10, 3\)"):
        MatchEvidenceScorer(weights=np.zeros((2, 3)))


def test_two_unknown_instruments_are_not_of_one_class():
    unknown = measured_as([spectrum(instrument="no such thing"), spectrum(instrument="nor this")])
    assert condition(unknown[:1], unknown[1:]).tolist() == [0]
