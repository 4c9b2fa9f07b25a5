"""Spectra without structures: two views of one spectrum belong together."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from diptych.encoders.structures.gathering import gathered
from diptych.errors import ConfigError
from diptych.training.losses.context import LossContext, LossTerm
from diptych.training.losses.supcon import supervised_contrast


class SelfSupervised(LossTerm):
    """NT-Xent of two augmented views of the batch's unlabelled spectra.

    Parameters
    ----------
    temperature
        Divides the cosines; 0 takes the temperature of the main loss.

    Notes
    -----
    With u_1..u_2n the two views of n spectra, and v(i) the other view of the spectrum of u_i,

        L = -1/2n sum_i log( exp(<u_i, u_v(i)> / T) / sum_{a != i} exp(<u_i, u_a> / T) )

    Chen et al., doi:10.48550/arXiv.2002.05709, eq. 1. The spectra are those of ``data.unlabelled``,
    ``sampling.unlabelled`` of them in each batch; the views differ by ``[augmentation]``.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"unlabelled"})

    def __init__(self, *, temperature: float = 0.0) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, context: LossContext) -> Tensor:
        """Return the term, a scalar."""
        if context.batch.unlabelled is None:
            raise ConfigError(
                "loss term 'self-supervised' has no unlabelled spectra; give data.unlabelled and sampling.unlabelled"
            )
        first, second = (
            gathered(functional.normalize(context.encoded_spectra(view).global_vector.float(), dim=1))
            for view in context.batch.unlabelled
        )
        spectrum = torch.arange(len(first), device=first.device).repeat(2)
        temperature = self.temperature or context.temperature
        return supervised_contrast(torch.cat([first, second]), spectrum, temperature=temperature)
