"""Spectrum tower: the whole spectrum joined with each of its m/z intervals, of which any may be missing."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import fields
from typing import Unpack

import torch
from torch import Tensor, nn
from torch.nn import functional

from diptych.encoders.output import EncoderOutput
from diptych.encoders.residual_mlp import ResidualMLP
from diptych.encoders.sparse_sum import sparse_sum
from diptych.encoders.spectra.conditions import AcquisitionConditions
from diptych.encoders.spectra.mass_bins import COARSE_WIDTH, peak_and_loss_bins
from diptych.encoders.spectra.peak_batch import PeakBatch
from diptych.encoders.spectra.spectrum_tower import SharedOptions, SpectrumTower
from diptych.errors import ConfigError


class MultiScaleSpectrumEncoder(SpectrumTower):
    """The binned whole attends to the binned m/z intervals that hold peaks -> MLP, with the acquisition conditions.

    Parameters
    ----------
    boundaries
        m/z (Th), ascending, at which one interval ends and the next begins; the first and the last are open.
    range_dropout
        Share of intervals whose peaks are withheld in training, from the whole too, as if they had not been measured.
    fine_bins_per_da, fine_width, bin_dim
        Of the bins, as in the tower ``binned-mlp``.
    hidden_dim, dropout
        Of the MLP.
    shared
        Of `SpectrumTower`.

    Raises
    ------
    ConfigError
        The boundaries do not ascend, or ``range_dropout`` is not a share below 1.

    Notes
    -----
    With s = 0 the whole, s = 1 ... S the intervals, I_ps the intensity of peak p relative to the largest of s, and T
    the vectors of bins of m/z and neutral loss::

        h_s = gelu(LN(W sum_(p in s) sqrt(I_ps) T[p] + e_s + c)),  c the acquisition conditions
        a_s = softmax_s((Q h_0) . (K h_s) / sqrt(d)) over the intervals with peaks
        x = MLP(h_0 + V sum_s a_s h_s)

    so that an interval's h_s depends on its own peaks alone, and one without peaks leaves the others as they are
    (attention: doi:10.48550/arXiv.1706.03762; withheld ranges: SpecAugment, doi:10.48550/arXiv.1904.08779).
    """

    limits: Tensor

    def __init__(
        self,
        *,
        boundaries: Sequence[float] = (80.0, 120.0, 180.0, 260.0, 400.0),
        range_dropout: float = 0.1,
        fine_bins_per_da: int = 100,
        fine_width: int = 16384,
        bin_dim: int = 128,
        hidden_dim: int = 512,
        dropout: float = 0.3,
        **shared: Unpack[SharedOptions],
    ) -> None:
        super().__init__(**shared)
        _check(boundaries, range_dropout=range_dropout)
        self.boundaries, self.range_dropout = tuple(boundaries), range_dropout
        self.fine_bins_per_da, self.fine_width = fine_bins_per_da, fine_width
        self.bin_dim, self.hidden_dim, self.dropout = bin_dim, hidden_dim, dropout
        limits = torch.tensor([-torch.inf, *self.boundaries, torch.inf], dtype=torch.float64)
        self.register_buffer("limits", limits, persistent=False)
        self.bins = nn.Parameter(torch.randn(fine_width + 2 * COARSE_WIDTH, bin_dim) * 0.05)
        self.peaks = nn.Linear(bin_dim, hidden_dim, bias=False)
        self.scales = nn.Parameter(torch.randn(len(self.boundaries) + 2, hidden_dim) * 0.05)
        self.conditions = AcquisitionConditions(dim=hidden_dim)
        self.norm = nn.LayerNorm(hidden_dim)
        self.query, self.key, self.value = (nn.Linear(hidden_dim, hidden_dim, bias=False) for _ in range(3))
        self.mlp = ResidualMLP(hidden_dim=hidden_dim, output_dim=self.learned_dim, dropout=dropout)

    def forward(self, batch: PeakBatch) -> EncoderOutput:
        """Return unit vectors, (n, embedding_dim), and one of every interval, (n, n_intervals, learned_dim)."""
        weights = self._scale_weights(batch)
        present = (weights[:, 1:] > 0).any(dim=2)
        hidden = self._hidden(batch, weights)
        whole, intervals = hidden[:, 0], hidden[:, 1:]
        shares = attention_shares(self.query(whole), self.key(intervals), present)
        joined = whole + self.value((shares[..., None] * intervals).sum(dim=1))
        return self.encoder_output(self.mlp(joined), batch, tokens=self.mlp(intervals), mask=present)

    def _scale_weights(self, batch: PeakBatch) -> Tensor:
        """Return float32 (n, 1 + n_intervals, n_slots): what each peak counts in the whole and in each interval."""
        mz, limits = batch.mz[:, None], self.limits[:, None]
        inside = (mz >= limits[:-1]) & (mz < limits[1:]) & batch.mask[:, None]
        if self.training and self.range_dropout:
            measured = torch.rand(inside.shape[:2], device=inside.device) >= self.range_dropout
            inside = inside & measured[..., None]
        inside = torch.cat([inside.any(dim=1, keepdim=True), inside], dim=1)
        intensity = torch.where(inside, batch.intensity[:, None], 0.0)
        tiny = torch.finfo(torch.float32).tiny
        relative = intensity / intensity.amax(dim=2, keepdim=True).clamp(min=tiny)
        # A square root has no slope at 0, where the gradient of peaks that are elsewhere would be lost.
        return torch.where(inside, relative.clamp(min=tiny).sqrt(), 0.0)

    def _hidden(self, batch: PeakBatch, weights: Tensor) -> Tensor:
        """Return (n, 1 + n_intervals, hidden_dim)."""
        n_scales = weights.shape[1]
        repeated = {field.name: getattr(batch, field.name).repeat_interleave(n_scales, 0) for field in fields(batch)}
        bins = peak_and_loss_bins(
            PeakBatch(**repeated),
            weights.flatten(0, 1),
            fine_bins_per_da=self.fine_bins_per_da,
            fine_width=self.fine_width,
        )
        sums = self.peaks(sparse_sum(bins, self.bins)).view(len(batch), n_scales, -1)
        hidden: Tensor = functional.gelu(self.norm(sums + self.scales + self.conditions(batch)[:, None]))
        return hidden


def attention_shares(query: Tensor, keys: Tensor, present: Tensor) -> Tensor:
    """Return (n, n_keys): the softmax over the keys that are present; all zero where none is.

    Parameters
    ----------
    query
        Of shape (n, dim).
    keys
        Of shape (n, n_keys, dim).
    present
        Bool, of shape (n, n_keys).
    """
    scores = (query[:, None] * keys).sum(dim=2).float() / query.shape[1] ** 0.5
    scores = scores.masked_fill(~present, torch.finfo(torch.float32).min)
    shares: Tensor = scores.softmax(dim=1) * present
    return shares


def _check(boundaries: Sequence[float], *, range_dropout: float) -> None:
    if not boundaries or any(first >= second for first, second in itertools.pairwise(boundaries)):
        raise ConfigError(f"multi-scale: boundaries are {list(boundaries)}; expected m/z in ascending order")
    if not 0 <= range_dropout < 1:
        raise ConfigError(f"multi-scale: range_dropout is {range_dropout}; expected a share from 0 to below 1")
