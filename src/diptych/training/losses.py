"""Contrastive losses between spectra and structures; a loss is a function of unit vectors and a temperature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class ContrastiveBatch:
    """The vectors of one batch of distinct molecules.

    Attributes
    ----------
    spectra
        Floating, of shape (n, dim), unit rows: one spectrum of each molecule.
    structures
        Floating, of shape (n, dim), unit rows: the molecules, in the same order.
    negatives
        Floating, of shape (n_negatives, dim), unit rows: structures that are no molecule of the batch.
    owner
        int64, of shape (n_negatives,): the row of the batch for which each negative was drawn.
    """

    spectra: Tensor
    structures: Tensor
    negatives: Tensor
    owner: Tensor


@dataclass(frozen=True, kw_only=True)
class LossSettings:
    """What every loss may be told.

    Attributes
    ----------
    label_smoothing
        Share epsilon of the target probability that is spread evenly over all entries of the softmax.
    negatives
        Which hard negatives a spectrum sees: its ``"own"``, or all of the ``"batch"``.
    structure_weight
        Weight of the structure-to-spectrum direction.
    """

    label_smoothing: float = 0.0
    negatives: Literal["own", "batch"] = "own"
    structure_weight: float = 0.5


def symmetric_info_nce(batch: ContrastiveBatch, temperature: Tensor, *, settings: LossSettings) -> Tensor:
    """Return the mean symmetric InfoNCE loss of a batch, a scalar in nats.

    Parameters
    ----------
    batch
        Unit vectors of n distinct molecules and of hard negatives.
    temperature
        Scalar, positive.
    settings
        Smoothing, scope of the hard negatives, weight of the two directions.

    Notes
    -----
    With s_ij = <x_i, y_j> / T for spectra x and structures y, and N_i the hard negatives that spectrum i sees,

        L_x = -1/n sum_i log( exp(s_ii) / (sum_j exp(s_ij) + sum_{h in N_i} exp(<x_i, y_h> / T)) )
        L_y = -1/n sum_i log( exp(s_ii) / sum_j exp(s_ji) )
        L   = (1 - w) L_x + w L_y

    InfoNCE: van den Oord et al., doi:10.48550/arXiv.1807.03748, eq. 4; the symmetric form: Radford et al.,
    doi:10.48550/arXiv.2103.00020, fig. 3.
    """
    logits = batch.spectra @ batch.structures.T / temperature
    hard = batch.spectra @ batch.negatives.T / temperature
    if settings.negatives == "own":
        rows = torch.arange(len(logits), device=logits.device)
        hard = hard.masked_fill(batch.owner[None, :] != rows[:, None], -torch.inf)
    by_spectrum = _diagonal_cross_entropy(torch.cat([logits, hard], dim=1), smoothing=settings.label_smoothing)
    by_structure = _diagonal_cross_entropy(logits.T, smoothing=settings.label_smoothing)
    return (1 - settings.structure_weight) * by_spectrum + settings.structure_weight * by_structure


def _diagonal_cross_entropy(logits: Tensor, *, smoothing: float) -> Tensor:
    """Return the mean cross-entropy whose right answer is the diagonal; entries of minus infinity are not there."""
    log_probability = torch.log_softmax(logits, dim=1)
    loss = -log_probability.diagonal().mean()
    if not smoothing:
        return loss
    present = torch.isfinite(logits)
    even = -(log_probability.masked_fill(~present, 0.0).sum(dim=1) / present.sum(dim=1)).mean()
    return (1 - smoothing) * loss + smoothing * even


LOSSES: dict[str, Callable[..., Tensor]] = {
    "info-nce": symmetric_info_nce,
}
