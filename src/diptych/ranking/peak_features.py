"""Spectra as rows of the peaks and neutral losses that many molecules show: what small trained rankers look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

if TYPE_CHECKING:
    from diptych.spectra.spectrum import Spectrum

_MAX_MASS = 1_000.0


@dataclass(frozen=True, kw_only=True, eq=False)
class PeakVocabulary:
    """Which bins of m/z, and of neutral loss, are columns.

    Attributes
    ----------
    column
        int64, of shape (2 * n_bins,): column of each bin of m/z, then of each bin of neutral loss; -1 for none.
    n_columns
        Number of columns.
    bin_width_da
        Width of the bins.
    """

    column: NDArray[np.int64]
    n_columns: int
    bin_width_da: float

    @classmethod
    def of(
        cls,
        spectra: Sequence[Spectrum],
        molecules: NDArray[np.int64],
        *,
        n_columns: int = 4096,
        bin_width_da: float = 0.02,
    ) -> Self:
        """Return the bins that most molecules show, at most ``n_columns``; of equal ones those of lower mass.

        Parameters
        ----------
        spectra
            Of the training fold.
        molecules
            Number of each spectrum's molecule: a molecule counts once, however often it was measured.
        n_columns, bin_width_da
            How many bins, and their width.
        """
        n_bins = int(_MAX_MASS / bin_width_da)
        owner, bins, _ = _entries(spectra, n_bins=n_bins, bin_width_da=bin_width_da)
        pairs = np.unique(molecules[owner] * (2 * n_bins) + bins)
        n_molecules = np.bincount(pairs % (2 * n_bins), minlength=2 * n_bins)
        kept = np.argsort(-n_molecules, kind="stable")[:n_columns]
        kept = np.sort(kept[n_molecules[kept] > 0])
        column = np.full(2 * n_bins, -1, dtype=np.int64)
        column[kept] = np.arange(kept.size)
        return cls(column=column, n_columns=int(kept.size), bin_width_da=bin_width_da)

    def __call__(self, spectra: Sequence[Spectrum]) -> sparse.csr_matrix:
        """Return square roots of relative intensities in rows of length 1, float32 of shape (n_spectra, n_columns)."""
        owner, bins, value = _entries(spectra, n_bins=self.column.size // 2, bin_width_da=self.bin_width_da)
        known = self.column[bins] >= 0
        rows, columns = owner[known], self.column[bins[known]]
        matrix = sparse.csr_matrix(
            (value[known], (rows, columns)), shape=(len(spectra), self.n_columns), dtype=np.float32
        )
        norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
        scale = sparse.diags_array(1 / np.maximum(norms, np.finfo(np.float32).tiny), dtype=np.float32)
        return sparse.csr_matrix(scale @ matrix)


def _entries(
    spectra: Sequence[Spectrum], *, n_bins: int, bin_width_da: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Return spectrum, bin and value of every peak, then of every neutral loss above 0."""
    owner = np.repeat(np.arange(len(spectra)), [spectrum.n_peaks for spectrum in spectra])
    mz = np.concatenate([np.empty(0), *(spectrum.mz for spectrum in spectra)])
    precursor = np.array([np.nan if s.precursor_mz is None else s.precursor_mz for s in spectra], dtype=np.float64)
    loss = precursor[owner] - mz
    value = np.concatenate([np.empty(0, np.float32), *(_root(spectrum) for spectrum in spectra)])
    masses = np.concatenate([mz, np.where(np.isnan(loss), -1.0, loss)])
    bins = np.floor(masses / bin_width_da).astype(np.int64)
    usable = (masses > 0) & (bins < n_bins)
    bins[mz.size :] += n_bins
    return np.tile(owner, 2)[usable], bins[usable], np.tile(value, 2)[usable]


def _root(spectrum: Spectrum) -> NDArray[np.float32]:
    if not spectrum.n_peaks:
        return np.empty(0, dtype=np.float32)
    return np.asarray(np.sqrt(spectrum.intensity / spectrum.intensity.max()))
