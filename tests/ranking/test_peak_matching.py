import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diptych.errors import EvaluationError
from diptych.ranking import spectrum_scorers
from diptych.ranking.modified_cosine import ModifiedCosineScorer
from diptych.ranking.peak_matching import CosineScorer, SpectralEntropyScorer, entropy_weights
from diptych.ranking.spectrum_scorers import SpectrumScorer
from diptych.spectra import read_spectra
from diptych.spectra.spectrum import Spectrum

MASSBANK = Path(__file__).parents[1] / "fixtures" / "massbank" / "sample.tar.xz"
peaks = st.lists(st.tuples(st.integers(50, 70).map(float), st.floats(0.1, 100)), max_size=8)


def spectrum(mz: list[float], intensity: list[float], **fields: object) -> Spectrum:
    return Spectrum.from_peaks(mz, intensity, **fields)


def scores(scorer: SpectrumScorer, queries: list[Spectrum], references: list[Spectrum]) -> np.ndarray:
    return np.concatenate(list(scorer.scores(queries, references)))


def matchms_spectra(spectra: list[Spectrum], *, power: float = 1.0) -> list:
    from matchms import Spectrum as MatchmsSpectrum

    return [
        MatchmsSpectrum(s.mz, s.intensity.astype(float) ** power, metadata={"precursor_mz": s.precursor_mz})
        for s in spectra
    ]


@pytest.fixture(scope="module")
def measured() -> list[Spectrum]:
    return [s for s in read_spectra(MASSBANK) if s.n_peaks and s.precursor_mz][:60]


def test_cosine_worked_out_by_hand():
    # Shares 0.36 + 0.64 and 0.5 + 0.5; the first peaks match within 0.02: sqrt(0.36 * 0.5).
    a, b = spectrum([100, 200], [36, 64]), spectrum([100.015, 210], [3, 3])
    assert scores(CosineScorer(), [a], [b])[0, 0] == pytest.approx(math.sqrt(0.18))
    assert scores(CosineScorer(tolerance_da=0.01), [a], [b])[0, 0] == 0


def test_a_peak_matches_once():
    a, b = spectrum([100], [1]), spectrum([99.99, 100.01], [1, 1])
    assert scores(CosineScorer(), [a], [b])[0, 0] == pytest.approx(math.sqrt(0.5))


def test_spectral_entropy_worked_out_by_hand():
    # Two equal peaks stay equal when weighed; one of them is shared with the other spectrum.
    # a = b = 1/4: f(1/2) - 2 f(1/4) = -1/2 + 1 = 1/2.
    a, b = spectrum([100, 200], [5, 5]), spectrum([100, 300], [7, 7])
    assert scores(SpectralEntropyScorer(), [a], [a, b])[0] == pytest.approx([1, 0.5])


def test_low_entropy_is_weighed_up():
    # Shares 0.9 and 0.1: S = 0.325, power 0.331; 0.9 ** 0.331 = 0.9657, 0.1 ** 0.331 = 0.4663.
    assert entropy_weights(np.array([9.0, 1.0])) == pytest.approx([0.3372, 0.1628], abs=1e-4)
    # 32 equal peaks have S = 3.47 and stay as they are.
    assert entropy_weights(np.ones(32)) == pytest.approx(1 / 64)


def test_noise_and_the_precursor_are_left_out():
    noisy, clean = spectrum([100, 150], [100, 0.9]), spectrum([100], [1])
    assert scores(SpectralEntropyScorer(), [noisy], [clean])[0, 0] == pytest.approx(1)
    ion = spectrum([100, 200], [1, 9], precursor_mz=200.0)
    assert scores(SpectralEntropyScorer(), [ion], [clean])[0, 0] < 0.9
    assert scores(SpectralEntropyScorer(precursor_window_da=1.6), [ion], [clean])[0, 0] == pytest.approx(1)


@pytest.mark.parametrize("scorer", [CosineScorer(), SpectralEntropyScorer(), ModifiedCosineScorer()])
def test_a_spectrum_without_peaks_is_like_nothing(scorer: SpectrumScorer):
    empty, one = spectrum([], [], precursor_mz=100.0), spectrum([50], [1], precursor_mz=100.0)
    np.testing.assert_allclose(scores(scorer, [empty, one], [one, empty]), [[0, 0], [1, 0]])


