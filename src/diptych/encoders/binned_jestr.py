"""Spectrum tower of JESTR: 1 Da bins through three linear layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from diptych.encoders.ion_block import joined_with_ions, learned_dim
from diptych.encoders.ion_table import IonTable
from diptych.encoders.mass_bins import dense_bins
from diptych.encoders.output import EncoderOutput
from diptych.encoders.peak_batch import PeakBatch
from diptych.spectra.cleaning import CleaningSettings
from diptych.spectra.spectrum import Spectrum

_N_BINS = 1000
_LARGEST_INTENSITY = 999.0


class JestrSpectrumEncoder(nn.Module):
    """Bins of 1 Da -> three linear layers, as JESTR has them; neither precursor nor conditions are seen.

    Parameters
    ----------
    embedding_dim
        Length of the vectors, those of the ion table included. JESTR's is 512.
    ion_table
        Shared with the structure tower; None, as in JESTR, leaves that block out.
    ion_weight
        Weight of the ion block relative to the learned block.
    dropout
        Share left out after each of the three layers, the last included.
    cleaning
        What is removed from a spectrum first; by default nothing.

    Notes
    -----
    With I_p the intensity of peak p, scaled so that the largest is 999, and bin b = 0 ... 999 holding the peaks of
    b + 1 <= m/z < b + 2 (those below m/z 1 lie in the first)::

        x_b = log10(1 + sum_(p in b) I_p) / 3
        z = D(W_3 D(relu(W_2 D(relu(W_1 x + b_1)) + b_2)) + b_3)

    with D dropout, hidden layers twice as long as z, and z brought to unit length: the bins, the layers and 0.4 for
    D are those of Kalia et al., "JESTR", doi:10.48550/arXiv.2411.14464, and of the code published with it.
    """

    def __init__(
        self,
        *,
        embedding_dim: int,
        ion_table: IonTable | None = None,
        ion_weight: float = 2.0,
        dropout: float = 0.4,
        cleaning: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.embedding_dim = embedding_dim
        self.cleaning = CleaningSettings.from_dict(cleaning or {})
        self.ion_table, self.ion_weight, self.dropout = ion_table, ion_weight, dropout
        dim = learned_dim(embedding_dim, ion_table)
        self.layers = nn.Sequential(
            *(nn.Linear(_N_BINS, 2 * dim), nn.ReLU(), nn.Dropout(dropout)),
            *(nn.Linear(2 * dim, 2 * dim), nn.ReLU(), nn.Dropout(dropout)),
            *(nn.Linear(2 * dim, dim), nn.Dropout(dropout)),
        )

    def settings(self) -> dict[str, Any]:
        """Return what the tower was built with."""
        return {"ion_weight": self.ion_weight, "dropout": self.dropout, "cleaning": self.cleaning.to_dict()}

    def collate(self, spectra: Sequence[Spectrum]) -> PeakBatch:
        """Return cleaned spectra as one batch."""
        return PeakBatch.cleaned(spectra, self.cleaning)

    def forward(self, batch: PeakBatch) -> EncoderOutput:
        """Return unit vectors, (n, embedding_dim)."""
        learned = self.layers(jestr_bins(batch))
        return joined_with_ions(learned, batch, self.ion_table, ion_weight=self.ion_weight)


def jestr_bins(batch: PeakBatch) -> Tensor:
    """Return float32 (n, 1000): the logarithm of the summed intensities of each bin of 1 Da, about 0 to 1."""
    intensity = torch.where(batch.mask, batch.intensity * _LARGEST_INTENSITY, 0.0)
    summed = dense_bins((batch.mz - 1).clamp(min=0), intensity, width=_N_BINS)
    return torch.log10(1 + summed) / 3
