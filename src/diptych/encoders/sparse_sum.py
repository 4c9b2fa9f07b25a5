"""Weighted sums of table rows: the first layer over sparse features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor
from torch.nn import functional

from diptych.molecules.sparse import SparseFeatures


@dataclass(frozen=True, kw_only=True, eq=False)
class SparseBatch:
    """Sparse rows as tensors.

    Attributes
    ----------
    columns
        int64, of shape (n_entries,).
    offsets
        int64, of shape (n_rows,): where each row starts.
    values
        Float32, of shape (n_entries,).
    """

    columns: Tensor
    offsets: Tensor
    values: Tensor

    @classmethod
    def from_features(cls, features: SparseFeatures) -> SparseBatch:
        """Return the rows as tensors."""
        return cls(
            columns=torch.from_numpy(features.indices.astype(np.int64)),
            offsets=torch.from_numpy(features.indptr[:-1].copy()),
            values=torch.from_numpy(features.values),
        )

    @classmethod
    def from_padded(cls, columns: Tensor, values: Tensor) -> SparseBatch:
        """Return rows from padded arrays of shape (n_rows, n_slots); slots of value 0 are empty."""
        filled = values > 0
        counts = filled.sum(dim=1)
        return cls(columns=columns[filled], offsets=torch.cumsum(counts, dim=0) - counts, values=values[filled])

    def to(self, device: torch.device) -> SparseBatch:
        """Return the rows on a device."""
        return SparseBatch(
            columns=self.columns.to(device), offsets=self.offsets.to(device), values=self.values.to(device)
        )


def sparse_sum(batch: SparseBatch, table: Tensor) -> Tensor:
    """Return for each row the sum of the table rows that its columns name, times their values.

    Parameters
    ----------
    batch
        n_rows sparse rows.
    table
        Float32, of shape (n_columns, dim).

    Returns
    -------
    torch.Tensor
        Float32, of shape (n_rows, dim): y_r = sum_e v_e T[c_e] over the entries e of row r.
    """
    if table.is_cuda or batch.values.requires_grad or not (table.requires_grad and torch.is_grad_enabled()):
        return functional.embedding_bag(
            batch.columns, table, batch.offsets, mode="sum", per_sample_weights=batch.values
        )
    result: Tensor = _SparseSum.apply(table, batch.columns, batch.offsets, batch.values)  # type: ignore[no-untyped-call]
    return result


class _SparseSum(torch.autograd.Function):
    """`embedding_bag` whose gradient on CPUs is one sparse matrix product: five times faster than torch's own."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, columns: Tensor, offsets: Tensor, values: Tensor) -> Tensor:  # noqa: ANN401
        ctx.save_for_backward(columns, offsets, values)
        ctx.n_columns = table.shape[0]
        return functional.embedding_bag(columns, table, offsets, mode="sum", per_sample_weights=values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:  # noqa: ANN401
        columns, offsets, values = ctx.saved_tensors
        indptr = np.append(offsets.numpy(), len(columns))
        rows = sparse.csr_matrix((values.numpy(), columns.numpy(), indptr), shape=(len(offsets), ctx.n_columns))
        gradient = rows.T.tocsr() @ gradients[0].contiguous().numpy()
        return torch.from_numpy(np.asarray(gradient)), None, None, None
