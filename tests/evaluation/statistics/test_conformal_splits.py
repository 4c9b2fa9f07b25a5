import math

import numpy as np
import pytest

from diptych.errors import EvaluationError
from diptych.evaluation.statistics.answer_absent import conformal_sets, conformal_threshold
from diptych.evaluation.statistics.conformal_splits import _set_sizes, conformal_splits


def drawn(*, n_molecules: int, n_spectra: int) -> tuple[list[np.ndarray], list[str]]:
    """Return scores of spectra that are alike within a molecule, the answer first."""
    rng = np.random.default_rng(1)
    of_molecule = np.repeat(rng.normal(size=n_molecules), n_spectra)
    scores = [np.append(value + 0.1 * rng.normal(), rng.normal(size=9)) for value in of_molecule]
    return scores, [f"M{i // n_spectra}" for i in range(len(scores))]


def test_set_sizes_are_those_of_every_threshold_alone():
    rng = np.random.default_rng(0)
    scores = [rng.integers(5, size=n).astype(float) for n in (1, 4, 9)]
    scores[1][2] = math.nan
    thresholds = np.array([3.0, -math.inf, 0.0, 4.0, 3.0, 9.0])
    expected = [[np.count_nonzero(given >= threshold) for given in scores] for threshold in thresholds]
    np.testing.assert_array_equal(_set_sizes(scores, thresholds), expected)


def test_one_split_of_molecules_of_one_spectrum_is_the_sets_of_their_threshold():
    # Two molecules: one sets the threshold, which is its answer's score at an error rate of 1/2; the other is tested.
    scores = [np.array([0.9, 0.5]), np.array([0.4, 0.95])]
    found = conformal_splits(scores, [0, 0], ["A", "B"], error_rate=0.5, n_splits=200)
    of_a = conformal_sets(scores[1:], [0], threshold=conformal_threshold([0.9], error_rate=0.5))
    of_b = conformal_sets(scores[:1], [0], threshold=conformal_threshold([0.4], error_rate=0.5))
    assert (of_a.coverage, of_a.mean_size, of_b.coverage, of_b.mean_size) == (0, 1, 1, 2)
    assert found.coverage == pytest.approx(0.5, abs=0.1)
    assert found.size == pytest.approx(1 + found.coverage)
    assert found.coverage_deviation == pytest.approx(0.5, abs=0.01)
    assert (found.n_calibration_molecules, found.n_tested, found.n_unbounded, found.empty) == (1, 1.0, 0, 0.0)


@pytest.mark.parametrize("n_splits", [2, 3, 5])
@pytest.mark.parametrize("seed", range(4))
def test_empty_sets_are_a_fraction_and_deviations_those_of_a_sample(n_splits: int, seed: int):
    # A's threshold of 0.9 leaves B nothing, B's of 0.4 takes both of A: every split has coverage 0 or 1, size 0 or 2.
    scores = [np.array([0.9, 0.5]), np.array([0.4, 0.3])]
    found = conformal_splits(scores, [0, 0], ["A", "B"], error_rate=0.5, n_splits=n_splits, seed=seed)
    assert found.coverage * n_splits == pytest.approx(round(found.coverage * n_splits))
    assert (found.empty, found.size) == pytest.approx((1 - found.coverage, 2 * found.coverage))
    deviation = math.sqrt(n_splits / (n_splits - 1) * found.coverage * (1 - found.coverage))
    assert (found.coverage_deviation, found.size_deviation) == pytest.approx((deviation, 2 * deviation))


def test_the_seed_of_the_splits_moves_their_mean_little():
    scores, molecules = drawn(n_molecules=60, n_spectra=6)
    one = [conformal_splits(scores, [0] * 360, molecules, error_rate=0.1, n_splits=1, seed=seed) for seed in range(20)]
    many = [conformal_splits(scores, [0] * 360, molecules, error_rate=0.1, seed=seed) for seed in range(20)]
    assert np.ptp([found.coverage for found in one]) > 0.1
    assert np.ptp([found.coverage for found in many]) < 0.05
    assert many[0].coverage_deviation == pytest.approx(np.std([found.coverage for found in one]), rel=0.5)
    assert many[0] == conformal_splits(scores, [0] * 360, molecules, error_rate=0.1, seed=0)


@pytest.mark.filterwarnings("error")
def test_spectra_of_a_molecule_that_sets_the_threshold_are_not_tested():
    scores, molecules = drawn(n_molecules=3, n_spectra=4)
    found = conformal_splits(scores, [0] * 12, molecules, error_rate=0.5, n_splits=5)
    assert (found.n_calibration_molecules, found.n_tested) == (1, 8.0)
    assert math.isnan(conformal_splits(scores, [0] * 12, molecules, error_rate=0.5, n_splits=1).coverage_deviation)


def test_coverage_is_by_molecule_as_the_promise_is():
    # One molecule in seven is hard, and has twenty spectra: by spectrum a third of all answers would seem uncovered.
    rng = np.random.default_rng(0)
    is_hard = np.arange(210) % 7 == 0
    n_spectra = np.where(is_hard, 20, 1)
    centres = rng.normal(size=210) - 5 * is_hard
    scores = [np.array([centre, 0.0]) for centre in np.repeat(centres, n_spectra)]
    molecules = [f"M{number}" for number in np.repeat(np.arange(210), n_spectra)]
    found = conformal_splits(scores, [0] * len(scores), molecules, error_rate=0.1)
    assert found.coverage == pytest.approx(0.9, abs=0.02)


def test_one_molecule_or_none_cannot_be_split():
    with pytest.raises(EvaluationError, match="conformal sets: 0 molecules; expected at least two"):
        conformal_splits([], [], [], error_rate=0.1)
    with pytest.raises(EvaluationError, match="conformal sets: 1 molecules; expected at least two"):
        conformal_splits([np.ones(2)] * 3, [0] * 3, ["A"] * 3, error_rate=0.1)
