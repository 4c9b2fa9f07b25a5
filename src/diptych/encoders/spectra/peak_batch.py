"""A batch of spectra as padded arrays with an explicit mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import torch
from torch import Tensor

from diptych.data.instruments import InstrumentClass, instrument_class
from diptych.spectra.cleaning import CleaningSettings
from diptych.spectra.flat_peaks import FlatPeaks, clean_together
from diptych.spectra.spectrum import Spectrum

DEFAULT_CLEANING = CleaningSettings(precursor_margin=0.5, min_relative_intensity=0.0009, max_peaks=80)
INSTRUMENT_CLASSES = tuple(InstrumentClass)
# Position 0 is "another adduct, or none stated"; new names are only ever added at the end.
ADDUCTS = (
    "other",
    "[M+H]+",
    "[M-H]-",
    "[M+Na]+",
    "[M+NH4]+",
    "[M+K]+",
    "[M+HCOO]-",
    "[M+Cl]-",
    "[M+CH3COO]-",
    "[M-H2O+H]+",
    "[M]+",
    "[M]-",
    "[2M+H]+",
    "[2M-H]-",
    "[M+2H]2+",
    "[M-2H]2-",
)
_ADDUCT_POSITION = {name: position for position, name in enumerate(ADDUCTS)}


@dataclass(frozen=True, kw_only=True, eq=False)
class PeakBatch:
    """Spectra of one batch; padding is told by the mask alone.

    Attributes
    ----------
    mz
        Float64, of shape (n, n_slots), Th.
    intensity
        Float32, of shape (n, n_slots), relative to the most intense peak of the spectrum, in (0, 1].
    mask
        Bool, of shape (n, n_slots): True where there is a peak.
    precursor_mz
        Float64, of shape (n,), Th; NaN where unknown.
    polarity
        Float32, of shape (n,): 1 positive, -1 negative, 0 unknown.
    adduct
        int64, of shape (n,): position in ``ADDUCTS``.
    collision_energy
        Float32, of shape (n,), eV; NaN where unknown.
    instrument
        int64, of shape (n,): position in ``INSTRUMENT_CLASSES``.
    """

    mz: Tensor
    intensity: Tensor
    mask: Tensor
    precursor_mz: Tensor
    polarity: Tensor
    adduct: Tensor
    collision_energy: Tensor
    instrument: Tensor

    def __len__(self) -> int:
        """Return the number of spectra."""
        return len(self.precursor_mz)

    def to(self, device: torch.device) -> Self:
        """Return the batch on a device."""
        return type(self)(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})

    @classmethod
    def cleaned(cls, spectra: Sequence[Spectrum], settings: CleaningSettings) -> PeakBatch:
        """Return the batch of spectra, each cleaned first."""
        return cls._of(spectra, clean_together(spectra, settings))

    @classmethod
    def from_spectra(cls, spectra: Sequence[Spectrum]) -> PeakBatch:
        """Return the batch of spectra that are cleaned already."""
        return cls._of(spectra, FlatPeaks.of(spectra))

    @classmethod
    def _of(cls, spectra: Sequence[Spectrum], peaks: FlatPeaks) -> PeakBatch:
        counts = peaks.counts
        mask = np.arange(max(1, counts.max(initial=1))) < counts[:, None]
        mz = np.zeros(mask.shape)
        intensity = np.zeros(mask.shape, dtype=np.float32)
        mz[mask] = peaks.mz
        intensity[mask] = peaks.intensity
        intensity /= np.maximum(intensity.max(axis=1, keepdims=True), np.finfo(np.float32).tiny)
        sign = {"positive": 1.0, "negative": -1.0, None: 0.0}
        return cls(
            mz=torch.from_numpy(mz),
            intensity=torch.from_numpy(intensity),
            mask=torch.from_numpy(mask),
            precursor_mz=_floats([spectrum.precursor_mz for spectrum in spectra], dtype=torch.float64),
            polarity=torch.tensor([sign[spectrum.polarity] for spectrum in spectra]),
            adduct=torch.tensor([_adduct_position(spectrum) for spectrum in spectra]),
            collision_energy=_floats([spectrum.collision_energy for spectrum in spectra], dtype=torch.float32),
            instrument=torch.tensor([_instrument_position(spectrum) for spectrum in spectra]),
        )


def _floats(values: list[float | None], *, dtype: torch.dtype) -> Tensor:
    return torch.tensor([float("nan") if value is None else value for value in values], dtype=dtype)


def _adduct_position(spectrum: Spectrum) -> int:
    return _ADDUCT_POSITION.get(spectrum.adduct.name, 0) if spectrum.adduct else 0


def _instrument_position(spectrum: Spectrum) -> int:
    kind = instrument_class(spectrum.instrument_type, spectrum.metadata.get("instrument"))
    return INSTRUMENT_CLASSES.index(kind)
