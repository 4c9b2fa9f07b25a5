"""A batch of spectra whose peaks are annotated with formulas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diptych.encoders.spectra.peak_batch import PeakBatch
from diptych.spectra.peak_formulas import PeakFormulas, given_formula, peak_formulas
from diptych.spectra.spectrum import Spectrum
from diptych.spectra.subformulas import ELEMENTS, Counts, double_bond_equivalents

# Odd, one for each element: what counts are multiplied by to become one number for each formula.
_KEYS = np.random.default_rng(20).integers(1 << 61, size=len(ELEMENTS)) * 2 + 1
# Logarithms of n_elements counts each of fragment and loss, then what is known of them.
N_FORMULA_NUMBERS = 2 * len(ELEMENTS) + 6
N_PARENT_NUMBERS = len(ELEMENTS) + 1


@dataclass(frozen=True, kw_only=True, eq=False)
class FormulaBatch(PeakBatch):
    """Spectra of one batch with the formulas of their peaks.

    Attributes
    ----------
    formula_numbers
        Float32, of shape (n, n_slots, N_FORMULA_NUMBERS): logarithms of the counts of each element in fragment and
        loss, whether each is known, the error of the fragment in tolerances, double bond equivalents of both in tens,
        and the logarithm of the number of formulas that would do.
    fragment_column, loss_column
        int64, of shape (n, n_slots): hash of the whole formula, from 1; 0 where it is unknown.
    parent_numbers
        Float32, of shape (n, N_PARENT_NUMBERS): logarithms of the counts of each element in the molecule, and whether
        its formula is known.
    """

    formula_numbers: Tensor
    fragment_column: Tensor
    loss_column: Tensor
    parent_numbers: Tensor

    @classmethod
    def annotated(cls, spectra: Sequence[Spectrum], *, given: bool, tolerance_ppm: float, width: int) -> Self:
        """Return the batch of spectra that are cleaned already.

        Parameters
        ----------
        spectra
            With the formula that is to be used (`diptych.spectra.peak_formulas.with_formula`).
        given
            Whether to use it; where not, or where there is none, the peaks are decomposed by themselves.
        tolerance_ppm
            Largest error of a peak.
        width
            Columns that formulas are hashed to, the one of unknown formulas included.
        """
        batch = PeakBatch.from_spectra(spectra)
        parents = [given_formula(spectrum) if given else None for spectrum in spectra]
        found = peak_formulas(spectra, parents=parents, tolerance_ppm=tolerance_ppm)
        mask = batch.mask.numpy()
        known = np.array([[parent is not None] for parent in parents])
        return cls(
            **{field.name: getattr(batch, field.name) for field in fields(PeakBatch)},
            formula_numbers=_padded(_numbers(found), mask),
            fragment_column=_padded(formula_columns(found.fragment, found.has_fragment, width=width), mask),
            loss_column=_padded(formula_columns(found.loss, found.has_loss, width=width), mask),
            parent_numbers=torch.from_numpy(np.hstack([np.log1p(found.parent), known]).astype(np.float32)),
        )


def formula_columns(counts: Counts, known: NDArray[np.bool_], *, width: int) -> NDArray[np.int64]:
    """Return int64 (n,): a column from 1 to ``width - 1`` for each formula, 0 where it is not known.

    Notes
    -----
    1 + (sum_e n_e k_e mod 2^64, its upper half) mod (width - 1) with k_e odd 62-bit numbers drawn once: multiply-shift
    hashing of vectors (Dietzfelbinger, doi:10.1007/3-540-60922-9_46).
    """
    with np.errstate(over="ignore"):
        keys = (counts * _KEYS).sum(axis=1).astype(np.uint64) >> np.uint64(32)
    return np.where(known, 1 + (keys % np.uint64(width - 1)).astype(np.int64), 0)


def _numbers(found: PeakFormulas) -> NDArray[np.float32]:
    sides = ((found.fragment, found.has_fragment), (found.loss, found.has_loss))
    counts = [np.log1p(side) for side, _ in sides]
    unsaturation = [double_bond_equivalents(side) * known / 10 for side, known in sides]
    rest = [found.has_fragment, found.has_loss, found.error, *unsaturation, np.log1p(found.n_matches)]
    return np.hstack([*counts, np.stack(rest, axis=1)]).astype(np.float32)


def _padded(values: NDArray[np.generic], mask: NDArray[np.bool_]) -> Tensor:
    """Return (n, n_slots, ...) of one row for each peak, spectrum after spectrum."""
    padded = np.zeros((*mask.shape, *values.shape[1:]), dtype=values.dtype)
    padded[mask] = values
    return torch.from_numpy(padded)
