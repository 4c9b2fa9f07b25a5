"""How much listed structures resemble a molecule, and the most similar ones of each list."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from diptych.training.ragged import Ragged

_PAIRS_AT_A_TIME = 100_000


class Likeness(NamedTuple):
    """Lists with a number for each of their values.

    Attributes
    ----------
    lists
        For each molecule rows of the structure table.
    similarity
        float32, aligned with ``lists.values``.
    """

    lists: Ragged
    similarity: NDArray[np.float32]


def most_similar(lists: Ragged, similarity: NDArray[np.float32], *, at_most: int) -> Likeness:
    """Return the most similar values of each list, the most similar first; of equal ones those that stand first."""
    owners = lists.owners
    order = np.lexsort((-similarity, owners))
    rank = np.arange(len(owners)) - lists.offsets[:-1][owners]
    kept = order[rank < at_most]
    lengths = np.minimum(lists.lengths, at_most)
    return Likeness(
        lists=Ragged(values=lists.values[kept], offsets=np.concatenate([[0], np.cumsum(lengths)])),
        similarity=similarity[kept],
    )


def tanimoto_to_owner(lists: Ragged, packed: NDArray[np.uint64]) -> NDArray[np.float32]:
    """Return the Tanimoto similarity of each listed structure to the molecule that owns the list.

    Parameters
    ----------
    lists
        For each molecule (row i of ``packed``) other rows of it.
    packed
        Fingerprints of all structures, uint64 of shape (n_structures, n_words).

    Returns
    -------
    ndarray
        float32, of shape (n_values,), in [0, 1]: bits in both / bits in either; 0 where neither has one.

    Notes
    -----
    T(a, b) = |a and b| / |a or b|: Rogers and Tanimoto 1960, doi:10.1126/science.132.3434.1115.
    """
    counts = np.bitwise_count(packed).sum(axis=1, dtype=np.int64)
    owners, values = lists.owners, lists.values
    similarity = np.zeros(len(values), dtype=np.float32)
    for start in range(0, len(values), _PAIRS_AT_A_TIME):
        part = slice(start, start + _PAIRS_AT_A_TIME)
        both = np.bitwise_count(packed[owners[part]] & packed[values[part]]).sum(axis=1, dtype=np.int64)
        either = counts[owners[part]] + counts[values[part]] - both
        similarity[part] = both / np.maximum(either, 1)
    return similarity
