"""What a tower returns."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

# A block that is all but zero, because nothing matched, stays zero instead of being blown up to unit norm.
_SMALLEST_NORM = 1e-3


class EncoderOutput(NamedTuple):
    """Vectors of a batch.

    Attributes
    ----------
    global_vector
        Float32, of shape (n, dim), unit rows: one vector per spectrum or structure.
    block_sizes
        Lengths of the blocks that make up a vector, each of which is an embedding of its own; they add up to dim.
    token_vectors
        Float32, of shape (n, n_slots, token_dim), unit rows, zero where there is no token: one vector per part (peak,
        m/z interval, atom). None where the tower has no parts.
    token_mask
        Bool, of shape (n, n_slots): True where there is a token; None like ``token_vectors``.
    """

    global_vector: Tensor
    block_sizes: tuple[int, ...]
    token_vectors: Tensor | None = None
    token_mask: Tensor | None = None


def joined_blocks(blocks: list[Tensor], weights: list[float]) -> EncoderOutput:
    """Return unit vectors made of weighted unit blocks.

    Notes
    -----
    x = normalise(w_1 b_1 / |b_1|, ..., w_k b_k / |b_k|), so that where no block is empty <x, y> is the mean of the
    blocks' cosine similarities, weighted by w^2.
    """
    unit = [
        weight * block.float() / block.float().norm(dim=1, keepdim=True).clamp(min=_SMALLEST_NORM)
        for block, weight in zip(blocks, weights, strict=True)
    ]
    vector = functional.normalize(torch.cat(unit, dim=1), dim=1)
    return EncoderOutput(global_vector=vector, block_sizes=tuple(block.shape[1] for block in blocks))
