"""Rows of all processes that train together, with the gradient: for losses, and for what is measured over a batch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, distributed


def n_processes() -> int:
    """Return how many processes train together."""
    return distributed.get_world_size() if distributed.is_available() and distributed.is_initialized() else 1


def process_index() -> int:
    """Return which of the processes this one is, from 0."""
    return distributed.get_rank() if n_processes() > 1 else 0


def counts_everywhere(n: int, *, device: torch.device) -> list[int]:
    """Return the number that every process gives, in their order."""
    if n_processes() == 1:
        return [n]
    parts = [torch.zeros(1, dtype=torch.int64, device=device) for _ in range(n_processes())]
    distributed.all_gather(parts, torch.tensor([n], dtype=torch.int64, device=device))
    return [int(part) for part in parts]


def gathered(rows: Tensor) -> Tensor:
    """Return the rows of all processes, one process after the other; with one process, the rows themselves.

    Parameters
    ----------
    rows
        Of shape (n, ...); n may differ between processes, the rest must not.

    Notes
    -----
    Every process computes the loss of all rows. A row's gradient is summed over the processes, and DDP averages the
    gradients of weights: together exactly the gradient of that one loss.
    """
    if n_processes() == 1:
        return rows
    if not rows.is_floating_point():
        return _all(rows.to(torch.int64), counts_everywhere(len(rows), device=rows.device)).to(rows.dtype)
    result: Tensor = _Gather.apply(rows)  # type: ignore[no-untyped-call]
    return result


def _all(rows: Tensor, counts: list[int]) -> Tensor:
    padded = rows.new_zeros(max(counts), *rows.shape[1:])
    padded[: len(rows)] = rows
    parts = [torch.empty_like(padded) for _ in counts]
    distributed.all_gather(parts, padded)
    return torch.cat([part[:count] for part, count in zip(parts, counts, strict=True)])


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:  # noqa: ANN401
        ctx.counts = counts_everywhere(len(rows), device=rows.device)
        return _all(rows, ctx.counts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ANN401
        total = gradients[0].contiguous().clone()
        distributed.all_reduce(total)
        return torch.split(total, ctx.counts)[process_index()]
