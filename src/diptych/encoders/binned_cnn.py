"""Spectrum tower: convolutions along the m/z axis of the binned spectrum and of its neutral losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from diptych.encoders.conditions import AcquisitionConditions
from diptych.encoders.ion_block import joined_with_ions, learned_dim
from diptych.encoders.ion_table import IonTable
from diptych.encoders.mass_bins import dense_bins
from diptych.encoders.output import EncoderOutput
from diptych.encoders.peak_batch import DEFAULT_CLEANING, PeakBatch
from diptych.encoders.residual_mlp import ResidualMLP
from diptych.errors import ConfigError
from diptych.spectra.cleaning import CleaningSettings
from diptych.spectra.spectrum import Spectrum

_MAX_MZ = 1000


class ConvolutionalSpectrumEncoder(nn.Module):
    """Binned peaks and neutral losses -> convolutions with pooling -> MLP, with the acquisition conditions.

    Parameters
    ----------
    embedding_dim
        Length of the vectors, those of the ion table included.
    ion_table
        Shared with the structure tower; None leaves that block out.
    ion_weight
        Weight of the ion block relative to the learned block.
    bins_per_da
        Bins of peaks and of losses, from 0 to 1000 Da.
    channels
        Channels of each convolution.
    kernel_size
        Bins that a convolution sees, an odd number.
    pooling
        Neighbours of which each layer keeps the largest value.
    segments
        Parts of the m/z axis that are told apart in the end; of each the largest values are kept.
    hidden_dim, dropout
        Of the MLP.
    cleaning
        What is removed from a spectrum first.

    Raises
    ------
    ConfigError
        The layers pool the axis to fewer positions than there are segments, or the kernel is even.

    Notes
    -----
    x_0 holds two channels: in bin b the sums of sqrt(I_p) over peaks and over their losses from the precursor. Then
    x_(l+1) = gelu(norm(maxpool(W_l * x_l + b_l))), * the cross-correlation along m/z (LeCun et al.,
    doi:10.1109/5.726791) and norm over all channels and positions of a spectrum (group normalisation with one group,
    doi:10.48550/arXiv.1803.08494).
    """

    def __init__(
        self,
        *,
        embedding_dim: int,
        ion_table: IonTable | None = None,
        ion_weight: float = 2.0,
        bins_per_da: int = 10,
        channels: Sequence[int] = (32, 64, 128),
        kernel_size: int = 7,
        pooling: int = 4,
        segments: int = 16,
        hidden_dim: int = 512,
        dropout: float = 0.3,
        cleaning: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        _check(bins_per_da * _MAX_MZ, n_layers=len(channels), pooling=pooling, segments=segments, kernel=kernel_size)
        self.embedding_dim = embedding_dim
        self.cleaning = CleaningSettings.from_dict(cleaning) if cleaning is not None else DEFAULT_CLEANING
        self.ion_table, self.ion_weight = ion_table, ion_weight
        self.bins_per_da, self.channels = bins_per_da, tuple(channels)
        self.kernel_size, self.pooling, self.segments = kernel_size, pooling, segments
        self.hidden_dim, self.dropout = hidden_dim, dropout
        layers: list[nn.Module] = []
        for n_in, n_out in zip((2, *self.channels), self.channels, strict=False):
            convolution = nn.Conv1d(n_in, n_out, kernel_size, padding=kernel_size // 2)
            layers += [convolution, nn.MaxPool1d(pooling), nn.GroupNorm(1, n_out), nn.GELU()]
        self.layers = nn.Sequential(*layers, nn.AdaptiveMaxPool1d(segments), nn.Flatten())
        self.joined = nn.Linear((2, *self.channels)[-1] * segments, hidden_dim)
        self.conditions = AcquisitionConditions(dim=hidden_dim)
        self.mlp = ResidualMLP(hidden_dim=hidden_dim, output_dim=learned_dim(embedding_dim, ion_table), dropout=dropout)

    def settings(self) -> dict[str, Any]:
        """Return what the tower was built with."""
        return {
            "ion_weight": self.ion_weight,
            "bins_per_da": self.bins_per_da,
            "channels": list(self.channels),
            "kernel_size": self.kernel_size,
            "pooling": self.pooling,
            "segments": self.segments,
            "hidden_dim": self.hidden_dim,
            "dropout": self.dropout,
            "cleaning": self.cleaning.to_dict(),
        }

    def collate(self, spectra: Sequence[Spectrum]) -> PeakBatch:
        """Return cleaned spectra as one batch."""
        return PeakBatch.cleaned(spectra, self.cleaning)

    def forward(self, batch: PeakBatch) -> EncoderOutput:
        """Return unit vectors, (n, embedding_dim)."""
        pooled = self.layers(peak_and_loss_channels(batch, bins_per_da=self.bins_per_da))
        learned = self.mlp(self.joined(pooled) + self.conditions(batch))
        return joined_with_ions(learned, batch, self.ion_table, ion_weight=self.ion_weight)


def peak_and_loss_channels(batch: PeakBatch, *, bins_per_da: int) -> Tensor:
    """Return float32 (n, 2, 1000 * bins_per_da): roots of intensities summed in bins of m/z, and of neutral loss."""
    weight = torch.where(batch.mask, batch.intensity.sqrt(), 0.0)
    width = _MAX_MZ * bins_per_da
    loss = batch.precursor_mz[:, None] - batch.mz
    return torch.stack([dense_bins(mass * bins_per_da, weight, width=width) for mass in (batch.mz, loss)], dim=1)


def _check(width: int, *, n_layers: int, pooling: int, segments: int, kernel: int) -> None:
    if kernel % 2 == 0:
        raise ConfigError(f"binned-cnn: kernel_size is {kernel}; expected an odd number")
    left = width // pooling**n_layers
    if left < segments:
        raise ConfigError(
            f"binned-cnn: {n_layers} layers that pool by {pooling} leave {left} of {width} bins; expected at least as "
            f"many as segments, {segments}"
        )
