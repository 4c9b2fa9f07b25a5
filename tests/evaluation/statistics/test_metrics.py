import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diptych.evaluation import hit_rate_at, mrr
from diptych.evaluation.statistics.metrics import gains, random_hits, sum_by_molecule

ranks_with_misses = st.lists(st.one_of(st.integers(1, 300).map(float), st.just(math.inf)), min_size=1, max_size=30)


def test_hit_rate_worked_out_by_hand():
    ranks = [1, 1, 3, 20, 21, math.inf]
    assert hit_rate_at(1, ranks) == pytest.approx(2 / 6)
    assert hit_rate_at(5, ranks) == pytest.approx(3 / 6)
    assert hit_rate_at(20, ranks) == pytest.approx(4 / 6)


def test_a_miss_counts_zero_in_mrr():
    assert mrr([1, 2, math.inf]) == pytest.approx((1 + 1 / 2 + 0) / 3)


def test_nothing_asked_is_nothing_hit():
    assert hit_rate_at(1, []) == 0
    assert mrr([]) == 0


def test_chance_in_a_list_of_one_is_certainty_and_in_an_empty_one_nothing():
    assert random_hits(1, [0, 1, 2, 3]).tolist() == [0, 1, 1 / 2, 1 / 3]


def test_by_molecule_is_the_mean_of_means():
    # A is hit in 1 of 4 spectra, B in its only one: 2/5 by spectrum, (1/4 + 1) / 2 by molecule.
    table = sum_by_molecule([np.array([1.0, 0, 0, 0, 1.0])], ["A", "A", "A", "A", "B"])
    assert table.by_spectrum[0] == pytest.approx(0.4)
    assert table.by_molecule[0] == pytest.approx(0.625)


@given(ranks=ranks_with_misses)
def test_hit_rate_grows_with_k_and_mrr_lies_between(ranks: list[float]):
    assert 0 <= hit_rate_at(1, ranks) <= hit_rate_at(5, ranks) <= 1
    assert hit_rate_at(1, ranks) - 1e-12 <= mrr(ranks) <= 1


@given(ranks=ranks_with_misses)
def test_one_spectrum_per_molecule_makes_both_means_equal(ranks: list[float]):
    table = sum_by_molecule(list(gains(ranks, (1, 5)).values()), [str(i) for i in range(len(ranks))])
    np.testing.assert_allclose(table.by_spectrum, table.by_molecule)
    np.testing.assert_allclose(table.by_spectrum, [hit_rate_at(1, ranks), hit_rate_at(5, ranks), mrr(ranks)])
