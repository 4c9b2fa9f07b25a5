"""How a spectrum was acquired, as numbers."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from diptych.encoders.spectra.peak_batch import ADDUCTS, INSTRUMENT_CLASSES, PeakBatch

_PRECURSOR_WAVELENGTHS = (1.0, 0.5, 0.25, 0.125, 0.0625, 6.4, 25.6, 102.4, 409.6, 1638.4)
N_CONDITIONS = 4 + 2 * len(_PRECURSOR_WAVELENGTHS)
_NAME_DIM, _HIDDEN_DIM = 16, 128
# The strongest of beam-type and trap instruments; what is stated above it (kilovolts of MALDI-TOF/TOF) counts as this.
HIGHEST_ENERGY_EV = 400.0


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


def stated_energy(batch: PeakBatch) -> tuple[Tensor, Tensor]:
    """Return where the collision energy is known, bool, and it in eV, float32, both (n,): 0 to 400, 0 where unknown."""
    known = torch.isfinite(batch.collision_energy)
    return known, torch.where(known, batch.collision_energy, 0.0).clamp(0.0, HIGHEST_ENERGY_EV)


def condition_numbers(batch: PeakBatch) -> Tensor:
    """Return polarity, collision energy, and the precursor m/z in waves from a whole spectrum down to a mass defect.

    Float32, of shape (n, N_CONDITIONS); an unknown precursor or energy counts as 0, and that of energies is told.
    """
    known, energy = stated_energy(batch)
    precursor = torch.nan_to_num(batch.precursor_mz)
    waves = [
        wave(2 * math.pi * precursor / length).float()
        for length in _PRECURSOR_WAVELENGTHS
        for wave in (torch.sin, torch.cos)
    ]
    columns = [batch.polarity, precursor.float() / 500, energy / 50, known.float(), *waves]
    return torch.stack(columns, dim=1)
