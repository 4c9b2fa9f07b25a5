"""Tanimoto neighbours among many molecules, by packed Morgan bits and without a matrix of all pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator

from diptych.errors import StructureError
from diptych.molecules.structure import mol_from_smiles, standardise

_BITS_PER_WORD = 64
_ROWS_AT_A_TIME = 128


@dataclass(frozen=True, kw_only=True, eq=False)
class SimilarPairs:
    """Pairs of rows whose Tanimoto similarity reaches a threshold.

    Attributes
    ----------
    first, second
        int64, of shape (n_pairs,): rows of the two tables compared.
    similarity
        float32, of shape (n_pairs,), in [threshold, 1].
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    similarity: NDArray[np.float32]


def standard_smiles(text: str) -> str:
    """Return the canonical SMILES of the standardised molecule, without the cost of its InChIKey.

    Raises
    ------
    StructureError
        The SMILES cannot be parsed or standardised.

    Examples
    --------
    >>> standard_smiles("[Na+].[O-]C(=O)[C@@H](N)C")
    'CC(N)C(=O)O'
    """
    return str(Chem.MolToSmiles(standardise(mol_from_smiles(text))))


def packed_fingerprints(smiles: Sequence[str], *, radius: int = 2, width: int = 4096) -> NDArray[np.uint64]:
    """Return Morgan bit fingerprints, uint64 of shape (n, width / 64), 64 bits to the word.

    Raises
    ------
    StructureError
        A SMILES cannot be parsed, or ``width`` is not a multiple of 64.

    Notes
    -----
    Extended-connectivity fingerprints, Rogers and Hahn 2010, DOI 10.1021/ci100050t, folded to ``width`` bits; 4096
    rather than the usual 2048 to halve the chance collisions that make strangers look alike.
    """
    if width % _BITS_PER_WORD:
        raise StructureError(f"fingerprint width {width}; expected a multiple of {_BITS_PER_WORD}")
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=radius, fpSize=width)
    packed = np.zeros((len(smiles), width // _BITS_PER_WORD), dtype=np.uint64)
    for row, text in enumerate(smiles):
        mol = Chem.MolFromSmiles(text)
        if mol is None:
            raise StructureError(f"row {row}: SMILES {text!r} cannot be parsed; expected standardised structures")
        data = DataStructs.BitVectToBinaryText(generator.GetFingerprint(mol))
        packed[row] = np.frombuffer(data, dtype=np.uint64)
    return packed


def similar_pairs(first: NDArray[np.uint64], second: NDArray[np.uint64], *, threshold: float) -> SimilarPairs:
    """Return every pair of a row of ``first`` and a row of ``second`` with Tanimoto similarity >= ``threshold``.

    Parameters
    ----------
    first, second
        Packed fingerprints, uint64 of shapes (n_first, n_words) and (n_second, n_words).
    threshold
        In (0, 1].

    Notes
    -----
    The intersection of two fingerprints is at most the smaller, so T(a, b) <= min(|a|, |b|) / max(|a|, |b|) (Swamidass
    and Baldi 2007, DOI 10.1021/ci600358f, eq. 2); with rows sorted by their number of bits, each chunk is compared only
    with the slice that this bound leaves.
    """
    parts = list(_chunks(first, second, threshold=threshold))
    return SimilarPairs(
        first=np.concatenate([part.first for part in parts] or [np.empty(0, np.int64)]),
        second=np.concatenate([part.second for part in parts] or [np.empty(0, np.int64)]),
        similarity=np.concatenate([part.similarity for part in parts] or [np.empty(0, np.float32)]),
    )


def greatest_similarity(first: NDArray[np.uint64], second: NDArray[np.uint64]) -> NDArray[np.float32]:
    """Return for each row of ``first`` its greatest Tanimoto similarity to a row of ``second``.

    Returns
    -------
    ndarray
        float32, of shape (n_first,), in [0, 1]; 0 where ``second`` has no row.
    """
    greatest = np.zeros(len(first), dtype=np.float32)
    if not len(second):
        return greatest
    columns, counts = np.ascontiguousarray(second.T), _bit_counts(second)
    for start in range(0, len(first), _ROWS_AT_A_TIME):
        rows = first[start : start + _ROWS_AT_A_TIME]
        greatest[start : start + len(rows)] = _tanimoto(rows, columns, counts).max(axis=1)
    return greatest


def aligned_similarity(first: NDArray[np.uint64], second: NDArray[np.uint64]) -> NDArray[np.float32]:
    """Return the Tanimoto similarity of each row of ``first`` to the same row of ``second``, float32 of shape (n,)."""
    shared = np.bitwise_count(first & second).sum(axis=1, dtype=np.int64)
    either = _bit_counts(first) + _bit_counts(second) - shared
    return np.asarray(shared / np.maximum(either, 1), dtype=np.float32)


def _chunks(first: NDArray[np.uint64], second: NDArray[np.uint64], *, threshold: float) -> Iterator[SimilarPairs]:
    first_counts, second_counts = _bit_counts(first), _bit_counts(second)
    first_order, second_order = np.argsort(first_counts, kind="stable"), np.argsort(second_counts, kind="stable")
    columns, counts = np.ascontiguousarray(second[second_order].T), second_counts[second_order]
    for start in range(0, len(first), _ROWS_AT_A_TIME):
        rows = first_order[start : start + _ROWS_AT_A_TIME]
        low = int(np.searchsorted(counts, first_counts[rows[0]] * threshold - 1))
        high = int(np.searchsorted(counts, first_counts[rows[-1]] / threshold + 1, side="right"))
        similarity = _tanimoto(first[rows], columns[:, low:high], counts[low:high])
        row, column = np.nonzero(similarity >= np.float32(threshold))
        yield SimilarPairs(
            first=rows[row].astype(np.int64),
            second=second_order[low + column].astype(np.int64),
            similarity=similarity[row, column],
        )


def _bit_counts(packed: NDArray[np.uint64]) -> NDArray[np.int32]:
    counts: NDArray[np.int32] = np.bitwise_count(packed).sum(axis=1, dtype=np.int32)
    return counts


def _tanimoto(
    rows: NDArray[np.uint64], columns: NDArray[np.uint64], column_counts: NDArray[np.int32]
) -> NDArray[np.float32]:
    shared = np.zeros((len(rows), columns.shape[1]), dtype=np.uint16)
    for word in range(columns.shape[0]):
        shared += np.bitwise_count(rows[:, word, None] & columns[word])
    either = _bit_counts(rows)[:, None] + column_counts - shared
    # Two molecules without a single bit are alike in nothing: 0, not 0 / 0.
    similarity: NDArray[np.float32] = shared.astype(np.float32) / np.maximum(either, 1).astype(np.float32)
    return similarity
