import pytest

from diptych.training.losses.vicreg import VarianceCovariance

PAIRS = [[1.0, 0.0], [0.0, 1.0]]


def test_two_opposite_coordinates_vary_enough_but_together(context):
    # sqrt(2) times the vectors has the covariance [[1, -1], [-1, 1]]: no hinge, (1 + 1) / 2 between
    term = VarianceCovariance(variance_weight=1.0, covariance_weight=0.04)
    assert term(context(PAIRS, PAIRS)).item() == pytest.approx(0.04)


def test_collapsed_vectors_cost_the_whole_hinge(context):
    # deviation sqrt(0 + 0.0001) = 0.01 of a wanted 1, on the collapsed side; the other as above
    term = VarianceCovariance(variance_weight=1.0, covariance_weight=0.0)
    assert term(context([[1.0, 0.0], [1.0, 0.0]], PAIRS)).item() == pytest.approx(0.99 / 2)
