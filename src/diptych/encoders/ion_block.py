"""The ion block of a spectrum: the masses of its peaks, as the table shared with the structure tower knows them."""

from __future__ import annotations

import torch
from torch import Tensor

from diptych.encoders.ion_table import IonTable
from diptych.encoders.mass_bins import hashed, two_nearest
from diptych.encoders.output import EncoderOutput, joined_blocks
from diptych.encoders.peak_batch import PeakBatch
from diptych.encoders.sparse_sum import SparseBatch
from diptych.spectra.masses import PROTON_MASS


def learned_dim(embedding_dim: int, ion_table: IonTable | None) -> int:
    """Return how much of a vector is left for what the tower learns itself."""
    return embedding_dim - (ion_table.dim if ion_table else 0)


def joined_with_ions(learned: Tensor, batch: PeakBatch, table: IonTable | None, *, ion_weight: float) -> EncoderOutput:
    """Return unit vectors of the learned block, and of the ion block beside it where there is a table.

    Parameters
    ----------
    learned
        Float32, of shape (n, learned_dim).
    batch
        The n spectra.
    table
        Shared by both towers; None leaves the ion block out.
    ion_weight
        Weight of the ion block relative to the learned block.
    """
    blocks, weights = [learned], [1.0]
    if table is not None:
        blocks.append(table(ion_bins(batch, table)))
        weights.append(ion_weight)
    return joined_blocks(blocks, weights)


def ion_bins(batch: PeakBatch, table: IonTable) -> SparseBatch:
    """Return the bins of neutral fragment mass: the peak's less (or plus) a proton; the precursor left out."""
    below = ~(batch.mz >= batch.precursor_mz[:, None] - 0.5)
    weight = torch.where(batch.mask & below, batch.intensity.sqrt() * (batch.mz / 200).sqrt().float(), 0.0)
    neutral = (batch.mz - batch.polarity[:, None] * PROTON_MASS).clamp(min=0)
    columns, shares = two_nearest(neutral, weight, bins_per_da=table.bins_per_da)
    return SparseBatch.from_padded(hashed(columns, width=table.width), shares)
