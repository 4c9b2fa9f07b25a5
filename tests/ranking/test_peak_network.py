import numpy as np
import pytest
from scipy import sparse

from diptych.errors import EvaluationError
from diptych.ranking.peak_network import NetworkSettings, PeakNetwork


def network(output: str) -> PeakNetwork:
    generator = np.random.default_rng(0)
    shapes = ((3, 4), (4,), (4, 2), (2,))
    return PeakNetwork(weights=tuple(generator.normal(size=s).astype(np.float32) for s in shapes), output=output)


def cross_entropy(weights: list[np.ndarray], rows: np.ndarray, wanted: np.ndarray, *, output: str) -> float:
    first, first_bias, second, second_bias = (weight.astype(np.float64) for weight in weights)
    scores = np.maximum(rows @ first + first_bias, 0) @ second + second_bias
    if output == "softmax":
        return float(-(wanted * (scores - np.log(np.exp(scores).sum(axis=1, keepdims=True)))).sum() / len(rows))
    p = 1 / (1 + np.exp(-scores))
    return float(-(wanted * np.log(p) + (1 - wanted) * np.log(1 - p)).sum() / len(rows))


@pytest.mark.parametrize("output", ["sigmoid", "softmax"])
def test_gradients_are_those_of_the_cross_entropy(output: str):
    model = network(output)
    rows = np.array([[1.0, 0.0, 0.5], [0.0, 2.0, 0.0]], dtype=np.float32)
    wanted = np.array([[1.0, 0.0], [0.0, 1.0]], dtype=np.float32)
    found = model.gradients(sparse.csr_matrix(rows), wanted, mask=np.ones((2, 4), np.float32))
    for i, gradient in enumerate(found):
        for place in np.ndindex(gradient.shape):
            values = []
            for step in (1e-5, -1e-5):
                moved = [weight.astype(np.float64) for weight in model.weights]
                moved[i][place] += step
                values.append(cross_entropy(moved, rows, wanted, output=output))
            assert gradient[place] == pytest.approx((values[0] - values[1]) / 2e-5, abs=1e-4)


def test_a_prediction_worked_out_by_hand():
    one = np.ones((1, 1), np.float32)
    model = PeakNetwork(
        weights=(2 * one, np.array([-1], np.float32), 3 * one, np.array([1], np.float32)), output="sigmoid"
    )
    # relu(2 x - 1) is 1 for x = 1 and 0 for x = 0: the scores are 4 and 1.
    found = model.predict(sparse.csr_matrix([[1.0], [0.0]], dtype=np.float32))
    np.testing.assert_allclose(found[:, 0], [1 / (1 + np.exp(-4)), 1 / (1 + np.exp(-1))], rtol=1e-6)


def test_training_tells_two_molecules_apart_and_is_repeatable():
    rows = sparse.csr_matrix(np.tile(np.eye(2, dtype=np.float32), (8, 1)))
    settings = NetworkSettings(n_hidden=8, epochs=200, batch_size=4, learning_rate=0.01, seed=1)
    fitted = [
        PeakNetwork.fit(rows, np.arange(16) % 2, targets=np.eye(2, dtype=bool), output="softmax", settings=settings)
        for _ in range(2)
    ]
    found = fitted[0].predict(rows[:2])
    assert found[0, 0] > 0.9
    assert found[1, 1] > 0.9
    np.testing.assert_array_equal(found, fitted[1].predict(rows[:2]))


def test_no_row_gives_no_prediction():
    assert network("softmax").predict(sparse.csr_matrix((0, 3), dtype=np.float32)).shape == (0, 2)


def test_rows_without_molecules_are_refused():
    with pytest.raises(EvaluationError, match="2 spectra with 1 molecules; expected some, one for each"):
        PeakNetwork.fit(
            sparse.csr_matrix((2, 3)), np.zeros(1, np.int64), targets=np.eye(1, dtype=bool), output="softmax"
        )
