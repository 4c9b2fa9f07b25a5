"""Masses as sines and cosines of many wavelengths, so that a tower sees both where a mass lies and its last digits."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from diptych.errors import ConfigError


def wavelengths(shortest: float, longest: float, *, count: int) -> Tensor:
    """Return float64 (count,): wavelengths in Da, evenly spaced in their logarithm, both ends included.

    Raises
    ------
    ConfigError
        The shortest is not above 0, or not below the longest.

    Examples
    --------
    >>> wavelengths(0.01, 100.0, count=5).tolist()
    [0.01, 0.1, 1.0, 10.0, 100.0]
    """
    if not 0 < shortest < longest:
        raise ConfigError(f"wavelengths from {shortest} to {longest} Da; expected 0 < shortest < longest")
    exponents = torch.linspace(0, 1, count, dtype=torch.float64)
    return shortest * (longest / shortest) ** exponents


def mass_waves(mass: Tensor, lengths: Tensor) -> Tensor:
    """Return float32 (..., 2 * count): the sines, then the cosines; all zero where the mass is not finite.

    Parameters
    ----------
    mass
        Float64, of any shape, Da or Th.
    lengths
        Float64, of shape (count,), as `wavelengths` gives them.

    Notes
    -----
    sin(2 pi m / lambda_k), cos(2 pi m / lambda_k): the multi-scale sinusoidal embedding of Voronov et al.,
    doi:10.48550/arXiv.2207.02980, used with Fourier features of chosen frequencies in DreaMS,
    doi:10.1038/s41587-025-02663-3.

    Examples
    --------
    >>> mass_waves(torch.tensor([0.25], dtype=torch.float64), torch.tensor([1.0], dtype=torch.float64)).round().tolist()
    [[1.0, -0.0]]
    """
    known = torch.isfinite(mass)
    turns = torch.where(known, mass, 0.0)[..., None] / lengths
    # Whole turns are taken off in double precision; what is left is small enough for the fast single precision sine.
    phase = (turns - turns.round()).float() * (2 * math.pi)
    return torch.cat([phase.sin(), phase.cos()], dim=-1) * known[..., None]
