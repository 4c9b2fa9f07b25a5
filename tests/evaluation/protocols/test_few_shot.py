import math

import numpy as np
import pytest

from diptych.errors import EvaluationError
from diptych.evaluation.protocols.few_shot import few_shot

EAST, NORTH, WEST = [2.0, 0.0], [0.0, 3.0], [-1.0, 0.0]


def test_spectra_that_point_where_their_molecule_does_are_found():
    result = few_shot(np.array([EAST] * 3 + [NORTH] * 3 + [WEST] * 3), list("AAABBBCCC"), n_way=3, k_shot=2)
    assert (result.accuracy, result.n_eligible, result.hits.size) == (1, 3, 2000)


def test_equal_vectors_tie_and_a_tie_is_no_hit():
    assert few_shot(np.ones((4, 2)), list("AABB"), n_way=2, k_shot=1, n_episodes=50).accuracy == 0


@pytest.mark.parametrize("seed", [0, 1])
def test_supports_of_the_same_vectors_in_another_order_tie(seed: int):
    # All spectra have one of two vectors: how many of each a support holds decides, which sums along axes give exactly.
    molecules = [f"M{i // 8}" for i in range(320)]
    is_first = (np.arange(320) % 2 == 0)[:, None]
    measured = np.random.default_rng(seed).normal(size=(2, 256))
    drawn, exact = (
        few_shot(np.where(is_first, *pair), molecules, n_way=5, k_shot=5, n_episodes=300)
        for pair in (measured, np.eye(2))
    )
    np.testing.assert_array_equal(drawn.hits, exact.hits)


def test_a_stray_spectrum_is_given_to_the_other_molecule():
    # A's third spectrum points where B does. 2-way 2-shot, by the spectrum that is asked:
    # stray: its support points east, B's north: lost. Another of A: prototype half way between, cosine 0.71 > 0: won.
    # B: its own prototype has cosine 1: won.
    vectors = np.array([EAST, EAST, NORTH, NORTH, NORTH, NORTH])
    result = few_shot(vectors, list("AAABBB"), n_way=2, k_shot=2, n_episodes=300)
    np.testing.assert_array_equal(result.hits, (result.queries != 2).astype(float))
    assert set(result.queries.tolist()) == set(range(6))
    assert result.molecules == tuple("AAABBB"[row] for row in result.queries)


def test_length_does_not_weigh():
    # B lies 60 degrees off: cosine 0.5 to the query. A's prototype with the stray is 45 degrees off (0.71); by the mean
    # of vectors that are not of one length it would be 89 degrees off.
    vectors = np.array([EAST, EAST, [0.0, 100.0], *[[1.0, math.sqrt(3)]] * 3])
    result = few_shot(vectors, list("AAABBB"), n_way=2, k_shot=2, n_episodes=200)
    assert result.hits[result.queries < 2].all()


def test_molecules_with_too_few_spectra_are_never_drawn():
    vectors = np.array([EAST, EAST, NORTH, NORTH, WEST])
    result = few_shot(vectors, list("AABBC"), n_way=2, k_shot=1, n_episodes=200)
    assert set(result.molecules) == {"A", "B"}
    assert result.n_eligible == 2


def test_noise_is_found_at_the_rate_of_chance():
    generator = np.random.default_rng(0)
    molecules = [str(i) for i in range(200) for _ in range(6)]
    result = few_shot(generator.normal(size=(1200, 64)), molecules, n_episodes=3000)
    low, high = result.interval(n_bootstrap=500)
    assert result.accuracy == pytest.approx(0.2, abs=0.03)
    assert low < result.accuracy < high


def test_episodes_are_the_same_for_any_vectors_of_the_same_spectra():
    molecules = list("AAABBBCCC")
    first, second = (few_shot(v, molecules, n_way=2, k_shot=2, n_episodes=20) for v in (np.eye(9), np.ones((9, 3))))
    np.testing.assert_array_equal(first.queries, second.queries)
    other = few_shot(np.eye(9), molecules, n_way=2, k_shot=2, n_episodes=20, seed=1)
    assert not np.array_equal(first.queries, other.queries)


@pytest.mark.parametrize(
    ("vectors", "options", "message"),
    [
        (np.ones((3, 2)), {}, r"shape \(3, 2\), 3 of them finite and longer than 0; expected one such vector for each"),
        (np.array([EAST, EAST, [math.nan, 1], EAST]), {}, r"\(4, 2\), 3 of them finite"),
        (np.array([EAST, EAST, [0, 0], EAST]), {}, r"\(4, 2\), 3 of them finite"),
        (np.ones(4), {}, r"shape \(4,\)"),
        (np.ones((4, 2)), {"n_way": 1}, "1-way 1-shot; expected at least 2-way 1-shot"),
        (np.ones((4, 2)), {"k_shot": 0}, "2-way 0-shot"),
        (np.ones((4, 2)), {"k_shot": 2}, "0 molecules have more than 2 spectra; expected at least 2"),
        (np.ones((4, 2)), {"n_episodes": 0}, "0 episodes; expected at least 1"),
    ],
)
def test_impossible_episodes_are_refused(vectors: np.ndarray, options: dict[str, int], message: str):
    with pytest.raises(EvaluationError, match=message):
        few_shot(vectors, list("AABB"), **{"n_way": 2, "k_shot": 1, **options})
