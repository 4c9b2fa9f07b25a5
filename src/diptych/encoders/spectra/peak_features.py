"""What is seen of a peak by itself, for every tower in which peaks stand apart."""

from __future__ import annotations

import torch
from torch import Tensor

from diptych.encoders.spectra.mass_waves import mass_waves
from diptych.encoders.spectra.peak_batch import PeakBatch


def peak_features(batch: PeakBatch, lengths: Tensor) -> Tensor:
    """Return float32 (n, n_slots, 4 * count + 2): waves of m/z and of neutral loss, root of the intensity, intensity.

    Parameters
    ----------
    batch
        n spectra.
    lengths
        float64, of shape (count,), Da, of `wavelengths`.
    """
    parts = [
        mass_waves(batch.mz, lengths),
        mass_waves(batch.precursor_mz[:, None] - batch.mz, lengths),
        torch.stack([batch.intensity.sqrt(), batch.intensity], dim=-1),
    ]
    return torch.cat(parts, dim=-1)


def mean_of_peaks(vectors: Tensor, mask: Tensor) -> Tensor:
    """Return the mean over the peaks, (n, dim); zero where there are none."""
    return (vectors * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)
