"""Where the ion table starts: the directions in which the fragment masses of real structures differ most."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

if TYPE_CHECKING:
    from diptych.embedding import JointEmbedding
    from diptych.molecules.sparse import SparseFeatures

_MAX_ROWS = 20_000
_OVERSAMPLING = 16


def start_ion_table(model: JointEmbedding, fragments: SparseFeatures, *, seed: int) -> None:
    """Fill the ion table of a model with the leading right singular vectors of structures' fragment masses.

    Parameters
    ----------
    model
        With an ion table; its weights are changed in place, their size stays what it was.
    fragments
        Of the structures to be trained with; at most 20,000 of them, drawn by the seed, are used.

    Notes
    -----
    With unit rows Y (structures by bins) the product <x, y> of a spectrum and a structure is kept best, over structures
    as they are, by projecting on the leading right singular vectors V of Y (Eckart and Young 1936,
    doi:10.1007/BF02288367); computed by randomised subspace iteration (Halko et al. 2011, doi:10.1137/090771806).
    """
    table = model.ion_table
    if table is None:
        return
    rng = np.random.default_rng(seed)
    rows = _unit_rows(fragments, model.structure_encoder.fragment_weights.numpy(), rng=rng)
    directions = right_singular_vectors(rows, n=table.dim, rng=rng)
    with torch.no_grad():
        start = torch.from_numpy(directions)
        table.weight.copy_(start * (table.weight.norm() / start.norm()))


def _unit_rows(
    fragments: SparseFeatures, class_weights: NDArray[np.float32], *, rng: np.random.Generator
) -> sparse.csr_matrix:
    chosen = np.sort(rng.permutation(len(fragments))[:_MAX_ROWS])
    kept = fragments.take(chosen)
    weights = class_weights[kept.values.astype(np.int64)]
    rows = sparse.csr_matrix((weights, kept.indices, kept.indptr), shape=(len(kept), kept.width))
    norms = np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())
    return (sparse.diags(1 / np.maximum(norms, 1e-6)) @ rows).astype(np.float32).tocsr()


def right_singular_vectors(
    rows: sparse.csr_matrix, *, n: int, rng: np.random.Generator, n_iterations: int = 2
) -> NDArray[np.float32]:
    """Return the n leading right singular vectors as columns, float32 of shape (n_columns, n).

    Where there are fewer rows or columns than n, the columns beyond are random and small.
    """
    n_found = min(n + _OVERSAMPLING, *rows.shape)
    columns = rows.T.tocsr()
    basis = rng.standard_normal((rows.shape[1], n_found)).astype(np.float32)
    for _ in range(n_iterations + 1):
        left = np.linalg.qr(rows @ basis)[0]
        basis = np.linalg.qr(columns @ left)[0]
    left_small, _, right = np.linalg.svd(rows @ basis, full_matrices=False)
    del left_small
    found = basis @ right.T[:, :n]
    missing = n - found.shape[1]
    spare = rng.standard_normal((rows.shape[1], missing)) * 0.1 / np.sqrt(rows.shape[1])
    return np.concatenate([found, spare], axis=1).astype(np.float32)