@pytest.mark.parametrize("scorer", [CosineScorer(), SpectralEntropyScorer()])
def test_blocks_of_any_size_give_the_same_scores(scorer: SpectrumScorer, monkeypatch: pytest.MonkeyPatch):
    some = [spectrum([50, 60 + i % 3, 70 + i % 2], [1, 2, 3]) for i in range(7)]
    whole = scores(scorer, some, some[:3])
    monkeypatch.setattr(spectrum_scorers, "_CELLS_AT_A_TIME", 6)
    assert [block.shape for block in scorer.scores(some, some[:3])] == [(2, 3), (2, 3), (2, 3), (1, 3)]
    np.testing.assert_array_equal(scores(scorer, some, some[:3]), whole)


@given(first=peaks, second=peaks)
def test_similarity_is_symmetric_and_lies_between_0_and_1(first: list, second: list):
    pair = [spectrum(*map(list, zip(*items, strict=True))) if items else spectrum([], []) for items in (first, second)]
    for scorer in (CosineScorer(), SpectralEntropyScorer()):
        table = scores(scorer, pair, pair)
        np.testing.assert_allclose(table, table.T, atol=1e-6)
        assert table.min() >= -1e-6
        assert table.max() <= 1 + 1e-6


def test_spectral_entropy_is_that_of_matchms_on_measured_spectra(measured: list[Spectrum]):
    from matchms.similarity import FlashSimilarity

    theirs = matchms_spectra(measured)
    for scorer, options in (
        (SpectralEntropyScorer(), {}),
        (SpectralEntropyScorer(precursor_window_da=1.6), {"remove_precursor": True}),
    ):
        expected = FlashSimilarity(tolerance=0.02, **options).matrix(theirs, theirs, n_jobs=1)
        assert np.count_nonzero(expected) > 100
        np.testing.assert_allclose(scores(scorer, measured, measured), expected, atol=1e-5)


def test_cosine_is_that_of_matchms_on_measured_spectra(measured: list[Spectrum]):
    from matchms.similarity import CosineGreedy

    theirs = matchms_spectra(measured)
    greedy = CosineGreedy(tolerance=0.02, intensity_power=0.5)
    expected = np.array([[greedy.pair(a, b)["score"] for b in theirs] for a in theirs[:10]])
    ours = scores(CosineScorer(), measured[:10], measured)
    # Greedy matching differs only where several peaks lie within the tolerance of one.
    assert np.mean(np.isclose(ours, expected, atol=1e-4)) > 0.97
    np.testing.assert_allclose(ours, expected, atol=0.05)


def test_modified_cosine_finds_what_a_shift_hides():
    # All fragments lie 14 above the other's, as the precursor does.
    a = spectrum([100, 150], [1, 1], precursor_mz=200.0)
    b = spectrum([114, 164], [1, 1], precursor_mz=214.0)
    assert scores(CosineScorer(), [a], [b])[0, 0] == 0
    assert scores(ModifiedCosineScorer(), [a], [b, a])[0] == pytest.approx([1, 1])


@pytest.mark.parametrize(("apart", "alike"), [(0.015, 1.0), (0.025, 0.0)])
def test_every_measure_matches_peaks_within_two_hundredths(apart: float, alike: float):
    one, other = (spectrum([100 + shift], [1.0], precursor_mz=200.0) for shift in (0, apart))
    for scorer in (CosineScorer(), SpectralEntropyScorer(), ModifiedCosineScorer()):
        assert scores(scorer, [one], [other])[0, 0] == pytest.approx(alike)


def test_modified_cosine_leaves_out_peaks_below_a_ten_thousandth_of_the_base_peak():
    one = spectrum([100], [1.0], precursor_mz=200.0)
    weak, lost = (spectrum([100, 150], [1.0, height], precursor_mz=200.0) for height in (0.0002, 0.00005))
    found = scores(ModifiedCosineScorer(), [one], [weak, lost])[0]
    assert found == pytest.approx([1 / np.sqrt(1.0002), 1.0], abs=1e-6)
    assert found[0] < 1 - 5e-5


@pytest.mark.parametrize("kind", [CosineScorer, SpectralEntropyScorer])
def test_a_tolerance_must_be_positive(kind: type):
    with pytest.raises(EvaluationError, match=r"peak tolerance is 0 Da; expected a number above 0"):
        kind(tolerance_da=0)
