"""Rows of token ids, as SMILES towers are given them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class TokenSequences:
    """Token sequences of molecules: the same number of each, one after the other.

    Attributes
    ----------
    ids
        int32, of shape (n_tokens,).
    offsets
        int64, of shape (n * n_variants + 1,): sequence i holds ``ids[offsets[i]:offsets[i + 1]]``.
    n_variants
        Sequences of each molecule: molecule i has those from ``i * n_variants`` on.
    """

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    n_variants: int

    def __len__(self) -> int:
        """Return the number of molecules."""
        return (len(self.offsets) - 1) // self.n_variants

    @classmethod
    def from_lists(cls, sequences: Sequence[Sequence[int]], *, n_variants: int = 1) -> Self:
        """Return sequences given one by one."""
        lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int64)
        flat = np.fromiter((i for sequence in sequences for i in sequence), dtype=np.int32, count=int(lengths.sum()))
        return cls(ids=flat, offsets=_offsets(lengths), n_variants=n_variants)

    def take(self, rows: NDArray[np.int64]) -> Self:
        """Return the molecules of the given rows, in the given order."""
        chosen = np.asarray(rows, dtype=np.int64)[:, None] * self.n_variants + np.arange(self.n_variants)
        return self._sequences(chosen.reshape(-1), n_variants=self.n_variants)

    def variants(self, which: NDArray[np.int64]) -> Self:
        """Return one sequence of each molecule.

        Parameters
        ----------
        which
            int64, of shape (n,), 0 <= which < n_variants.
        """
        return self._sequences(np.arange(len(self)) * self.n_variants + which, n_variants=1)

    @property
    def augmentations(self) -> frozenset[str]:
        """``random_smiles`` where a molecule has more sequences than the canonical one."""
        return frozenset({"random_smiles"} if self.n_variants > 1 else set())

    def augmented(self, settings: Any, rng: np.random.Generator) -> Self:  # noqa: ANN401 - any with `random_smiles`
        """Return one sequence of each molecule, drawn at random if wanted: the same molecules, written another way."""
        if not settings.random_smiles:
            return self.variants(np.zeros(len(self), dtype=np.int64))
        return self.variants(rng.integers(self.n_variants, size=len(self)))

    def _sequences(self, chosen: NDArray[np.int64], *, n_variants: int) -> Self:
        starts = self.offsets[chosen]
        offsets = _offsets(self.offsets[chosen + 1] - starts)
        entries = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], np.diff(offsets))
        return type(self)(ids=self.ids[entries], offsets=offsets, n_variants=n_variants)

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Return the molecules of all parts, one after the other; all must have the same number of sequences each."""
        lengths = np.concatenate([np.diff(part.offsets) for part in parts])
        ids = np.concatenate([part.ids for part in parts])
        return cls(ids=ids, offsets=_offsets(lengths), n_variants=parts[0].n_variants)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of the first sequence of each molecule, int64 of shape (n,)."""
        lengths: NDArray[np.int64] = np.diff(self.offsets)[:: self.n_variants]
        return lengths

    def padded(self, *, fill: int) -> NDArray[np.int64]:
        """Return the first sequence of each molecule, int64 of shape (n, longest), filled up at the end."""
        lengths, starts = self.lengths, self.offsets[: -1 : self.n_variants]
        slots = np.arange(lengths.max(initial=1))
        filled = slots < lengths[:, None]
        result = np.full(filled.shape, fill, dtype=np.int64)
        result[filled] = self.ids[(starts[:, None] + slots)[filled]]
        return result


def _offsets(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
