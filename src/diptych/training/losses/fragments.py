"""Contrast of a spectrum's own candidates by the peaks that their fragments explain."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor

from diptych.encoders.structures.gathering import gathered
from diptych.errors import ConfigError
from diptych.training.losses.context import LossContext, LossTerm

FRAGMENTS = "fragments"


class FragmentContrast(LossTerm):
    """Listwise loss of the late interaction of peaks and fragments, over each molecule and its hard negatives.

    Parameters
    ----------
    model
        With the section ``model.interaction``.

    Notes
    -----
        L = -1/n sum_i log( exp(a s_ii) / (exp(a s_ii) + sum_{h in N_i} exp(a s_ih)) )

    with s of `diptych.encoders.pairs.fragment_interaction`, a learned scale a, and N_i the hard negatives of spectrum
    i's molecule; spectra without any are left out. ListNet with one relevant answer: Cao et al. 2007,
    doi:10.1145/1273496.1273513.
    """

    needs: ClassVar[frozenset[str]] = frozenset({FRAGMENTS})

    def __init__(self, *, model: Any) -> None:  # noqa: ANN401 - a joint embedding
        super().__init__()
        if model.interaction is None:
            raise ConfigError("loss term 'fragments' needs the section model.interaction; there is none")

    def forward(self, context: LossContext) -> Tensor:
        """Return the term, a scalar; 0 where there are no negatives."""
        pairs, net = context.batch.fragments, context.model.interaction
        if pairs is None:
            raise ConfigError("loss term 'fragments': the batch has no pairs of spectra and fragments")
        with context.tower_precision():
            scores = net(pairs)
        losses = own_list_losses(net.scaled(scores.float()), pairs.spectrum, n_spectra=len(context.batch.molecule))
        counts = torch.bincount(pairs.spectrum, minlength=len(losses)) > 1
        losses, counts = gathered(losses), gathered(counts)
        return torch.where(counts, losses, 0.0).sum() / counts.sum().clamp(min=1)


def own_list_losses(logits: Tensor, owner: Tensor, *, n_spectra: int) -> Tensor:
    """Return -log of the softmax share of each spectrum's first pair among all its pairs, of shape (n_spectra,).

    Parameters
    ----------
    logits, owner
        Of shape (n_pairs,): the score of each pair and its spectrum; pair i is the right one of spectrum i.
    n_spectra
        Number of spectra.
    """
    highest = logits.new_full((n_spectra,), -torch.inf).scatter_reduce(0, owner, logits.detach(), "amax")
    terms = torch.exp(logits - highest[owner])
    total = torch.zeros_like(highest).index_add(0, owner, terms)
    return total.log() + highest - logits[:n_spectra]
