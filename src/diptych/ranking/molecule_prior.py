"""Rankers that see no spectrum: how much a structure looks like something that people measure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, sparse

from diptych.errors import EvaluationError
from diptych.molecules.similarity import greatest_similarity, packed_fingerprints
from diptych.ranking.query import queries_by_list

if TYPE_CHECKING:
    from diptych.molecules.structure import Structure
    from diptych.ranking.query import Query

_WIDTH = 2048
# Equal candidates must stay equal after sums over them, else rounding decides ties.
_DECIMALS = 6


class MoleculePriorRanker:
    """Scores a candidate by the log-odds that it is a measured molecule and none of a library, the spectrum unseen.

    Parameters
    ----------
    measured
        Molecules of the training fold.
    others
        Structures of a library; those that were measured, too, are left out.
    penalty
        Weight of the squared coefficients.

    Raises
    ------
    EvaluationError
        There are no measured molecules, or no others.

    Notes
    -----
    Logistic regression on Morgan bits x (radius 2, 2048), fitted by L-BFGS: the least of
    sum_i w_i ln(1 + exp(-y_i (a.x_i + b))) + penalty / 2 |a|^2, y = 1 for measured and -1 for others, with weights w
    that give both kinds half of the total n.
    """

    def __init__(self, measured: Sequence[Structure], others: Sequence[Structure], *, penalty: float = 1.0) -> None:
        first = {s.inchikey_first_block: s.smiles for s in measured}
        second = {s.inchikey_first_block: s.smiles for s in others if s.inchikey_first_block not in first}
        if not first or not second:
            raise EvaluationError(
                f"molecule prior: {len(first)} measured molecules and {len(second)} others; expected some of both"
            )
        self.name = "molecule_prior"
        labels = np.repeat([1.0, -1.0], [len(first), len(second)])
        self.coefficients = fit_logistic(_bits([*first.values(), *second.values()]), labels, penalty=penalty)

    def score(self, queries: Sequence[Query]) -> list[NDArray[np.floating]]:
        """Return log-odds, one float64 array per query; the same for all queries with one list."""
        scores: dict[int, NDArray[np.floating]] = {}
        for candidates, positions in queries_by_list(queries):
            bits = _bits([structure.smiles for structure in candidates.structures])
            odds = np.asarray(bits @ self.coefficients[:-1] + self.coefficients[-1]).round(_DECIMALS)
            scores |= dict.fromkeys(positions, odds)
        return [scores[i] for i in range(len(queries))]


def fit_logistic(rows: sparse.csr_matrix, labels: NDArray[np.float64], *, penalty: float) -> NDArray[np.float64]:
    """Return the coefficients of a logistic regression, the constant last; float64 of shape (n_columns + 1,).

    Parameters
    ----------
    rows
        Of shape (n, n_columns).
    labels
        1 or -1, of shape (n,); both kinds weigh the same in total.
    penalty
        See `MoleculePriorRanker`.
    """
    n_positive = np.count_nonzero(labels > 0)
    weight = np.where(labels > 0, 0.5 / n_positive, 0.5 / (labels.size - n_positive)) * labels.size

    def loss(coefficients: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        slopes = coefficients[:-1]
        margin = labels * (rows @ slopes + coefficients[-1])
        pull = -weight * labels * 0.5 * (1 - np.tanh(0.5 * margin))
        value = float(weight @ np.logaddexp(0, -margin) + 0.5 * penalty * slopes @ slopes)
        return value, np.append(rows.T @ pull + penalty * slopes, pull.sum())

    found = optimize.minimize(loss, np.zeros(rows.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 500})
    return np.asarray(found.x, dtype=np.float64)


class NearestMoleculeRanker:
    """Scores a candidate by its greatest Tanimoto similarity to a measured molecule, the spectrum unseen.

    Parameters
    ----------
    measured
        Molecules of the training fold.

    Notes
    -----
    Morgan bits (radius 2, 4096). What nearest neighbour by spectra reaches above this, it owes to the spectrum.
    """

    def __init__(self, measured: Sequence[Structure]) -> None:
        self.name = "nearest_molecule"
        distinct = {structure.inchikey_first_block: structure.smiles for structure in measured}
        self._measured = packed_fingerprints(list(distinct.values()))

    def score(self, queries: Sequence[Query]) -> list[NDArray[np.floating]]:
        """Return similarities in [0, 1], one float32 array per query; the same for all queries with one list."""
        scores: dict[int, NDArray[np.floating]] = {}
        for candidates, positions in queries_by_list(queries):
            packed = packed_fingerprints([structure.smiles for structure in candidates.structures])
            scores |= dict.fromkeys(positions, greatest_similarity(packed, self._measured).round(_DECIMALS))
        return [scores[i] for i in range(len(queries))]


def _bits(smiles: Sequence[str]) -> sparse.csr_matrix:
    packed = packed_fingerprints(smiles, width=_WIDTH)
    bits = np.unpackbits(packed.view(np.uint8), axis=1, bitorder="little").reshape(len(smiles), _WIDTH)
    return sparse.csr_matrix(bits, dtype=np.float64)
