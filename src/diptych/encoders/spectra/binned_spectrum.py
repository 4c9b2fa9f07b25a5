"""Spectrum tower: binned peaks and neutral losses with the acquisition conditions, and the masses of its ions."""

from __future__ import annotations

from typing import Unpack

import torch
from torch import nn

from diptych.encoders.output import EncoderOutput
from diptych.encoders.residual_mlp import ResidualMLP
from diptych.encoders.sparse_sum import sparse_sum
from diptych.encoders.spectra.conditions import N_CONDITIONS, condition_numbers
from diptych.encoders.spectra.mass_bins import COARSE_WIDTH, peak_and_loss_bins
from diptych.encoders.spectra.peak_batch import ADDUCTS, INSTRUMENT_CLASSES, PeakBatch
from diptych.encoders.spectra.spectrum_tower import SharedOptions, SpectrumTower


class BinnedSpectrumEncoder(SpectrumTower):
    """Bins of peaks and neutral losses -> MLP, beside the sum of the ion vectors of the peaks.

    Parameters
    ----------
    fine_bins_per_da, fine_width
        Fine bins of peaks and losses (each peak shared linearly between its two nearest), and how many columns they
        are hashed to. Beside them stand coarse bins of a quarter of a Da up to 1000.
    bin_dim
        Length of the vector of a bin.
    hidden_dim, dropout
        Of the MLP.
    shared
        Of `SpectrumTower`.

    Notes
    -----
    With w_p = sqrt(I_p) for peak p of relative intensity I_p, M the precursor m/z, and T the vectors of bins::

        s = sum_p w_p sum_(m in {m_p, M - m_p}) ((1 - u) T[hash(b)] + u T[hash(b + 1)] + T[coarse(m)])
        z = MLP(W s + V_2 gelu(V_1 [q, e_adduct, e_instrument] + c_1) + c_2)

    where b and u are the whole part and the rest of m in fine bins, coarse(m) is the bin of a quarter of a Da, bins of
    losses are others than those of peaks, losses at or below zero are left out, q is what `condition_numbers` says, e
    are learned vectors, MLP is `ResidualMLP`, and z is brought to unit length. Hashing columns: Weinberger et al.,
    doi:10.1145/1553374.1553516, here without signs; normalised layers: Ba et al., doi:10.48550/arXiv.1607.06450;
    residual ones: He et al., doi:10.48550/arXiv.1512.03385.
    """

    def __init__(
        self,
        *,
        fine_bins_per_da: int = 100,
        fine_width: int = 16384,
        bin_dim: int = 192,
        hidden_dim: int = 1024,
        dropout: float = 0.3,
        **shared: Unpack[SharedOptions],
    ) -> None:
        super().__init__(**shared)
        self.fine_bins_per_da, self.fine_width = fine_bins_per_da, fine_width
        self.bin_dim, self.hidden_dim, self.dropout = bin_dim, hidden_dim, dropout
        self.bins = nn.Parameter(torch.randn(fine_width + 2 * COARSE_WIDTH, bin_dim) * 0.05)
        self.adducts = nn.Embedding(len(ADDUCTS), 16)
        self.instruments = nn.Embedding(len(INSTRUMENT_CLASSES), 16)
        self.conditions = nn.Sequential(nn.Linear(N_CONDITIONS + 32, 128), nn.GELU(), nn.Linear(128, hidden_dim))
        self.peaks = nn.Linear(bin_dim, hidden_dim, bias=False)
        self.mlp = ResidualMLP(hidden_dim=hidden_dim, output_dim=self.learned_dim, dropout=dropout)

    def forward(self, batch: PeakBatch) -> EncoderOutput:
        """Return unit vectors, (n, embedding_dim)."""
        names = self.adducts(batch.adduct), self.instruments(batch.instrument)
        conditions = self.conditions(torch.cat([condition_numbers(batch), *names], 1))
        weight = torch.where(batch.mask, batch.intensity.sqrt(), 0.0)
        bins = peak_and_loss_bins(batch, weight, fine_bins_per_da=self.fine_bins_per_da, fine_width=self.fine_width)
        learned = self.mlp(conditions + self.peaks(sparse_sum(bins, self.bins)))
        return self.encoder_output(learned, batch)
