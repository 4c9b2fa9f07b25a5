"""Symmetric InfoNCE between spectra and structures, and what all main losses share."""

from __future__ import annotations

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
        Floating, of shape (n_spectra, dim), unit rows.
    structures
        Floating, of shape (n, dim), unit rows: the molecules.
    negatives
        Floating, of shape (n_negatives, dim), unit rows: structures that are no molecule of the batch.
    owner
        int64, of shape (n_negatives,): the molecule for which each negative was drawn.
    molecule
        int64, of shape (n_spectra,): the molecule of each spectrum; None: one spectrum of each, in their order.
    rows
        int64, of shape (n,): by which molecules are told apart; None: they are distinct.
    """

    spectra: Tensor
    structures: Tensor
    negatives: Tensor
    owner: Tensor
    molecule: Tensor | None = None
    rows: Tensor | None = None

    @property
    def target(self) -> Tensor:
        """int64, of shape (n_spectra,): the molecule of each spectrum."""
        if self.molecule is None:
            return torch.arange(len(self.spectra), device=self.spectra.device)
        return self.molecule

    @property
    def identity(self) -> Tensor:
        """int64, of shape (n,): equal where two structures are the same molecule."""
        return torch.arange(len(self.structures), device=self.structures.device) if self.rows is None else self.rows

    @property
    def replicates(self) -> Tensor:
        """Bool, of shape (n_spectra, n_spectra): True for other spectra of the same molecule."""
        mine = self.identity[self.target]
        same = mine[:, None] == mine[None, :]
        return same.fill_diagonal_(fill_value=False)


@dataclass(frozen=True, kw_only=True)
class LossSettings:
    """What every main loss may be told.

    Attributes
    ----------
    label_smoothing
        Share epsilon of the target probability that is spread evenly over all entries of the softmax.
    negatives
        Which hard negatives a spectrum sees: its ``"own"``, all of the ``"batch"``, or ``"none"``, where they are drawn
        for a term alone.
    structure_weight
        Weight of the structure-to-spectrum direction.
    """

    label_smoothing: float = 0.0
    negatives: Literal["own", "batch", "none"] = "own"
    structure_weight: float = 0.5


def symmetric_info_nce(batch: ContrastiveBatch, temperature: Tensor, *, settings: LossSettings) -> Tensor:
    """Return the mean symmetric InfoNCE loss of a batch, a scalar in nats.

    Parameters
    ----------
    batch
        Unit vectors of spectra, of their molecules and of hard negatives.
    temperature
        Scalar, positive.
    settings
        Smoothing, scope of the hard negatives, weight of the two directions.

    Notes
    -----
    With s_ij = <x_i, y_j> / T for m spectra x and n structures y, t(i) the molecule of spectrum i, and N_i the hard
    negatives that it sees,

        L_x = -1/m sum_i log( exp(s_it(i)) / (sum_j exp(s_ij) + sum_{h in N_i} exp(<x_i, y_h> / T)) )
        L_y = -1/m sum_i log( exp(s_it(i)) / (exp(s_it(i)) + sum_{k: t(k) != t(i)} exp(s_kt(i))) )
        L   = (1 - w) L_x + w L_y

    Replicates, other spectra of the same molecule, are no negatives. InfoNCE: van den Oord et al.,
    doi:10.48550/arXiv.1807.03748, eq. 4; the symmetric form: Radford et al., doi:10.48550/arXiv.2103.00020, fig. 3.
    """
    by_spectrum = spectrum_to_structure(batch, temperature, settings=settings)
    to_spectra = structure_logits(batch, temperature).masked_fill(batch.replicates, -torch.inf)
    by_structure = cross_entropy(to_spectra, diagonal(to_spectra), smoothing=settings.label_smoothing)
    return (1 - settings.structure_weight) * by_spectrum + settings.structure_weight * by_structure


def spectrum_to_structure(batch: ContrastiveBatch, temperature: Tensor, *, settings: LossSettings) -> Tensor:
    """Return the mean cross-entropy of each spectrum's molecule among all molecules and the negatives that it sees."""
    logits = torch.cat([own_logits(batch, temperature), hard_logits(batch, temperature, scope=settings.negatives)], 1)
    return cross_entropy(logits, batch.target, smoothing=settings.label_smoothing)


def own_logits(batch: ContrastiveBatch, temperature: Tensor) -> Tensor:
    """Return <x_i, y_j> / T, of shape (n_spectra, n), minus infinity for the same molecule's other rows."""
    logits = batch.spectra @ batch.structures.T / temperature
    if batch.rows is None:
        return logits
    columns = torch.arange(len(batch.rows), device=logits.device)
    again = (batch.rows[batch.target][:, None] == batch.rows[None, :]) & (batch.target[:, None] != columns[None, :])
    return logits.masked_fill(again, -torch.inf)


def hard_logits(batch: ContrastiveBatch, temperature: Tensor, *, scope: Literal["own", "batch", "none"]) -> Tensor:
    """Return <x_i, y_h> / T, of shape (n_spectra, n_negatives), minus infinity for negatives that i does not see."""
    if scope == "none":
        return batch.spectra.new_empty(len(batch.spectra), 0)
    hard = batch.spectra @ batch.negatives.T / temperature
    if scope == "batch":
        return hard
    return hard.masked_fill(batch.owner[None, :] != batch.target[:, None], -torch.inf)


def structure_logits(batch: ContrastiveBatch, temperature: Tensor) -> Tensor:
    """Return <y_t(i), x_k> / T, of shape (n_spectra, n_spectra): row i asks with the molecule of spectrum i."""
    return (batch.structures @ batch.spectra.T / temperature)[batch.target]


def diagonal(logits: Tensor) -> Tensor:
    """Return the positions 0, 1, ... of the diagonal of a square matrix."""
    return torch.arange(len(logits), device=logits.device)


def cross_entropy(logits: Tensor, target: Tensor, *, smoothing: float = 0.0) -> Tensor:
    """Return the mean cross-entropy of the target columns; entries of minus infinity are not there."""
    log_probability = torch.log_softmax(logits, dim=1)
    loss = -log_probability.gather(1, target[:, None]).mean()
    if not smoothing:
        return loss
    present = torch.isfinite(logits)
    even = -(log_probability.masked_fill(~present, 0.0).sum(dim=1) / present.sum(dim=1)).mean()
    return (1 - smoothing) * loss + smoothing * even
