"""Spectrum tower of JESTR: 1 Da bins through three linear layers."""

from __future__ import annotations

from typing import ClassVar, Unpack

import torch
from torch import Tensor, nn

from diptych.encoders.output import EncoderOutput
from diptych.encoders.spectra.mass_bins import dense_bins
from diptych.encoders.spectra.peak_batch import PeakBatch
from diptych.encoders.spectra.spectrum_tower import SharedOptions, SpectrumTower
from diptych.spectra.cleaning import CleaningSettings

_N_BINS = 1000
_LARGEST_INTENSITY = 999.0


class JestrSpectrumEncoder(SpectrumTower):
    """Bins of 1 Da -> three linear layers, as JESTR has them; neither precursor nor conditions are seen.

    Parameters
    ----------
    dropout
        Share left out after each of the three layers, the last included.
    shared
        Of `SpectrumTower`. JESTR's vectors have 512 numbers and no ion block, and it removes nothing from a spectrum.

    Notes
    -----
    With I_p the intensity of peak p, scaled so that the largest is 999, and bin b = 0 ... 999 holding the peaks of
    b + 1 <= m/z < b + 2 (those below m/z 1 lie in the first)::

        x_b = log10(1 + sum_(p in b) I_p) / 3
        z = D(W_3 D(relu(W_2 D(relu(W_1 x + b_1)) + b_2)) + b_3)

    with D dropout, hidden layers twice as long as z, and z brought to unit length: the bins, the layers and 0.4 for
    D are those of Kalia et al., "JESTR", doi:10.48550/arXiv.2411.14464, and of the code published with it.
    """

    default_cleaning: ClassVar[CleaningSettings] = CleaningSettings()

    def __init__(self, *, dropout: float = 0.4, **shared: Unpack[SharedOptions]) -> None:
        super().__init__(**shared)
        self.dropout = dropout
        dim = self.learned_dim
        self.layers = nn.Sequential(
            *(nn.Linear(_N_BINS, 2 * dim), nn.ReLU(), nn.Dropout(dropout)),
            *(nn.Linear(2 * dim, 2 * dim), nn.ReLU(), nn.Dropout(dropout)),
            *(nn.Linear(2 * dim, dim), nn.Dropout(dropout)),
        )

    def forward(self, batch: PeakBatch) -> EncoderOutput:
        """Return unit vectors, (n, embedding_dim)."""
        learned = self.layers(jestr_bins(batch))
        return self.encoder_output(learned, batch)


def jestr_bins(batch: PeakBatch) -> Tensor:
    """Return float32 (n, 1000): the logarithm of the summed intensities of each bin of 1 Da, about 0 to 1."""
    intensity = torch.where(batch.mask, batch.intensity * _LARGEST_INTENSITY, 0.0)
    summed = dense_bins((batch.mz - 1).clamp(min=0), intensity, width=_N_BINS)
    return torch.log10(1 + summed) / 3
