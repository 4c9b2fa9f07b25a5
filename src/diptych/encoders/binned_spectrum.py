"""Spectrum tower: binned peaks and neutral losses with the acquisition conditions, and the masses of its ions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from diptych.encoders.ion_table import IonTable
from diptych.encoders.output import EncoderOutput, joined_blocks
from diptych.encoders.peak_batch import ADDUCTS, INSTRUMENT_CLASSES, PeakBatch
from diptych.encoders.residual_mlp import ResidualMLP
from diptych.encoders.sparse_sum import SparseBatch, sparse_sum
from diptych.spectra.binning import hash_bins
from diptych.spectra.cleaning import CleaningSettings, clean
from diptych.spectra.masses import PROTON_MASS
from diptych.spectra.spectrum import Spectrum

DEFAULT_CLEANING = CleaningSettings(precursor_margin=0.5, min_relative_intensity=0.0009, max_peaks=80)
_COARSE_BINS_PER_DA = 4
_MAX_MZ = 1000
_COARSE_WIDTH = _COARSE_BINS_PER_DA * _MAX_MZ
_LOSS_SALT = 1 << 24  # bins of losses start above those of peaks, so that the two hash apart
_PRECURSOR_WAVELENGTHS = (1.0, 0.5, 0.25, 0.125, 0.0625, 6.4, 25.6, 102.4, 409.6, 1638.4)
_N_CONDITIONS = 4 + 2 * len(_PRECURSOR_WAVELENGTHS)


class BinnedSpectrumEncoder(nn.Module):
    """Bins of peaks and neutral losses -> MLP, beside the sum of the ion vectors of the peaks.

    Parameters
    ----------
    embedding_dim
        Length of the vectors, those of the ion table included.
    ion_table
        Shared with the structure tower; None leaves that block out.
    ion_weight
        Weight of the ion block relative to the learned block.
    fine_bins_per_da, fine_width
        Fine bins of peaks and losses (each peak shared linearly between its two nearest), and how many columns they
        are hashed to. Beside them stand coarse bins of a quarter of a Da up to 1000.
    bin_dim
        Length of the vector of a bin.
    hidden_dim, dropout
        Of the MLP.
    cleaning
        What is removed from a spectrum first.
    """

    def __init__(
        self,
        *,
        embedding_dim: int,
        ion_table: IonTable | None = None,
        ion_weight: float = 2.0,
        fine_bins_per_da: int = 100,
        fine_width: int = 16384,
        bin_dim: int = 192,
        hidden_dim: int = 1024,
        dropout: float = 0.3,
        cleaning: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.embedding_dim = embedding_dim
        self.cleaning = CleaningSettings.from_dict(cleaning) if cleaning is not None else DEFAULT_CLEANING
        self.ion_table, self.ion_weight = ion_table, ion_weight
        self.fine_bins_per_da, self.fine_width = fine_bins_per_da, fine_width
        self.bin_dim, self.hidden_dim, self.dropout = bin_dim, hidden_dim, dropout
        self.bins = nn.Parameter(torch.randn(fine_width + 2 * _COARSE_WIDTH, bin_dim) * 0.05)
        self.adducts = nn.Embedding(len(ADDUCTS), 16)
        self.instruments = nn.Embedding(len(INSTRUMENT_CLASSES), 16)
        self.conditions = nn.Sequential(nn.Linear(_N_CONDITIONS + 32, 128), nn.GELU(), nn.Linear(128, hidden_dim))
        self.peaks = nn.Linear(bin_dim, hidden_dim, bias=False)
        learned_dim = embedding_dim - (ion_table.dim if ion_table else 0)
        self.mlp = ResidualMLP(hidden_dim=hidden_dim, output_dim=learned_dim, dropout=dropout)

    def settings(self) -> dict[str, Any]:
        """Return what the tower was built with."""
        return {
            "ion_weight": self.ion_weight,
            "fine_bins_per_da": self.fine_bins_per_da,
            "fine_width": self.fine_width,
            "bin_dim": self.bin_dim,
            "hidden_dim": self.hidden_dim,
            "dropout": self.dropout,
            "cleaning": self.cleaning.to_dict(),
        }

    def collate(self, spectra: Sequence[Spectrum]) -> PeakBatch:
        """Return cleaned spectra as one batch."""
        return PeakBatch.from_spectra([clean(spectrum, self.cleaning) for spectrum in spectra])

    def forward(self, batch: PeakBatch) -> EncoderOutput:
        """Return unit vectors, (n, embedding_dim)."""
        conditions = torch.cat([_conditions(batch), self.adducts(batch.adduct), self.instruments(batch.instrument)], 1)
        hidden = self.conditions(conditions) + self.peaks(sparse_sum(self._binned(batch), self.bins))
        blocks, weights = [self.mlp(hidden)], [1.0]
        if self.ion_table is not None:
            blocks.append(self.ion_table(self._ions(batch, self.ion_table)))
            weights.append(self.ion_weight)
        return joined_blocks(blocks, weights)

    def _binned(self, batch: PeakBatch) -> SparseBatch:
        weight = torch.where(batch.mask, batch.intensity.sqrt(), 0.0)
        loss = batch.precursor_mz[:, None] - batch.mz
        loss_weight = torch.where(loss > 0, weight, 0.0)
        parts = []
        for mass, share, salt, coarse_start in (
            (batch.mz, weight, 0, self.fine_width),
            (loss, loss_weight, _LOSS_SALT, self.fine_width + _COARSE_WIDTH),
        ):
            mass = torch.where(share > 0, mass, 0.0)
            columns, shares = _two_nearest(mass, share, bins_per_da=self.fine_bins_per_da)
            parts.append((_hashed(columns + salt, width=self.fine_width), shares))
            coarse = (mass * _COARSE_BINS_PER_DA).long().clamp(max=_COARSE_WIDTH - 1)
            parts.append((coarse + coarse_start, share))
        return SparseBatch.from_padded(torch.cat([c for c, _ in parts], 1), torch.cat([v for _, v in parts], 1))

    def _ions(self, batch: PeakBatch, table: IonTable) -> SparseBatch:
        """Return the bins of neutral fragment mass: the peak's less (or plus) a proton; the precursor left out."""
        below = ~(batch.mz >= batch.precursor_mz[:, None] - 0.5)
        weight = torch.where(batch.mask & below, batch.intensity.sqrt() * (batch.mz / 200).sqrt().float(), 0.0)
        neutral = (batch.mz - batch.polarity[:, None] * PROTON_MASS).clamp(min=0)
        columns, shares = _two_nearest(neutral, weight, bins_per_da=table.bins_per_da)
        return SparseBatch.from_padded(_hashed(columns, width=table.width), shares)


def _two_nearest(mass: Tensor, weight: Tensor, *, bins_per_da: int) -> tuple[Tensor, Tensor]:
    """Return the two bins that each mass lies between and its weight shared linearly, each of twice the width."""
    position = mass * bins_per_da
    lower = position.floor()
    share = (position - lower).float()
    columns = torch.cat([lower.long(), lower.long() + 1], dim=1)
    return columns, torch.cat([weight * (1 - share), weight * share], dim=1)


def _hashed(bins: Tensor, *, width: int) -> Tensor:
    columns: Tensor = hash_bins(bins, width=width)
    return columns


def _conditions(batch: PeakBatch) -> Tensor:
    """Return polarity, collision energy, and the precursor m/z in waves from a whole spectrum down to a mass defect."""
    energy = batch.collision_energy
    precursor = torch.nan_to_num(batch.precursor_mz)
    waves = [
        wave(2 * math.pi * precursor / length).float()
        for length in _PRECURSOR_WAVELENGTHS
        for wave in (torch.sin, torch.cos)
    ]
    known = torch.isfinite(energy)
    columns = [batch.polarity, precursor.float() / 500, torch.where(known, energy, 0.0) / 50, known.float(), *waves]
    return torch.stack(columns, dim=1)
