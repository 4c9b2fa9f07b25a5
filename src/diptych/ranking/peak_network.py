"""A network of one hidden layer over sparse rows, by numpy alone: small enough to be trained where it is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from diptych.errors import EvaluationError

Output = Literal["sigmoid", "softmax"]
Floats = NDArray[np.float32]
_ROWS_AT_A_TIME = 1024


@dataclass(frozen=True, kw_only=True)
class NetworkSettings:
    """How a network is trained.

    Attributes
    ----------
    n_hidden
        Units of the hidden layer.
    epochs, batch_size, learning_rate
        Of Adam (Kingma and Ba 2015, arXiv 1412.6980).
    dropout
        Fraction of the hidden units that a step leaves out.
    spectra_per_molecule
        How many spectra of a molecule an epoch shows at most, drawn anew each time.
    seed
        Of the weights, the order and the dropout.
    """

    n_hidden: int = 512
    epochs: int = 30
    batch_size: int = 256
    learning_rate: float = 1e-3
    dropout: float = 0.3
    spectra_per_molecule: int = 4
    seed: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class PeakNetwork:
    """Probabilities from sparse rows: f(relu(x W1 + b1) W2 + b2), f the logistic function or the softmax.

    Attributes
    ----------
    weights
        W1 (n_columns, n_hidden), b1 (n_hidden,), W2 (n_hidden, n_outputs), b2 (n_outputs,); float32.
    output
        f: ``sigmoid`` for independent labels, ``softmax`` for classes.
    """

    weights: tuple[Floats, Floats, Floats, Floats]
    output: Output

    @classmethod
    def fit(
        cls,
        rows: sparse.csr_matrix,
        molecules: NDArray[np.int64],
        *,
        targets: NDArray[np.bool_],
        output: Output,
        settings: NetworkSettings | None = None,
    ) -> Self:
        """Return the network that training gives: cross-entropy, summed over labels, mean over spectra.

        Parameters
        ----------
        rows
            float32, of shape (n_spectra, n_columns).
        molecules
            int64, of shape (n_spectra,): row of each spectrum's molecule in ``targets``.
        targets
            Of shape (n_molecules, n_outputs).
        output, settings
            What kind of labels they are, and how to train.

        Raises
        ------
        EvaluationError
            There is not one molecule for each row, or there is no row.
        """
        chosen = settings or NetworkSettings()
        if rows.shape[0] != molecules.size or not molecules.size:
            raise EvaluationError(
                f"network: {rows.shape[0]} spectra with {molecules.size} molecules; expected some, one for each"
            )
        generator = np.random.default_rng(chosen.seed)
        weights = _start(rows.shape[1], chosen.n_hidden, targets, generator)
        network = cls(weights=weights, output=output)
        moments = [np.zeros_like(weight) for weight in weights], [np.zeros_like(weight) for weight in weights]
        step = 0
        for _ in range(chosen.epochs):
            for batch in _batches(molecules, chosen, generator):
                step += 1
                wanted = targets[molecules[batch]].astype(np.float32)
                kept = generator.random((batch.size, chosen.n_hidden), dtype=np.float32) >= chosen.dropout
                mask = kept.astype(np.float32) / np.float32(1 - chosen.dropout)
                gradients = network.gradients(rows[batch], wanted, mask=mask)
                _adam(weights, gradients, moments, step=step, learning_rate=chosen.learning_rate)
        return network

    def predict(self, rows: sparse.csr_matrix) -> Floats:
        """Return probabilities, float32 of shape (n_rows, n_outputs)."""
        parts = [self._forward(rows[i : i + _ROWS_AT_A_TIME])[1] for i in range(0, rows.shape[0], _ROWS_AT_A_TIME)]
        return np.concatenate([np.empty((0, self.weights[3].size), np.float32), *parts])

    def _forward(self, rows: sparse.csr_matrix, mask: Floats | None = None) -> tuple[Floats, Floats]:
        first, first_bias, second, second_bias = self.weights
        hidden = np.maximum(np.asarray(rows @ first) + first_bias, 0)
        if mask is not None:
            hidden *= mask
        scores = hidden @ second + second_bias
        return hidden, _softmax(scores) if self.output == "softmax" else _logistic(scores)

    def gradients(self, rows: sparse.csr_matrix, wanted: Floats, *, mask: Floats) -> tuple[Floats, ...]:
        """Return the gradients of the mean cross-entropy with respect to the weights.

        Parameters
        ----------
        rows
            Of shape (n, n_columns).
        wanted
            float32 0 or 1, of shape (n, n_outputs).
        mask
            float32, of shape (n, n_hidden): factors of the hidden units.

        Notes
        -----
        For both outputs the derivative of the cross-entropy with respect to what goes into f is f - y.
        """
        hidden, probability = self._forward(rows, mask)
        error = (probability - wanted) / np.float32(len(wanted))
        below = (error @ self.weights[2].T) * (hidden > 0) * mask
        return np.asarray(rows.T @ below), below.sum(axis=0), hidden.T @ error, error.sum(axis=0)


def _start(
    n_columns: int, n_hidden: int, targets: NDArray[np.bool_], generator: np.random.Generator
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return small random weights, and the biases that give each output its frequency."""
    n_outputs = targets.shape[1]
    first = generator.standard_normal((n_columns, n_hidden), dtype=np.float32) * np.float32(n_hidden**-0.5)
    second = generator.standard_normal((n_hidden, n_outputs), dtype=np.float32) * np.float32(0.1 * n_hidden**-0.5)
    frequency = np.clip(targets.mean(axis=0), 1e-4, 1 - 1e-4)
    return first, np.zeros(n_hidden, np.float32), second, np.log(frequency / (1 - frequency)).astype(np.float32)


def _batches(
    molecules: NDArray[np.int64], settings: NetworkSettings, generator: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Return the rows of an epoch in batches: at most so many of each molecule."""
    order = generator.permutation(molecules.size)
    by_molecule = order[np.argsort(molecules[order], kind="stable")]
    counts = np.bincount(molecules)
    place = np.arange(molecules.size) - np.repeat(np.cumsum(counts) - counts, counts)
    shown = generator.permutation(by_molecule[place < settings.spectra_per_molecule])
    return [shown[i : i + settings.batch_size] for i in range(0, shown.size, settings.batch_size)]


def _adam(
    weights: tuple[Floats, ...],
    gradients: tuple[Floats, ...],
    moments: tuple[list[Floats], list[Floats]],
    *,
    step: int,
    learning_rate: float,
) -> None:
    """Move the weights by one step of Adam, in place: of 20 million numbers a copy each step would cost more."""
    scale = learning_rate * np.sqrt(1 - 0.999**step) / (1 - 0.9**step)
    for weight, gradient, first, second in zip(weights, gradients, *moments, strict=True):
        first += np.float32(0.1) * (gradient - first)
        second += np.float32(0.001) * (gradient * gradient - second)
        weight -= np.float32(scale) * first / (np.sqrt(second) + np.float32(1e-8))


def _logistic(scores: Floats) -> Floats:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * scores)), dtype=np.float32)


def _softmax(scores: Floats) -> Floats:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)
