"""How alike two spectra are: what library search needs of a method, and two methods that need no peak matching."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from diptych.errors import ConfigError

if TYPE_CHECKING:
    from diptych.spectra.spectrum import Spectrum

_CELLS_AT_A_TIME = 16_000_000
# Two differences of the same masses differ in their last bits; below this they are one difference.
_MASS_DECIMALS = 6
# Products in other batch shapes differ in their last bits; equal spectra must tie on every machine.
_COSINE_DECIMALS = 6


@runtime_checkable
class SpectrumScorer(Protocol):
    """Any method that says how alike two spectra are: a baseline, a control, the spectrum tower of a model."""

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    def scores(self, queries: Sequence[Spectrum], references: Sequence[Spectrum]) -> Iterator[NDArray[np.floating]]:
        """Yield the scores of a few queries at a time, so that no matrix of all pairs is ever held.

        Yields
        ------
        array
            Of shape (n, n_references), for the next n queries in their order; higher is more alike, NaN where the pair
            cannot be scored, which is worse than every number.
        """
        ...


def query_blocks(n_queries: int, n_references: int) -> Iterator[slice]:
    """Yield slices of queries whose scores against all references fit into 16 million cells.

    Examples
    --------
    >>> list(query_blocks(5, 8_000_000))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    size = max(1, _CELLS_AT_A_TIME // max(1, n_references))
    for start in range(0, n_queries, size):
        yield slice(start, min(start + size, n_queries))


def cosine_blocks(asked: NDArray[np.floating], known: NDArray[np.floating]) -> Iterator[NDArray[np.floating]]:
    """Yield cosines of unit vectors, of shapes (n_queries, dim) and (n_references, dim), a few queries at a time."""
    for block in query_blocks(len(asked), len(known)):
        yield np.round(asked[block] @ known.T, _COSINE_DECIMALS)


@dataclass(frozen=True)
class PrecursorScorer:
    """Scores by the difference of the precursor m/z; sees no peak: the control of every open search."""

    name: str = "precursor_mz"

    def scores(self, queries: Sequence[Spectrum], references: Sequence[Spectrum]) -> Iterator[NDArray[np.floating]]:
        """Yield minus the difference in Th, float64; NaN where a precursor m/z is unknown."""
        asked, known = precursor_mzs(queries), precursor_mzs(references)
        for block in query_blocks(len(queries), len(references)):
            yield -np.round(np.abs(asked[block, None] - known[None, :]), _MASS_DECIMALS)


@dataclass(frozen=True, kw_only=True)
class PrecursorMatchScorer:
    """Scores by whether two precursor m/z are the same within the error of a measurement, for sums with other scores.

    Attributes
    ----------
    deviation_ppm
        Standard deviation of the difference of two measurements of one precursor.
    """

    deviation_ppm: float = 5.0
    name: str = "precursor_match"

    def __post_init__(self) -> None:
        if not self.deviation_ppm > 0:
            raise ConfigError(f"deviation_ppm={self.deviation_ppm!r}; expected a number above 0")

    def scores(self, queries: Sequence[Spectrum], references: Sequence[Spectrum]) -> Iterator[NDArray[np.floating]]:
        """Yield exp(-(difference / deviation)² / 2) in [0, 1], float64; NaN where a precursor m/z is unknown."""
        asked, known = precursor_mzs(queries), precursor_mzs(references)
        for block in query_blocks(len(queries), len(references)):
            apart = np.abs(asked[block, None] - known[None, :]).round(_MASS_DECIMALS) / asked[block, None] * 1e6
            yield np.exp(-0.5 * (apart / self.deviation_ppm) ** 2)


def precursor_mzs(spectra: Sequence[Spectrum]) -> NDArray[np.float64]:
    """Return the precursor m/z of spectra, Th, float64 of shape (n_spectra,); NaN where unknown."""
    values = [np.nan if spectrum.precursor_mz is None else spectrum.precursor_mz for spectrum in spectra]
    return np.array(values, dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class BinnedCosineScorer:
    """Scores by the cosine of square-rooted intensities in m/z bins, as the nearest-neighbour rankers do.

    Attributes
    ----------
    bin_width_da
        Width of the bins; two peaks of one ion may fall to both sides of a border.
    """

    bin_width_da: float = 0.05
    name: str = "binned_cosine"

    def scores(self, queries: Sequence[Spectrum], references: Sequence[Spectrum]) -> Iterator[NDArray[np.floating]]:
        """Yield cosines in [0, 1], float32; 0 where a spectrum has no peaks."""
        from diptych.ranking.neighbours import binned

        known = binned(references, bin_width_da=self.bin_width_da).T.tocsr()
        for block in query_blocks(len(queries), len(references)):
            yield (binned(queries[block], bin_width_da=self.bin_width_da) @ known).toarray()
