"""Which training molecules stand behind a decision: those that are nearest in the joint space."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diptych.errors import EvaluationError

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROWS_AT_A_TIME = 256


@dataclass(frozen=True, kw_only=True)
class Neighbour:
    """A training example near a query.

    Attributes
    ----------
    label
        Accession of the training spectrum, or first block of the training molecule.
    molecule
        Its first block.
    cosine
        Of the two vectors.
    """

    label: str
    molecule: str
    cosine: float


def nearest_examples(
    queries: NDArray[np.float32],
    training: NDArray[np.float32],
    *,
    labels: Sequence[str],
    molecules: Sequence[str],
    n: int = 5,
) -> list[list[Neighbour]]:
    """Return the training examples nearest to each query, of distinct molecules, nearest first.

    Parameters
    ----------
    queries, training
        Unit vectors of one space, float32, of shapes (n_queries, dim) and (n_training, dim).
    labels, molecules
        Of each training vector.
    n
        Molecules per query.

    Raises
    ------
    EvaluationError
        There is not one label and one molecule for each training vector.
    """
    if not len(training) == len(labels) == len(molecules):
        raise EvaluationError(
            f"{len(training)} training vectors with {len(labels)} labels and {len(molecules)} molecules; expected "
            "one of "
            "each"
        )
    return [
        _distinct(row, labels=labels, molecules=molecules, n=n)
        for block in _cosines(queries, training)
        for row in block
    ]


def _cosines(queries: NDArray[np.float32], training: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    for start in range(0, len(queries), _ROWS_AT_A_TIME):
        yield queries[start : start + _ROWS_AT_A_TIME] @ training.T


def _distinct(
    cosines: NDArray[np.float32], *, labels: Sequence[str], molecules: Sequence[str], n: int
) -> list[Neighbour]:
    found: dict[str, Neighbour] = {}
    for row in np.argsort(-cosines, kind="stable"):
        if len(found) == n:
            break
        neighbour = Neighbour(label=labels[row], molecule=molecules[row], cosine=float(cosines[row]))
        found.setdefault(molecules[row], neighbour)
    return list(found.values())
