import numpy as np
import pytest
from scipy import stats

from diptych.evaluation.statistics import bootstrap
from diptych.evaluation.statistics.bootstrap import bca_intervals, jackknife, molecule_intervals, resample
from diptych.evaluation.statistics.metrics import MoleculeSums, sum_by_molecule


def table_of(n_molecules: int, *, seed: int = 0) -> MoleculeSums:
    generator = np.random.default_rng(seed)
    sizes = generator.integers(1, 30, size=n_molecules).astype(float)
    return MoleculeSums(sums=generator.binomial(sizes.astype(int), 0.3)[:, None].astype(float), sizes=sizes)


def test_resampling_two_molecules_gives_the_three_possible_means():
    # A: 1 hit of 1, B: 0 hits of 3. AA -> 1, AB -> 1/4, BB -> 0, with probabilities 1/4, 1/2, 1/4.
    table = sum_by_molecule([np.array([1.0, 0, 0, 0])], ["A", "B", "B", "B"])
    drawn = resample(table, n_bootstrap=8000, seed=0)
    values, counts = np.unique(drawn.by_spectrum, return_counts=True)
    np.testing.assert_allclose(values, [0, 0.25, 1])
    np.testing.assert_allclose(counts / 8000, [0.25, 0.5, 0.25], atol=0.02)
    np.testing.assert_allclose(np.unique(drawn.by_molecule), [0, 0.5, 1])


def test_resampling_in_chunks_draws_the_same(monkeypatch: pytest.MonkeyPatch):
    whole = resample(table_of(50), n_bootstrap=300, seed=3)
    assert whole.by_spectrum.shape == whole.by_molecule.shape == (300, 1)
    monkeypatch.setattr(bootstrap, "_CELLS_PER_CHUNK", 50 * 7)
    assert [len(drawn) for drawn in bootstrap._draws(50, n_bootstrap=300, seed=3)] == [7] * 42 + [6]
    np.testing.assert_allclose(resample(table_of(50), n_bootstrap=300, seed=3).by_spectrum, whole.by_spectrum)


def test_jackknife_leaves_out_one_molecule_at_a_time():
    # A: 1 of 1, B: 1 of 2, C: 0 of 1.
    table = sum_by_molecule([np.array([1.0, 0, 1.0, 0])], ["A", "B", "B", "C"])
    left_out = jackknife(table)
    np.testing.assert_allclose(left_out.by_spectrum[:, 0], [1 / 3, 1 / 2, 2 / 3])
    np.testing.assert_allclose(left_out.by_molecule[:, 0], [1 / 4, 1 / 2, 3 / 4])


