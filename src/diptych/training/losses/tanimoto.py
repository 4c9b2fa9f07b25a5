"""Likeness of structures by their fingerprints."""

from __future__ import annotations

from torch import Tensor


def tanimoto(first: Tensor, second: Tensor) -> Tensor:
    """Return the Tanimoto similarity of all pairs of rows of bits, of shape (n_first, n_second), in [0, 1].

    Two rows without a single bit have similarity 0.
    """
    shared = first @ second.T
    either = first.sum(dim=1)[:, None] + second.sum(dim=1)[None, :] - shared
    return shared / either.clamp(min=1.0)


def paired_tanimoto(first: Tensor, second: Tensor) -> Tensor:
    """Return the Tanimoto similarity of rows of bits one by one, of shape (n,), in [0, 1]."""
    shared = (first * second).sum(dim=1)
    return shared / (first.sum(dim=1) + second.sum(dim=1) - shared).clamp(min=1.0)
