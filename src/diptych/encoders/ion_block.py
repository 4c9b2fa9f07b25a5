"""The ion block: masses of a spectrum's peaks, or of a structure's fragments, in the table that both towers share."""

from __future__ import annotations

import torch
from torch import Tensor

from diptych.encoders.ion_table import IonTable
from diptych.encoders.output import EncoderOutput, joined_blocks
from diptych.encoders.sparse_sum import SparseBatch
from diptych.encoders.spectra.mass_bins import hashed, two_nearest
from diptych.encoders.spectra.peak_batch import PeakBatch
from diptych.molecules.fragmentation import FragmentFeaturiser
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
    ions = None if table is None else table(ion_bins(batch, table))
    return _joined(learned, ions, ion_weight=ion_weight)


def joined_with_fragments(
    learned: Tensor, fragments: SparseBatch | None, table: IonTable | None, *, ion_weight: float, class_weights: Tensor
) -> EncoderOutput:
    """Return unit vectors of the learned block, and of the ion block beside it where there is a table.

    Parameters
    ----------
    learned
        Float32, of shape (n, learned_dim).
    fragments
        n sparse rows of fragment masses, valued by fragment class; None leaves the ion block out.
    table
        Shared by both towers; None leaves the ion block out.
    ion_weight
        Weight of the ion block relative to the learned block.
    class_weights
        Float32, of shape (N_FRAGMENT_CLASSES,): what a fragment of each class counts.
    """
    if table is None or fragments is None:
        return _joined(learned, None, ion_weight=ion_weight)
    values = class_weights[fragments.values.long()]
    weighted = SparseBatch(columns=fragments.columns, offsets=fragments.offsets, values=values)
    return _joined(learned, table(weighted), ion_weight=ion_weight)


def fragment_featuriser(table: IonTable | None) -> FragmentFeaturiser | None:
    """Return what makes fragment masses in the bins of the table; None without one."""
    return None if table is None else FragmentFeaturiser(bins_per_da=table.bins_per_da, width=table.width)


def _joined(learned: Tensor, ions: Tensor | None, *, ion_weight: float) -> EncoderOutput:
    return joined_blocks([learned], [1.0]) if ions is None else joined_blocks([learned, ions], [1.0, ion_weight])


def ion_bins(batch: PeakBatch, table: IonTable) -> SparseBatch:
    """Return the bins of neutral fragment mass: the peak's less (or plus) a proton; the precursor left out."""
    below = ~(batch.mz >= batch.precursor_mz[:, None] - 0.5)
    weight = torch.where(batch.mask & below, batch.intensity.sqrt() * (batch.mz / 200).sqrt().float(), 0.0)
    neutral = (batch.mz - batch.polarity[:, None] * PROTON_MASS).clamp(min=0)
    columns, shares = two_nearest(neutral, weight, bins_per_da=table.bins_per_da)
    return SparseBatch.from_padded(hashed(columns, width=table.width), shares)
