"""Spectra compared peak by peak: cosine and spectral entropy, some millions of pairs a second."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from diptych.errors import EvaluationError
from diptych.ranking.spectrum_scorers import query_blocks
from diptych.spectra.cleaning import keep_mz_range, remove_weak_peaks

if TYPE_CHECKING:
    from diptych.spectra.spectrum import Spectrum

_FLAT_ENTROPY = 3.0
_COSINE, _ENTROPY = 0, 1


class PackedPeaks(NamedTuple):
    """The peaks of many spectra in two flat arrays; a tuple, since that is what compiled code takes.

    Attributes
    ----------
    offsets
        int64, of shape (n_spectra + 1,): the peaks of spectrum i are ``mz[offsets[i]:offsets[i + 1]]``.
    mz
        float64, of shape (n_peaks,), Th, ascending within a spectrum.
    weight
        float64, of shape (n_peaks,): what an intensity became.
    """

    offsets: NDArray[np.int64]
    mz: NDArray[np.float64]
    weight: NDArray[np.float64]


def pack(spectra: Sequence[Spectrum], *, weigh: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> PackedPeaks:
    """Return the peaks of spectra with their intensities weighed, spectrum by spectrum."""
    weights = [weigh(spectrum.intensity.astype(np.float64)) for spectrum in spectra]
    return PackedPeaks(
        offsets=np.concatenate([[0], np.cumsum([weight.size for weight in weights], dtype=np.int64)]),
        mz=np.concatenate([np.empty(0), *(spectrum.mz for spectrum in spectra)]),
        weight=np.concatenate([np.empty(0), *weights]),
    )


@dataclass(frozen=True, kw_only=True)
class CosineScorer:
    """Scores by the cosine of square-rooted intensities of peaks that match within a tolerance.

    Attributes
    ----------
    tolerance_da
        Largest distance of two peaks that match, Th.
    """

    tolerance_da: float = 0.02
    name: str = "cosine"

    def __post_init__(self) -> None:
        _check_tolerance(self.tolerance_da)

    def scores(self, queries: Sequence[Spectrum], references: Sequence[Spectrum]) -> Iterator[NDArray[np.floating]]:
        """Yield cosines in [0, 1], float32; 0 where a spectrum has no peaks.

        Notes
        -----
        sum sqrt(I_a I_b) over matched peaks / sqrt(sum I_a sum I_b). Peaks are matched one to one in ascending m/z.
        """
        return _matched(_COSINE, queries, references, weigh=_root_of_share, tolerance_da=self.tolerance_da)


@dataclass(frozen=True, kw_only=True)
class SpectralEntropyScorer:
    """Scores by the spectral entropy similarity.

    Attributes
    ----------
    tolerance_da
        Largest distance of two peaks that match, Th.
    min_relative_intensity
        Fraction of the most intense peak; weaker peaks are left out as noise.
    precursor_window_da
        Th; peaks from this much below the precursor m/z upward are left out. None: they count.

    Notes
    -----
    1 - (2 S(ab) - S(a) - S(b)) / ln 4, where a and b are intensities of sum 1, ab their mean and S their Shannon
    entropy; intensities of a spectrum with S < 3 are first raised to the power 0.25 + 0.25 S. Li et al. 2021,
    doi:10.1038/s41592-021-01331-z. Only matched peaks contribute, so that with intensities of sum 1/2 it is the sum of
    f(a + b) - f(a) - f(b) over them, f(x) = x log2 x. Peaks are matched one to one in ascending m/z.
    """

    tolerance_da: float = 0.02
    min_relative_intensity: float = 0.01
    precursor_window_da: float | None = None
    name: str = "spectral_entropy"

    def __post_init__(self) -> None:
        _check_tolerance(self.tolerance_da)

    def scores(self, queries: Sequence[Spectrum], references: Sequence[Spectrum]) -> Iterator[NDArray[np.floating]]:
        """Yield similarities in [0, 1], float32; 0 where a spectrum has no peaks."""
        cleaned = [[self._cleaned(spectrum) for spectrum in spectra] for spectra in (queries, references)]
        return _matched(_ENTROPY, *cleaned, weigh=entropy_weights, tolerance_da=self.tolerance_da)

    def _cleaned(self, spectrum: Spectrum) -> Spectrum:
        if self.precursor_window_da is not None and spectrum.precursor_mz is not None:
            spectrum = keep_mz_range(spectrum, maximum=spectrum.precursor_mz - self.precursor_window_da)
        return remove_weak_peaks(spectrum, min_relative_intensity=self.min_relative_intensity)


def entropy_weights(intensity: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return intensities weighed by the entropy of their spectrum, of sum 1/2; float64 of shape (n_peaks,).

    Examples
    --------
    One peak has no entropy, and three equal ones keep their shares.

    >>> entropy_weights(np.array([7.0])), entropy_weights(np.array([2.0, 2.0]))
    (array([0.5]), array([0.25, 0.25]))
    """
    share = intensity / max(float(intensity.sum()), np.finfo(np.float64).tiny)
    entropy = -float(np.sum(share * np.log(share)))
    weight = share if entropy >= _FLAT_ENTROPY else share ** (0.25 + 0.25 * entropy)
    return np.asarray(weight / (2 * weight.sum())) if weight.size else weight


def _root_of_share(intensity: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sqrt(intensity / max(float(intensity.sum()), np.finfo(np.float64).tiny))


def _check_tolerance(tolerance_da: float) -> None:
    if not tolerance_da > 0:
        raise EvaluationError(f"peak tolerance is {tolerance_da!r} Da; expected a number above 0")


def _matched(
    kind: int,
    queries: Sequence[Spectrum],
    references: Sequence[Spectrum],
    *,
    weigh: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    tolerance_da: float,
) -> Iterator[NDArray[np.floating]]:
    known = pack(references, weigh=weigh)
    for block in query_blocks(len(queries), len(references)):
        found = np.zeros((block.stop - block.start, len(references)), dtype=np.float32)
        _add_matches(kind, pack(queries[block], weigh=weigh), known, tolerance_da, found)
        yield found


@njit(cache=True)
def _add_matches(kind: int, a: PackedPeaks, b: PackedPeaks, tolerance_da: float, found: NDArray[np.float32]) -> None:
    """Add to each cell what the matched peaks of its two spectra contribute."""
    for row in range(a.offsets.size - 1):
        for column in range(b.offsets.size - 1):
            i, j = a.offsets[row], b.offsets[column]
            total = 0.0
            while i < a.offsets[row + 1] and j < b.offsets[column + 1]:
                difference = a.mz[i] - b.mz[j]
                if difference < -tolerance_da:
                    i += 1
                elif difference > tolerance_da:
                    j += 1
                else:
                    total += _term(kind, a.weight[i], b.weight[j])
                    i += 1
                    j += 1
            found[row, column] = total


@njit(cache=True)
def _term(kind: int, a: float, b: float) -> float:
    if kind == _COSINE:
        return a * b
    return float((a + b) * np.log2(a + b) - a * np.log2(a) - b * np.log2(b))
