"""Spectrum tower: convolutions along the m/z axis of the binned spectrum and of its neutral losses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import torch
from torch import Tensor, nn

from diptych.encoders.output import EncoderOutput
from diptych.encoders.residual_mlp import ResidualMLP
from diptych.encoders.spectra.conditions import AcquisitionConditions
from diptych.encoders.spectra.mass_bins import dense_bins
from diptych.encoders.spectra.peak_batch import PeakBatch
from diptych.encoders.spectra.spectrum_tower import SharedOptions, SpectrumTower
from diptych.errors import ConfigError

_MAX_MZ = 1000
# Layers of so many spectra fit the caches of a processor: two to five times as fast as 64 or 256 at once.
_CPU_SPECTRA = 8


class ConvolutionalSpectrumEncoder(SpectrumTower):
    """Binned peaks and neutral losses -> convolutions with pooling -> MLP, with the acquisition conditions.

    Parameters
    ----------
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
    hidden_dim, dropout, shared
        Of the MLP, and of `SpectrumTower`.

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
        bins_per_da: int = 10,
        channels: Sequence[int] = (32, 64, 128),
        kernel_size: int = 7,
        pooling: int = 4,
        segments: int = 16,
        hidden_dim: int = 512,
        dropout: float = 0.3,
        **shared: Unpack[SharedOptions],
    ) -> None:
        super().__init__(**shared)
        _check(bins_per_da * _MAX_MZ, n_layers=len(channels), pooling=pooling, segments=segments, kernel=kernel_size)
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
        self.mlp = ResidualMLP(hidden_dim=hidden_dim, output_dim=self.learned_dim, dropout=dropout)

    def forward(self, batch: PeakBatch) -> EncoderOutput:
        """Return unit vectors, (n, embedding_dim)."""
        pooled = self._pooled(peak_and_loss_channels(batch, bins_per_da=self.bins_per_da))
        learned = self.mlp(self.joined(pooled) + self.conditions(batch))
        return self.encoder_output(learned, batch)

    def _pooled(self, channels: Tensor) -> Tensor:
        """Return what the convolutions keep of each spectrum, (n, channels * segments); no spectrum sees another."""
        at_a_time = _CPU_SPECTRA if channels.device.type == "cpu" else max(1, len(channels))
        return torch.cat([self.layers(some) for some in torch.split(channels, at_a_time)])


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
