"""Pairs of peaks whose m/z differ by the mass of a small molecule or radical that is known to be lost."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from diptych.encoders.spectra.peak_batch import PeakBatch
from diptych.spectra.masses import monoisotopic_mass, parse_formula

# Losses that textbooks of mass spectrometry and large tables of spectra agree upon; new ones are added at the end.
LOSSES = (
    *("H", "H2", "CH2", "CH3", "CH4", "NH2", "NH3", "OH", "H2O", "F", "HF", "C2H2", "CN", "HCN", "CO", "N2", "C2H4"),
    *("CHO", "C2H5", "NO", "CH2O", "CH3N", "CH3O", "CH5N", "CH4O", "S", "H2S", "Cl", "HCl", "C3H4", "C2HN", "C2H3N"),
    *("C2H2O", "C3H6", "CHNO", "C2H3O", "C2H5N", "C3H7", "C3H8", "CO2", "N2O", "C2H4O", "CH2NO", "CH3NO", "C2H7N"),
    *("CHO2", "C2H5O", "NO2", "CH2O2", "HNO2", "C2H6O", "CH4S", "SO", "C4H8", "C4H9", "C2H3NO", "C3H6O", "C2H2O2"),
    *("C2H4O2", "CH4N2O", "C3H9N", "SO2", "H4O2", "C5H8", "C3H4O", "C3H4O2", "C3H6O2", "C6H6", "C7H8", "Br", "HBr"),
    *("HPO3", "H3PO4", "SO3", "I", "HI", "C5H8O4", "C6H10O4", "C6H10O5", "C6H8O6", "C7H4O", "C9H6O2", "C2H4N2"),
)
# A pair of masses that are each a little wrong; below m/z 200 it is more than the 10 ppm.
_SMALLEST_TOLERANCE_DA = 0.002


@dataclass(frozen=True, kw_only=True, eq=False)
class LossEdges:
    """Edges between nodes of a batch; node 0 of a spectrum is its precursor, node p + 1 its peak in slot p.

    Attributes
    ----------
    heavy, light
        int64, of shape (n_edges,): the two ends, as rows of the flattened nodes (n * (1 + n_slots)).
    kind
        int64, of shape (n_edges,): position in ``LOSSES``; ``len(LOSSES)`` for a precursor and a peak that are no known
        loss apart.
    """

    heavy: Tensor
    light: Tensor
    kind: Tensor

    def __len__(self) -> int:
        """Return the number of edges."""
        return len(self.kind)


def loss_masses(*, device: torch.device | None = None) -> Tensor:
    """Return float64 (n_losses,): the masses of ``LOSSES``, Da."""
    masses = [monoisotopic_mass(parse_formula(formula)) for formula in LOSSES]
    return torch.tensor(masses, dtype=torch.float64, device=device)


def loss_edges(batch: PeakBatch, masses: Tensor, *, tolerance_ppm: float) -> LossEdges:
    """Return the edges of spectra.

    Parameters
    ----------
    batch
        n spectra.
    masses
        float64, of shape (n_losses,), Da, of `loss_masses`.
    tolerance_ppm
        Largest difference of a loss from its mass, of the heavier m/z; 0.002 Da where that is more.

    Notes
    -----
    Peaks i and j have the edge l if |m_i - m_j - M_l| <= max(m_i ppm 1e-6, 0.002), l being the nearest of the masses;
    the precursor has an edge with every peak, l or "no known loss", so that no peak stands alone.
    """
    mz = torch.cat([batch.precursor_mz[:, None], batch.mz], dim=1)
    real = torch.nn.functional.pad(batch.mask, (1, 0), value=True)
    difference = mz[:, :, None] - mz[:, None, :]
    ascending, order = masses.sort()
    above = torch.searchsorted(ascending, difference.nan_to_num(-1.0)).clamp(max=len(masses) - 1)
    below = (above - 1).clamp(min=0)
    nearest = torch.where((difference - ascending[below]).abs() < (difference - ascending[above]).abs(), below, above)
    tolerance = (mz * (tolerance_ppm * 1e-6)).clamp(min=_SMALLEST_TOLERANCE_DA)[:, :, None]
    known = (difference - ascending[nearest]).abs() <= tolerance
    kind = torch.where(known, order[nearest], len(masses))
    joined = known & real[:, :, None] & real[:, None, :]
    joined[:, 0, 1:] = batch.mask
    row, heavy, light = joined.nonzero(as_tuple=True)
    start = row * mz.shape[1]
    return LossEdges(heavy=start + heavy, light=start + light, kind=kind[row, heavy, light])
