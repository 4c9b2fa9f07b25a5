"""Spectra of known molecules as library search takes them: who measured what, and with which kind of instrument."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from numpy.typing import NDArray

from diptych.data.instruments import InstrumentClass, instrument_class
from diptych.errors import EvaluationError
from diptych.ranking.spectrum_scorers import precursor_mzs

if TYPE_CHECKING:
    from diptych.evaluation.questions.known import KnownSpectrum
    from diptych.spectra.spectrum import Spectrum

_UNKNOWN = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class SearchableSpectra:
    """Spectra of known molecules, from which queries and references are taken.

    Attributes
    ----------
    spectra
        As measured.
    molecules
        First block of each.
    origins
        Contributor of each; empty where unknown.
    """

    spectra: Sequence[Spectrum]
    molecules: Sequence[str]
    origins: Sequence[str]

    def __post_init__(self) -> None:
        if not len(self.spectra) == len(self.molecules) == len(self.origins):
            raise EvaluationError(
                f"library search: {len(self.spectra)} spectra, {len(self.molecules)} molecules and "
                f"{len(self.origins)} origins; expected one molecule and one origin for each spectrum"
            )

    @classmethod
    def from_known(
        cls, known: Sequence[KnownSpectrum], *, origin: Literal["contributor", "instrument_class"] = "contributor"
    ) -> Self:
        """Return known spectra with the contributor that their metadata name, or with their instrument class."""
        return cls(
            spectra=[item.spectrum for item in known],
            molecules=[item.target for item in known],
            origins=[_origin(item.spectrum, origin) for item in known],
        )

    def __len__(self) -> int:
        return len(self.spectra)

    @cached_property
    def precursor_mz(self) -> NDArray[np.float64]:
        """Th, of shape (n,); NaN where unknown."""
        return precursor_mzs(self.spectra)

    @cached_property
    def molecule_codes(self) -> NDArray[np.int64]:
        """Number of each spectrum's molecule, of shape (n,)."""
        return _codes(self.molecules)

    @cached_property
    def ion_codes(self) -> NDArray[np.int64]:
        """Number of each spectrum's adduct (polarity where there is none), of shape (n,)."""
        return _codes([s.adduct.name if s.adduct else s.polarity or _UNKNOWN for s in self.spectra])

    @cached_property
    def origin_codes(self) -> NDArray[np.int64]:
        """Number of each spectrum's origin, of shape (n,); -1 where unknown."""
        return _known_codes(self.origins)

    @cached_property
    def instrument_classes(self) -> tuple[str, ...]:
        """Instrument class of each spectrum, as its metadata tell it; empty where they do not."""
        return tuple(_origin(spectrum, "instrument_class") for spectrum in self.spectra)

    @cached_property
    def instrument_codes(self) -> NDArray[np.int64]:
        """Number of each spectrum's instrument class, of shape (n,); -1 where unknown."""
        return _known_codes(self.instrument_classes)


def _origin(spectrum: Spectrum, kind: str) -> str:
    if kind == "contributor":
        return spectrum.metadata.get("contributor", _UNKNOWN)
    found = instrument_class(spectrum.instrument_type, spectrum.metadata.get("instrument"))
    return _UNKNOWN if found is InstrumentClass.OTHER else found.value


def _known_codes(names: Sequence[str]) -> NDArray[np.int64]:
    unknown = np.array([name == _UNKNOWN for name in names], dtype=bool)
    return np.where(unknown, -1, _codes(names))


def _codes(names: Sequence[str]) -> NDArray[np.int64]:
    return np.unique(np.asarray(names, dtype=str), return_inverse=True)[1].astype(np.int64)
