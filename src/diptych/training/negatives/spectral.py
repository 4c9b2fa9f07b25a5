"""Hard negatives whose spectra look alike: molecules that a spectral library would take for one another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diptych.ranking.neighbours import binned
from diptych.ranking.spectrum_scorers import precursor_mzs
from diptych.training.negatives.likeness import Likeness, most_similar
from diptych.training.ragged import Ragged

if TYPE_CHECKING:
    from scipy import sparse

    from diptych.spectra.spectrum import Spectrum

_SPECTRA_AT_A_TIME = 512
_SIGN = {"positive": 1, "negative": -1, None: 0}


def negatives_by_spectrum(
    spectra: Sequence[Spectrum],
    molecules: NDArray[np.int64],
    *,
    n_molecules: int,
    window_da: float,
    at_most: int,
    bin_width_da: float = 0.05,
) -> Likeness:
    """Return for each molecule the others whose spectra are most similar to its own, with the similarity.

    Parameters
    ----------
    spectra
        Of all molecules; those without precursor m/z are passed over.
    molecules
        int64, of shape (n_spectra,): the molecule of each.
    n_molecules
        Number of molecules.
    window_da
        Spectra are compared if they have one polarity and their precursors differ by at most this, Th.
    at_most
        Molecules kept of each list.
    bin_width_da
        Width of the bins.

    Notes
    -----
    Two molecules are as similar as their two most similar spectra; spectra are compared by the cosine of square-rooted
    intensities in m/z bins, as the nearest-neighbour baseline does (roots of intensities in library search: Stein and
    Scott 1994, doi:10.1016/1044-0305(94)87009-8). Pairs that share no bin are not listed.
    """
    precursor = precursor_mzs(spectra)
    keys = [np.empty(0, dtype=np.int64)]
    values = [np.empty(0, dtype=np.float32)]
    for sign in sorted(set(_SIGN.values())):
        of_sign = np.array([_SIGN[spectrum.polarity] == sign for spectrum in spectra], dtype=bool)
        rows = np.flatnonzero(of_sign & np.isfinite(precursor))
        rows = rows[np.argsort(precursor[rows], kind="stable")]
        if not rows.size:
            continue
        matrix = binned([spectra[int(row)] for row in rows], bin_width_da=bin_width_da).tocsr()
        for key, value in _pairs(matrix, precursor[rows], molecules[rows], n=n_molecules, window_da=window_da):
            keys.append(key)
            values.append(value)
    key, value = _largest(np.concatenate(keys), np.concatenate(values))
    lists = Ragged(values=key % n_molecules, offsets=np.searchsorted(key // n_molecules, np.arange(n_molecules + 1)))
    return most_similar(lists, value, at_most=at_most)


def _pairs(
    matrix: sparse.csr_matrix,
    precursor: NDArray[np.float64],
    molecules: NDArray[np.int64],
    *,
    n: int,
    window_da: float,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Yield pairs of molecules as ``first * n + second`` with their similarity, some spectra at a time."""
    for start in range(0, len(precursor), _SPECTRA_AT_A_TIME):
        stop = min(start + _SPECTRA_AT_A_TIME, len(precursor))
        low = int(np.searchsorted(precursor, precursor[start] - window_da, side="left"))
        high = int(np.searchsorted(precursor, precursor[stop - 1] + window_da, side="right"))
        cosine = (matrix[start:stop] @ matrix[low:high].T).tocoo()
        row, column = cosine.row + start, cosine.col + low
        near = np.abs(precursor[row] - precursor[column]) <= window_da
        wanted = near & (molecules[row] != molecules[column])
        yield _largest(molecules[row[wanted]] * n + molecules[column[wanted]], cosine.data[wanted])


def _largest(keys: NDArray[np.int64], values: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return each key once, ascending, with the largest of its values."""
    order = np.lexsort((-values, keys))
    distinct, first = np.unique(keys[order], return_index=True)
    return distinct, values[order][first].astype(np.float32)
