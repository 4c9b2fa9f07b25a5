"""Masses as columns: how peaks and neutral losses are laid into bins, for every tower that bins."""

from __future__ import annotations

import torch
from torch import Tensor

from diptych.encoders.sparse_sum import SparseBatch
from diptych.encoders.spectra.peak_batch import PeakBatch
from diptych.spectra.binning import hash_bins

_COARSE_BINS_PER_DA = 4
_MAX_MZ = 1000
COARSE_WIDTH = _COARSE_BINS_PER_DA * _MAX_MZ
_LOSS_SALT = 1 << 24  # bins of losses start above those of peaks, so that the two hash apart


def peak_and_loss_bins(batch: PeakBatch, weight: Tensor, *, fine_bins_per_da: int, fine_width: int) -> SparseBatch:
    """Return the bins of peaks and of neutral losses, fine ones hashed and coarse ones beside them.

    Parameters
    ----------
    batch
        n spectra.
    weight
        Float32, of shape (n, n_slots): what each peak counts; 0 leaves it out.
    fine_bins_per_da, fine_width
        Each peak is shared linearly between its two nearest fine bins, which are hashed to so many columns.

    Returns
    -------
    SparseBatch
        n rows of ``fine_width + 2 * COARSE_WIDTH`` columns: fine bins, coarse bins of peaks (a quarter of a Da up to
        1000), coarse bins of losses. Losses at or below zero, or of an unknown precursor, are left out.
    """
    loss = batch.precursor_mz[:, None] - batch.mz
    loss_weight = torch.where(loss > 0, weight, 0.0)
    parts = []
    for mass, share, salt, coarse_start in (
        (batch.mz, weight, 0, fine_width),
        (loss, loss_weight, _LOSS_SALT, fine_width + COARSE_WIDTH),
    ):
        mass = torch.where(share > 0, mass, 0.0)
        columns, shares = two_nearest(mass, share, bins_per_da=fine_bins_per_da)
        parts.append((hashed(columns + salt, width=fine_width), shares))
        coarse = (mass * _COARSE_BINS_PER_DA).long().clamp(max=COARSE_WIDTH - 1)
        parts.append((coarse + coarse_start, share))
    return SparseBatch.from_padded(torch.cat([c for c, _ in parts], 1), torch.cat([v for _, v in parts], 1))


def dense_bins(position: Tensor, weight: Tensor, *, width: int) -> Tensor:
    """Return float32 (n, width): the weights summed in the bins that the positions lie in.

    Parameters
    ----------
    position
        Of shape (n, n_slots), in bins; what lies outside 0 <= position < width is left out, NaN too.
    weight
        Float32, of shape (n, n_slots).
    width
        Number of bins.

    Examples
    --------
    >>> dense_bins(torch.tensor([[0.2, 0.9, 2.0, 3.0]]), torch.tensor([[1.0, 2.0, 4.0, 8.0]]), width=3)
    tensor([[3., 0., 4.]])
    """
    inside = (position >= 0) & (position < width)
    columns = torch.where(inside, position, 0.0).long()
    empty = torch.zeros(len(position), width, device=weight.device)
    return empty.scatter_add(1, columns, torch.where(inside, weight.float(), 0.0))


def two_nearest(mass: Tensor, weight: Tensor, *, bins_per_da: int) -> tuple[Tensor, Tensor]:
    """Return the two bins that each mass lies between and its weight shared linearly, each of twice the width."""
    position = mass * bins_per_da
    lower = position.floor()
    share = (position - lower).float()
    columns = torch.cat([lower.long(), lower.long() + 1], dim=1)
    return columns, torch.cat([weight * (1 - share), weight * share], dim=1)


def hashed(bins: Tensor, *, width: int) -> Tensor:
    """Return the column of each bin among so many."""
    columns: Tensor = hash_bins(bins, width=width)
    return columns
