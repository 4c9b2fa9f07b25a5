"""Sparse feature rows, as fingerprints and fragment masses give them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

# Entries from which on rows are copied faster whole than entry by entry.
_LONG_ROW = 150


@dataclass(frozen=True, kw_only=True, eq=False)
class SparseFeatures:
    """Rows of sparse features (compressed sparse rows).

    Attributes
    ----------
    indptr
        int64, of shape (n_rows + 1,): row i holds entries ``indptr[i]:indptr[i + 1]``.
    indices
        int32, of shape (n_entries,): column of each entry, 0 <= index < width.
    values
        float32, of shape (n_entries,).
    width
        Number of columns.
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    values: NDArray[np.float32]
    width: int

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.indptr) - 1

    @classmethod
    def from_rows(cls, rows: Sequence[tuple[NDArray[np.int32], NDArray[np.float32]]], *, width: int) -> Self:
        """Return features from one (indices, values) pair per row."""
        lengths = np.array([len(indices) for indices, _ in rows], dtype=np.int64)
        return cls(
            indptr=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            indices=np.concatenate([np.empty(0, dtype=np.int32), *(i for i, _ in rows)]).astype(np.int32),
            values=np.concatenate([np.empty(0, dtype=np.float32), *(v for _, v in rows)]).astype(np.float32),
            width=width,
        )

    def take(self, rows: NDArray[np.int64]) -> Self:
        """Return the given rows, in the given order."""
        starts = self.indptr[rows]
        lengths = self.indptr[rows + 1] - starts
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        if indptr[-1] < _LONG_ROW * len(rows):
            entries = np.arange(indptr[-1]) + np.repeat(starts - indptr[:-1], lengths)
            indices, values = self.indices[entries], self.values[entries]
        else:
            ends = starts + lengths
            parts = [slice(start, end) for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
            indices = np.concatenate([self.indices[:0], *(self.indices[part] for part in parts)])
            values = np.concatenate([self.values[:0], *(self.values[part] for part in parts)])
        return type(self)(indptr=indptr, indices=indices, values=values, width=self.width)

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Return the rows of all parts, one after the other; all must be of one width."""
        offsets = np.cumsum([0, *(len(part.indices) for part in parts)])
        indptr = [part.indptr[:-1] + offset for part, offset in zip(parts, offsets, strict=False)]
        return cls(
            indptr=np.concatenate([*indptr, offsets[-1:]]).astype(np.int64),
            indices=np.concatenate([part.indices for part in parts]),
            values=np.concatenate([part.values for part in parts]),
            width=parts[0].width,
        )