def test_bca_agrees_with_an_independent_library():
    sample = np.random.default_rng(1).exponential(size=80)
    table = MoleculeSums(sums=sample[:, None], sizes=np.ones(80))
    interval, _ = molecule_intervals(table, n_bootstrap=20_000, seed=0)
    expected = stats.bootstrap(
        (sample,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(2)
    ).confidence_interval
    assert interval.low[0] == pytest.approx(expected.low, abs=0.01)
    assert interval.high[0] == pytest.approx(expected.high, abs=0.01)


def test_bca_agrees_with_the_formula_of_bias_and_skewness():
    # Efron's acceleration is the skewness of the jackknife over 6 sqrt(n), the bias the normal quantile of the value.
    left_out, resampled = np.random.default_rng(3).exponential(size=(2, 12)) ** 2
    value = np.sort(resampled)[7:9].mean()
    acceleration, bias = -stats.skew(left_out) / (6 * np.sqrt(12)), stats.norm.ppf(8 / 12)
    shifted = bias + stats.norm.ppf([0.05, 0.95])
    expected = np.quantile(resampled, stats.norm.cdf(bias + shifted / (1 - acceleration * shifted)))
    found = bca_intervals(np.array([value]), resampled[:, None], left_out=left_out[:, None], confidence=0.9)
    np.testing.assert_allclose([found.low[0], found.high[0]], expected)


def test_resamples_that_all_lie_on_one_side_of_the_value_give_their_own_percentiles():
    resampled = np.arange(201.0)[:, None]
    for value in (-1.0, 201.0):
        interval = bca_intervals(np.array([value]), resampled, left_out=resampled)
        assert (interval.low[0], interval.high[0]) == pytest.approx((5, 195))


def test_one_resample_is_an_interval_of_no_width_and_none_is_unknown():
    by_spectrum, _ = molecule_intervals(table_of(9), n_bootstrap=1, seed=0)
    assert by_spectrum.low[0] == by_spectrum.high[0]
    by_spectrum, _ = molecule_intervals(table_of(9), n_bootstrap=0, seed=0)
    assert np.isnan(by_spectrum.low[0])


@pytest.mark.parametrize("unit", [1.0, 1e7])
def test_rounding_of_large_values_does_not_undo_a_tie(unit: float):
    # A resample that equals the value but for its last bit counts half below it: a bias of 0, whatever the unit.
    value = np.array([0.3 * unit])
    resampled = np.array([[0.1], [np.nextafter(0.3, 1)], [0.5]]) * unit
    interval = bca_intervals(value, resampled, left_out=np.array([[0.2], [0.4]]) * unit)
    np.testing.assert_allclose([interval.low[0], interval.high[0]], np.array([0.11, 0.49]) * unit)


def test_intervals_cover_the_truth_about_as_often_as_they_say():
    covered = 0
    for seed in range(200):
        interval, _ = molecule_intervals(table_of(60, seed=seed), n_bootstrap=400, seed=seed)
        covered += interval.low[0] <= 0.3 <= interval.high[0]
    assert 0.88 <= covered / 200 <= 1


def test_replicates_of_a_molecule_do_not_make_it_surer():
    once = MoleculeSums(sums=np.array([[1.0], [0.0], [1.0], [0.0]]), sizes=np.ones(4))
    often = MoleculeSums(sums=once.sums * 100, sizes=once.sizes * 100)
    for first, second in zip(
        molecule_intervals(once, n_bootstrap=500, seed=0),
        molecule_intervals(often, n_bootstrap=500, seed=0),
        strict=True,
    ):
        np.testing.assert_allclose([first.low, first.high], [second.low, second.high])


def test_sums_in_another_order_do_not_decide_an_interval():
    # With three spectra each, means by spectrum and by molecule are one number, summed in two ways.
    for seed in range(20):
        hit = np.random.default_rng(seed).integers(0, 4, size=6)
        values = np.concatenate([np.arange(3) < n for n in hit]).astype(float)
        table = sum_by_molecule([values], [f"m{i // 3}" for i in range(18)])
        by_spectrum, by_molecule = molecule_intervals(table, n_bootstrap=2000, seed=0)
        np.testing.assert_allclose(by_molecule.low, by_spectrum.low, atol=1e-9)
        np.testing.assert_allclose(by_molecule.high, by_spectrum.high, atol=1e-9)


def test_a_metric_that_never_varies_has_no_width():
    always = np.ones((500, 1))
    interval = bca_intervals(np.ones(1), always, left_out=np.ones((7, 1)))
    assert (interval.low[0], interval.high[0]) == (1.0, 1.0)


def test_two_molecules_have_an_interval():
    # Of hit rates 0 and 1 the resamples are 0, 1/2 and 1.
    table = sum_by_molecule([np.array([1.0, 0.0])], ["A", "B"])
    for interval in molecule_intervals(table, n_bootstrap=500, seed=0):
        assert (interval.low[0], interval.high[0]) == (0.0, 1.0)


def test_one_molecule_has_no_interval():
    by_spectrum, by_molecule = molecule_intervals(table_of(1), n_bootstrap=100, seed=0)
    assert np.isnan([by_spectrum.low, by_spectrum.high, by_molecule.low, by_molecule.high]).all()
