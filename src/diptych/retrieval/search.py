"""Exact scores of library rows, and the best of them; the same score for a row whichever rows are scored beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_SERIAL_NUMBERS = 32_768
_CHUNK_ROWS = 4_096  # of 256 numbers each they stay in the processor's cache


@dataclass(frozen=True, kw_only=True, eq=False)
class Hits:
    """The best rows of a library for one query, best first; equal scores in the order of the rows.

    Attributes
    ----------
    rows
        int64, of shape (n_hits,).
    scores
        float32, of shape (n_hits,): dot products, which are cosines in [-1, 1] where query and rows are unit vectors.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        return int(self.rows.size)


def scores_of(embeddings: NDArray[np.float16], query_vector: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the dot product of each row with the query: float32, of shape (n,).

    Parameters
    ----------
    embeddings
        float16, of shape (n, dim).
    query_vector
        float32, of shape (dim,).

    Notes
    -----
    Each row is summed by itself in one fixed order. A matrix product would be faster, but the last bits of its sums
    depend on the number of rows, so that a window and a search over everything could rank a near tie differently.
    """
    scores = np.empty(embeddings.shape[0], dtype=np.float32)
    for start, rows in _float32_chunks(embeddings):
        np.einsum("ij,j->i", rows, query_vector, out=scores[start : start + rows.shape[0]])
    return scores


def best_hits(scores: NDArray[np.float32], *, top: int, rows: NDArray[np.int64] | None = None) -> Hits:
    """Return the ``top`` highest scores with their rows (ascending; 0, 1, 2, ... by default); ties by row."""
    if scores.size > top > 0:
        last = np.partition(scores, scores.size - top)[scores.size - top]
        better = np.flatnonzero(scores > last)
        chosen = np.concatenate([better, np.flatnonzero(scores == last)[: top - better.size]])
        chosen.sort()
    else:
        chosen = np.arange(min(scores.size, max(top, 0)))
    chosen = chosen[np.argsort(-scores[chosen], kind="stable")]
    best_rows = chosen if rows is None else rows[chosen]
    return Hits(rows=best_rows.astype(np.int64, copy=False), scores=scores[chosen])


def search_everything(embeddings: NDArray[np.float16], query_vectors: NDArray[np.float32], *, top: int) -> list[Hits]:
    """Return for each query the best of all rows, the same as `best_hits` of `scores_of` would give.

    Parameters
    ----------
    embeddings
        float16, of shape (n, dim); read once, a chunk at a time, for all queries together.
    query_vectors
        float32, of shape (n_queries, dim).

    Notes
    -----
    A matrix product finds the rows that may be among the best; only they are scored exactly. The rounding error of a
    dot product of length d is below d * eps * |x| * |y| (N. J. Higham, Accuracy and Stability of Numerical Algorithms,
    2nd ed., 2002, eq. 3.5, DOI 10.1137/1.9780898718027), so a row is left out of a chunk only if the ``top``-th best of
    that chunk is ahead by more than the errors of both.
    """
    candidates: list[list[NDArray[np.int64]]] = [[] for _ in query_vectors]
    query_norms = np.linalg.norm(query_vectors, axis=1)
    for start, rows in _float32_chunks(embeddings):
        approximate = query_vectors @ rows.T
        largest_norm = float(np.sqrt(np.einsum("ij,ij->i", rows, rows).max()))
        errors = rows.shape[1] * np.finfo(np.float32).eps * largest_norm * query_norms
        for scores, error, found in zip(approximate, errors, candidates, strict=True):
            found.append(start + _possibly_best(scores, top=top, error=float(error)))
    return [
        _rescored(embeddings, query, np.concatenate(found), top=top)
        for query, found in zip(query_vectors, candidates, strict=True)
    ]


def _possibly_best(scores: NDArray[np.float32], *, top: int, error: float) -> NDArray[np.int64]:
    if scores.size <= top:
        return np.arange(scores.size, dtype=np.int64)
    last = np.partition(scores, scores.size - top)[scores.size - top]
    return np.flatnonzero(scores >= last - 2 * error).astype(np.int64, copy=False)


def _rescored(
    embeddings: NDArray[np.float16], query_vector: NDArray[np.float32], rows: NDArray[np.int64], *, top: int
) -> Hits:
    return best_hits(scores_of(embeddings[rows], query_vector), top=top, rows=rows)


def _float32_chunks(embeddings: NDArray[np.float16]) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield the first row and a float32 copy of consecutive chunks of rows; each copy takes the place of the last."""
    buffer = np.empty((min(_CHUNK_ROWS, embeddings.shape[0]), embeddings.shape[1]), dtype=np.float32)
    for start in range(0, embeddings.shape[0], _CHUNK_ROWS):
        chunk = embeddings[start : start + _CHUNK_ROWS]
        _convert(chunk, buffer[: chunk.shape[0]])
        yield start, buffer[: chunk.shape[0]]


def _convert(half: NDArray[np.float16], single: NDArray[np.float32]) -> None:
    """Fill ``single`` with the numbers of ``half``, by torch: numpy takes twenty times longer, one number at a time."""
    import torch

    source, target = torch.from_numpy(half), torch.from_numpy(single)
    # Small pieces, which torch leaves to the calling thread: on a busy machine waking others takes milliseconds.
    rows_per_piece = max(1, _SERIAL_NUMBERS // max(1, half.shape[1]))
    for start in range(0, half.shape[0], rows_per_piece):
        target[start : start + rows_per_piece].copy_(source[start : start + rows_per_piece])
