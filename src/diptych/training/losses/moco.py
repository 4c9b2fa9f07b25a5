"""A queue of structures from earlier batches as further negatives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from diptych.encoders.structures.gathering import gathered
from diptych.errors import ConfigError
from diptych.training.averaging import AveragedModel
from diptych.training.losses.context import LossContext, LossTerm
from diptych.training.losses.contrastive import cross_entropy

if TYPE_CHECKING:
    from diptych.encoders.output import EncoderOutput


class MomentumContrast(LossTerm):
    """Each spectrum's molecule against a queue of molecules, both seen by a slow copy of the structure tower.

    Parameters
    ----------
    model
        Whose structure side is copied.
    queue_size
        Molecules kept, the latest ones.
    momentum
        Share of the copy that stays at each step.
    temperature
        Divides the cosines; 0 takes the temperature of the main loss.

    Notes
    -----
    With k_j = the copy's vector of molecule j and Q the queue without the spectrum's own molecule, told by its row,

        L = -1/m sum_i log( exp(<x_i, k_t(i)> / T) / (exp(<x_i, k_t(i)> / T) + sum_{q in Q} exp(<x_i, q> / T)) )

    He et al., doi:10.48550/arXiv.1911.05722, eq. 1 and 2, with spectra as queries and structures as keys. The copy
    starts to follow fast (`AveragedModel`), and takes no gradient.
    """

    def __init__(
        self,
        *,
        model: Any,  # noqa: ANN401
        queue_size: int = 4096,
        momentum: float = 0.99,
        temperature: float = 0.0,
    ) -> None:
        super().__init__()
        if queue_size < 1 or not 0 <= momentum < 1:
            raise ConfigError(
                f"loss term 'moco': queue_size {queue_size}, momentum {momentum}; expected a size of at least 1, and a "
                "momentum of at least 0 and below 1"
            )
        self.temperature = temperature
        self.average = AveragedModel(_StructureSide(model), decay=momentum)
        self.queue: Tensor
        self.rows: Tensor
        self.next: Tensor
        self.register_buffer("queue", torch.zeros(queue_size, model.loss_dim))
        self.register_buffer("rows", torch.full((queue_size,), -1, dtype=torch.int64))
        self.register_buffer("next", torch.zeros((), dtype=torch.int64))

    def forward(self, context: LossContext) -> Tensor:
        """Return the term, a scalar, and put the batch's molecules into the queue."""
        vectors = context.vectors
        keys, rows = self._keys(context), gathered(context.batch.rows[: context.batch.n_molecules])
        temperature = self.temperature or context.temperature
        right = (vectors.spectra * keys[vectors.target]).sum(dim=1, keepdim=True) / temperature
        # The queue is changed in place below, and the gradient needs it as it was.
        others = vectors.spectra @ self.queue.clone().T / temperature
        hidden = (self.rows < 0)[None, :] | (self.rows[None, :] == rows[vectors.target][:, None])
        logits = torch.cat([right, others.masked_fill(hidden, -torch.inf)], 1)
        loss = cross_entropy(logits, torch.zeros_like(vectors.target))
        self._enqueue(keys, rows)
        return loss

    @torch.no_grad()
    def _keys(self, context: LossContext) -> Tensor:
        self.average.update(_StructureSide(context.model))
        slow_copy = self.average.model.eval()
        with context.tower_precision():
            output: EncoderOutput = slow_copy(context.batch.structures)
        return gathered(functional.normalize(output.global_vector[: context.batch.n_molecules].float(), dim=1))

    @torch.no_grad()
    def _enqueue(self, keys: Tensor, rows: Tensor) -> None:
        size = len(self.queue)
        keys, rows = keys[-size:], rows[-size:]
        places = (self.next + torch.arange(len(keys), device=keys.device)) % size
        self.queue[places], self.rows[places] = keys, rows
        self.next.copy_((self.next + len(keys)) % size)


class _StructureSide(nn.Module):
    """The structure tower and the projection behind it, if any."""

    def __init__(self, model: Any) -> None:  # noqa: ANN401 - a joint embedding
        super().__init__()
        self.encoder, self.projection = model.structure_encoder, model.projection

    def forward(self, collated: Any) -> EncoderOutput:  # noqa: ANN401 - the tower's own
        output: EncoderOutput = self.encoder(collated)
        return output if self.projection is None else self.projection(output, side="structure")
