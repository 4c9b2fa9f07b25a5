"""One measured spectrum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diptych.errors import SpectrumError
from diptych.spectra.adduct import Adduct

Polarity = Literal["positive", "negative"]

_EMPTY: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True, eq=False)
class Spectrum:
    """An MS/MS spectrum as it was measured; never mutated, cleaning returns a new one.

    Attributes
    ----------
    mz
        float64, of shape (n_peaks,), Th, ascending, finite and positive.
    intensity
        float32, of shape (n_peaks,), arbitrary units, finite and positive.
    precursor_mz
        Th; None where the file does not say.
    charge
        Signed charge of the precursor ion; None where the file does not say.
    adduct
        None where the file does not say, or says something that cannot be parsed (then kept in ``metadata``).
    collision_energy
        eV, not normalised; None where unknown.
    instrument_type
        The instrument as the file names it.
    identifier
        Unique within its file; what results are joined back on.
    metadata
        Everything else the file said: keys harmonised to matchms' names, values as written.
    """

    mz: NDArray[np.float64]
    intensity: NDArray[np.float32]
    precursor_mz: float | None = None
    charge: int | None = None
    adduct: Adduct | None = None
    collision_energy: float | None = None
    instrument_type: str | None = None
    identifier: str = ""
    metadata: Mapping[str, str] = field(default_factory=lambda: _EMPTY)

    def __post_init__(self) -> None:
        if self.mz.ndim != 1 or self.mz.shape != self.intensity.shape:
            raise SpectrumError(
                f"spectrum {self.identifier!r}: mz and intensity must be one-dimensional and of one length, "
                f"got shapes {self.mz.shape} and {self.intensity.shape}; expected (n_peaks,) twice"
            )
        self.mz.flags.writeable = False
        self.intensity.flags.writeable = False

    @classmethod
    def from_peaks(cls, mz: ArrayLike, intensity: ArrayLike, **fields: Any) -> Self:  # noqa: ANN401 - the fields of Spectrum
        """Return a spectrum from peaks as a file holds them: unsorted, with zeros, negatives or NaN.

        Peaks whose m/z or intensity is not finite and positive cannot have been measured; they are left out and their
        number is kept as ``metadata["unusable_peaks"]``. How many of them do not just have an intensity of 0, as points
        of a profile do, but an m/z or intensity that no file should hold, is kept as ``metadata["impossible_peaks"]``.
        """
        mz_array = np.atleast_1d(np.asarray(mz, dtype=np.float64))
        intensity_array = np.atleast_1d(np.asarray(intensity, dtype=np.float64))
        if mz_array.shape != intensity_array.shape or mz_array.ndim != 1:
            raise SpectrumError(
                f"spectrum {fields.get('identifier', '')!r}: {mz_array.size} m/z values against "
                f"{intensity_array.size} intensities; expected as many of one as of the other"
            )
        with np.errstate(invalid="ignore", over="ignore"):
            intensity_array = intensity_array.astype(np.float32)
            usable = np.isfinite(mz_array) & (mz_array > 0) & np.isfinite(intensity_array) & (intensity_array > 0)
        n_unusable = int(usable.size - usable.sum())
        if n_unusable:
            counts = {"unusable_peaks": str(n_unusable)}
            if n_impossible := int((~usable & (intensity_array != 0)).sum()):
                counts["impossible_peaks"] = str(n_impossible)
            fields["metadata"] = {**fields.get("metadata", _EMPTY), **counts}
            mz_array, intensity_array = mz_array[usable], intensity_array[usable]
        if np.any(np.diff(mz_array) < 0):
            order = np.argsort(mz_array, kind="stable")
            mz_array, intensity_array = mz_array[order], intensity_array[order]
        return cls(mz=mz_array.copy(), intensity=intensity_array.astype(np.float32), **fields)

    @property
    def n_peaks(self) -> int:
        """Number of peaks."""
        return int(self.mz.size)

    @property
    def polarity(self) -> Polarity | None:
        """Sign of the precursor: by charge, else by adduct, else by ``metadata["ionmode"]``; None where none says."""
        charge = self.charge or (self.adduct.charge if self.adduct else 0)
        if charge:
            return "positive" if charge > 0 else "negative"
        ionmode = self.metadata.get("ionmode", "").lower()
        if ionmode.startswith("pos"):
            return "positive"
        return "negative" if ionmode.startswith("neg") else None

    def with_changes(self, **changes: Any) -> Self:  # noqa: ANN401 - the fields of Spectrum
        """Return a copy with the given fields replaced."""
        return replace(self, **changes)

    def with_peaks(self, mz: NDArray[np.float64], intensity: NDArray[np.float32]) -> Self:
        """Return a copy with other peaks, which must meet what the class says of them.

        Cleaning makes several copies of each spectrum; this is twice as fast as `with_changes`.
        """
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__, mz=mz, intensity=intensity)
        copy.__post_init__()
        return copy
