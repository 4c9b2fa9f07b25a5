import math

import numpy as np
import pytest

from diptych.errors import ConfigError
from diptych.ranking import (
    BinnedCosineScorer,
    PrecursorMatchScorer,
    PrecursorScorer,
    SpectrumScorer,
    spectrum_scorers,
)
from diptych.spectra.spectrum import Spectrum


def spectrum(mz: list[float], precursor_mz: float | None = None) -> Spectrum:
    return Spectrum.from_peaks(mz, np.ones(len(mz)), precursor_mz=precursor_mz)


def test_the_precursor_scores_minus_its_difference_and_nan_where_unknown():
    (table,) = PrecursorScorer().scores([spectrum([], 100.0), spectrum([])], [spectrum([], 100.5), spectrum([])])
    np.testing.assert_allclose(table, [[-0.5, math.nan], [math.nan, math.nan]])


def test_equal_differences_tie_whatever_their_last_bits():
    (table,) = PrecursorScorer().scores([spectrum([], 100.3)], [spectrum([], 100.2), spectrum([], 100.4)])
    assert table[0, 0] == table[0, 1]


def test_binned_cosine_worked_out_by_hand():
    # Two of two and three peaks share a bin: 2 / sqrt(2 * 3); no peaks, no similarity.
    queries = [spectrum([50.01, 60.01]), spectrum([])]
    (table,) = BinnedCosineScorer().scores(queries, [spectrum([50.02, 60.02, 70.01])])
    np.testing.assert_allclose(table, [[2 / math.sqrt(6)], [0]], rtol=1e-6)


@pytest.mark.parametrize("scorer", [PrecursorScorer(), PrecursorMatchScorer(), BinnedCosineScorer()])
def test_scores_come_in_blocks_that_fit_into_memory(scorer: SpectrumScorer, monkeypatch: pytest.MonkeyPatch):
    spectra = [spectrum([50.0 + i], 100.0 + i) for i in range(5)]
    (whole,) = scorer.scores(spectra, spectra)
    monkeypatch.setattr(spectrum_scorers, "_CELLS_AT_A_TIME", 10)
    blocks = list(scorer.scores(spectra, spectra))
    assert [len(block) for block in blocks] == [2, 2, 1]
    np.testing.assert_array_equal(np.concatenate(blocks), whole)
    assert isinstance(scorer, SpectrumScorer)


def test_a_precursor_one_deviation_away_matches_by_the_root_of_one_over_e():
    (table,) = PrecursorMatchScorer(deviation_ppm=5.0).scores(
        [spectrum([], 200.0)], [spectrum([], 200.0), spectrum([], 200.001), spectrum([])]
    )
    np.testing.assert_allclose(table, [[1.0, math.exp(-0.5), math.nan]])
    with pytest.raises(ConfigError, match="deviation_ppm=0"):
        PrecursorMatchScorer(deviation_ppm=0)
