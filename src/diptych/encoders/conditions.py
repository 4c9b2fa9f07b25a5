"""How a spectrum was acquired, as numbers."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from diptych.encoders.peak_batch import ADDUCTS, INSTRUMENT_CLASSES, PeakBatch

_PRECURSOR_WAVELENGTHS = (1.0, 0.5, 0.25, 0.125, 0.0625, 6.4, 25.6, 102.4, 409.6, 1638.4)
N_CONDITIONS = 4 + 2 * len(_PRECURSOR_WAVELENGTHS)
_NAME_DIM, _HIDDEN_DIM = 16, 128


class AcquisitionConditions(nn.Module):
    """Adduct, instrument class, polarity, collision energy and precursor m/z as one learned vector.

    Parameters
    ----------
    dim
        Length of the vector.
    """

    def __init__(self, *, dim: int) -> None:
        super().__init__()
        self.adducts = nn.Embedding(len(ADDUCTS), _NAME_DIM)
        self.instruments = nn.Embedding(len(INSTRUMENT_CLASSES), _NAME_DIM)
        self.numbers = nn.Sequential(
            nn.Linear(N_CONDITIONS + 2 * _NAME_DIM, _HIDDEN_DIM), nn.GELU(), nn.Linear(_HIDDEN_DIM, dim)
        )

    def forward(self, batch: PeakBatch) -> Tensor:
        """Return (n, dim)."""
        parts = [condition_numbers(batch), self.adducts(batch.adduct), self.instruments(batch.instrument)]
        vector: Tensor = self.numbers(torch.cat(parts, dim=1))
        return vector


def condition_numbers(batch: PeakBatch) -> Tensor:
    """Return polarity, collision energy, and the precursor m/z in waves from a whole spectrum down to a mass defect.

    Float32, of shape (n, N_CONDITIONS); an unknown precursor or energy counts as 0, and that of energies is told.
    """
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
