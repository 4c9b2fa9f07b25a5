"""Which training spectra move the answers to given queries: gradient products at the spectrum tower's last layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from diptych.errors import TrainingError

if TYPE_CHECKING:
    from diptych.embedding import JointEmbedding
    from diptych.molecules.structure import Structure
    from diptych.spectra.spectrum import Spectrum

_ROWS_AT_A_TIME = 512


@dataclass(frozen=True, kw_only=True, eq=False)
class Example:
    """A spectrum, its structure, and the structures from which it is told apart.

    Attributes
    ----------
    spectrum
        What was measured.
    structures
        Rows of a table of vectors; the first is the label, the others compete with it.
    """

    spectrum: Spectrum
    structures: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class LastLayerGradients:
    """Gradients of each example's loss by the last layer's weights, as the two factors of their outer product.

    Attributes
    ----------
    error
        float32, of shape (n, n_out): gradient by the layer's output.
    activation
        float32, of shape (n, n_in + 1): the layer's input, and a 1 for the bias.
    """

    error: NDArray[np.float32]
    activation: NDArray[np.float32]

    @property
    def mean(self) -> NDArray[np.float32]:
        """Mean gradient, of shape (n_out, n_in + 1)."""
        return np.asarray(self.error.T @ self.activation / max(len(self.error), 1), dtype=np.float32)

    @property
    def squared_norms(self) -> NDArray[np.float32]:
        """Squared norm of each gradient, of shape (n,): an example's influence on itself."""
        return np.asarray((self.error**2).sum(axis=1) * (self.activation**2).sum(axis=1), dtype=np.float32)

    def products(self, gradient: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the product of each gradient with one of shape (n_out, n_in + 1), float32 of shape (n,)."""
        return np.asarray(((self.error @ gradient) * self.activation).sum(axis=1), dtype=np.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class Influence:
    """What training on each example did to the queries, and to itself.

    Attributes
    ----------
    on_queries
        float32, of shape (n_training,): by how much a step on the example lowers the mean loss of the queries, up to a
        factor; negative where it raises it.
    on_itself
        float32, of the same shape, never negative: great for what the rest of training speaks against.
    """

    on_queries: NDArray[np.float32]
    on_itself: NDArray[np.float32]


def influence(
    models: Sequence[JointEmbedding],
    *,
    training: Sequence[Example],
    queries: Sequence[Example],
    structures: Sequence[Structure],
) -> Influence:
    """Return the influence of training examples on queries, over saved checkpoints of one model.

    Parameters
    ----------
    models
        Checkpoints, each counting the same.
    training, queries
        Examples; their ``structures`` are rows of ``structures``.
    structures
        All structures that any example names.

    Raises
    ------
    TrainingError
        There is no checkpoint, no training example or no query, or a spectrum tower has no linear layer over whole
        spectra.

    Notes
    -----
    TracInCP(z, z') = sum_t eta_t <grad l(w_t, z), grad l(w_t, z')> over checkpoints t (Pruthi et al. 2020,
    doi:10.48550/arXiv.2002.08484, section 3.2), on the weights of the last linear layer of the spectrum tower (section
    4), where the product of two gradients is (e . e') (a . a'), e being the gradient by the layer's output and a its
    input. The loss is -log softmax_j(<x, y_j> / T) of the label among the example's structures. Step sizes eta_t are
    taken as equal.
    """
    if not models or not training or not queries:
        raise TrainingError(
            f"influence: {len(models)} checkpoints, {len(training)} training examples, {len(queries)} queries; "
            "expected at "
            "least one of each"
        )
    on_queries = np.zeros(len(training), dtype=np.float32)
    on_itself = np.zeros(len(training), dtype=np.float32)
    for model in models:
        vectors = torch.from_numpy(model.encode_structures(structures))
        asked = last_layer_gradients(model, queries, vectors)
        trained = last_layer_gradients(model, training, vectors)
        on_queries += trained.products(asked.mean)
        on_itself += trained.squared_norms
    return Influence(on_queries=on_queries, on_itself=on_itself)


def last_layer_gradients(model: JointEmbedding, examples: Sequence[Example], vectors: Tensor) -> LastLayerGradients:
    """Return the gradients of each example's loss at the spectrum tower's last linear layer over whole spectra.

    Parameters
    ----------
    model
        In evaluation mode, so that no example sees another.
    examples
        Rows of ``vectors`` in their ``structures``.
    vectors
        Unit vectors of structures, of shape (n_structures, embedding_dim).
    """
    model.eval()
    parts = [
        _gradients(model, examples[start : start + _ROWS_AT_A_TIME], vectors)
        for start in range(0, len(examples), _ROWS_AT_A_TIME)
    ]
    return LastLayerGradients(
        error=np.concatenate([error for error, _ in parts]),
        activation=np.concatenate([activation for _, activation in parts]),
    )


def _gradients(
    model: JointEmbedding, examples: Sequence[Example], vectors: Tensor
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    batch: Any = model.spectrum_encoder.collate([example.spectrum for example in examples])
    with _last_linear(model.spectrum_encoder) as seen:
        spectra = model.spectrum_encoder(batch).global_vector
    if "output" not in seen:
        raise TrainingError("influence: the spectrum tower has no linear layer over whole spectra to look at")
    temperature = float(model.log_temperature.detach().exp())
    losses = [
        functional.cross_entropy(
            (vectors[example.structures] @ row / temperature)[None, :], torch.zeros(1, dtype=torch.long)
        )
        for example, row in zip(examples, spectra, strict=True)
    ]
    (error,) = torch.autograd.grad(torch.stack(losses).sum(), seen["output"])
    activation = functional.pad(seen["input"].detach(), (0, 1), value=1.0)
    return error.float().numpy(), activation.float().numpy()


@contextmanager
def _last_linear(tower: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Yield what the linear layer that ran last on a matrix of one row per spectrum took and gave."""
    seen: dict[str, Tensor] = {}

    def look(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if inputs[0].ndim == 2:
            seen.update(input=inputs[0], output=output)

    handles = [module.register_forward_hook(look) for module in tower.modules() if isinstance(module, nn.Linear)]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()
