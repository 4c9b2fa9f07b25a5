"""Exponential moving average of weights."""

from __future__ import annotations

import copy

import torch
from torch import nn


class AveragedModel(nn.Module):
    """A copy of a model whose weights follow the original's slowly.

    Parameters
    ----------
    model
        What is followed.
    decay
        Share of the average that stays at each update, in [0, 1).

    Notes
    -----
    a <- d_t a + (1 - d_t) w with d_t = min(d, (1 + t) / (10 + t)), so that the first steps are forgotten quickly:
    the debiasing of TensorFlow's ExponentialMovingAverage; averaging of weights: Polyak and Juditsky,
    doi:10.1137/0330046.
    """

    def __init__(self, model: nn.Module, *, decay: float) -> None:
        super().__init__()
        self.model = copy.deepcopy(model).requires_grad_(False)
        self.decay = decay
        self.n_updates: torch.Tensor
        self.register_buffer("n_updates", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Move the average towards the weights of ``model``; buffers are copied."""
        t = int(self.n_updates)
        decay = min(self.decay, (1 + t) / (10 + t))
        for average, weight in zip(self.model.parameters(), model.parameters(), strict=True):
            average.lerp_(weight.detach(), 1 - decay)
        for copied, buffer in zip(self.model.buffers(), model.buffers(), strict=True):
            copied.copy_(buffer)
        self.n_updates += 1
