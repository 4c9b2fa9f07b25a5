"""How spectra and structures are encoded fast: few at a time where that helps, in coarse arithmetic if asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from diptych.encoders.precision import has_bfloat16
from diptych.errors import ConfigError
from diptych.spectra.spectrum import Spectrum

EncodingPrecision = Literal["float32", "auto"]
_PRECISIONS = ("float32", "auto")
# What a layer of so many spectra computes still fits the caches of a processor.
_CPU_BATCH = 64


def encoding_order(encoder: nn.Module, spectra: Sequence[Spectrum]) -> NDArray[np.int64]:
    """Return int64 (n,): the order in which to encode spectra, by number of peaks where padding costs time."""
    if not getattr(encoder, "peaks_are_tokens", False):
        return np.arange(len(spectra))
    return np.argsort(np.array([spectrum.n_peaks for spectrum in spectra], dtype=np.int64), kind="stable")


def encoding_batch_size(encoder: nn.Module, wanted: int, *, device: torch.device) -> int:
    """Return how many to encode at a time: at most so many, fewer where a processor is faster so."""
    works_on_parts = getattr(encoder, "peaks_are_tokens", False) or getattr(encoder, "atoms_are_nodes", False)
    return min(wanted, _CPU_BATCH) if device.type == "cpu" and works_on_parts else wanted


@contextmanager
def without_atom_vectors(encoder: nn.Module) -> Iterator[None]:
    """Keep a tower that returns a vector of every atom beside that of the structure from making them, inside."""
    makes_them = getattr(encoder, "atom_vectors", False)
    if makes_them:
        encoder.atom_vectors = False  # type: ignore[assignment]
    try:
        yield
    finally:
        if makes_them:
            encoder.atom_vectors = True  # type: ignore[assignment]


@contextmanager
def encoding_precision(encoder: nn.Module, precision: EncodingPrecision, *, device: torch.device) -> Iterator[None]:
    """Compute in bfloat16 inside, if asked for (``auto``), of use to the tower, and known to the device.

    Towers whose peaks are tokens gain by it; their vectors then have a cosine of at least 0.999 to those in float32
    (Kalamkar et al., doi:10.48550/arXiv.1905.12322, on the number format). All others compute in float32 always.

    Raises
    ------
    ConfigError
        The precision is neither.
    """
    if precision not in _PRECISIONS:
        raise ConfigError(f"encoding precision is {precision!r}; expected one of {', '.join(_PRECISIONS)}")
    coarse = precision == "auto" and getattr(encoder, "peaks_are_tokens", False) and has_bfloat16(device)
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=coarse):
        yield
