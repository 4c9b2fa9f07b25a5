"""What a frozen language model makes of molecules: computed once, kept on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diptych.files import replacing
from diptych.molecules.token_sequences import TokenSequences


@dataclass(frozen=True, kw_only=True, eq=False)
class VectorRows:
    """One vector for each molecule.

    Attributes
    ----------
    vectors
        Float32, of shape (n, dim).
    """

    vectors: NDArray[np.float32]

    def __len__(self) -> int:
        """Return the number of molecules."""
        return len(self.vectors)

    def take(self, rows: NDArray[np.int64]) -> Self:
        """Return the given rows, in the given order."""
        return type(self)(vectors=self.vectors[rows])

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Return the rows of all parts, one after the other."""
        return cls(vectors=np.concatenate([part.vectors for part in parts]))


@dataclass(frozen=True, kw_only=True, eq=False)
class VectorBatch:
    """Vectors of one batch.

    Attributes
    ----------
    vectors
        Float32, of shape (n, dim).
    """

    vectors: Tensor

    def to(self, device: torch.device) -> VectorBatch:
        """Return the batch on a device."""
        return VectorBatch(vectors=self.vectors.to(device))


def cached_vectors(
    sequences: TokenSequences,
    compute: Callable[[TokenSequences], NDArray[np.float32]],
    *,
    weights_digest: str,
    cache: Path | None,
    report: Callable[[str], None],
) -> NDArray[np.float32]:
    """Return one vector for each molecule, from the cache if these weights have seen these sequences before.

    Parameters
    ----------
    sequences
        Of the molecules.
    compute
        Makes the vectors, float32 of shape (n, dim).
    weights_digest
        SHA-256 of everything else that the vectors depend on.
    cache
        Folder of ``.npy`` files, which may be deleted at any time; None keeps nothing.
    report
        Called with a line about what is done.

    Raises
    ------
    OutputError
        The folder cannot be written.
    """
    digest = hashlib.sha256(weights_digest.encode() + sequences.offsets.tobytes() + sequences.ids.tobytes()).hexdigest()
    path = None if cache is None else cache / f"language-model-{digest[:32]}.npy"
    kept = None if path is None else _read(path, n_rows=len(sequences))
    if kept is not None:
        report(f"{len(kept):,} structures embedded by the frozen language model before: taken from the cache")
        return kept
    report(f"embedding {len(sequences):,} structures with the frozen language model, once")
    vectors = compute(sequences)
    if path is not None:
        with replacing(path) as temporary, temporary.open("wb") as stream:
            np.save(stream, vectors, allow_pickle=False)
    return vectors


def _read(path: Path, *, n_rows: int) -> NDArray[np.float32] | None:
    try:
        vectors: NDArray[np.float32] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return vectors if vectors.dtype == np.float32 and vectors.ndim == 2 and len(vectors) == n_rows else None
