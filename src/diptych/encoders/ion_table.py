"""The vectors of fragment masses, one table that both towers look up: where a peak and a fragment meet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from diptych.encoders.options import built
from diptych.encoders.sparse_sum import SparseBatch, sparse_sum


class IonTable(nn.Module):
    """One learned vector per (hashed) bin of neutral fragment mass, shared by both towers.

    A spectrum is the sum of the vectors of its peaks' masses, a structure the sum of those of the masses it can break
    into, so that their dot product counts the peaks that the structure explains, for masses never seen in training too.

    Parameters
    ----------
    bins_per_da
        Bins per Da.
    width
        Number of rows that the bins are hashed to.
    dim
        Length of the vectors.

    Notes
    -----
    x = sum_p a_p T[b_p], y = sum_f w_f T[b_f], <x, y> = sum_pf a_p w_f <T[b_p], T[b_f]>. At the start the rows are
    random and so nearly orthogonal: the sum is over the masses in common (random projection, Johnson and
    Lindenstrauss 1984). Training then learns which masses stand for each other.
    """

    def __init__(self, *, bins_per_da: int = 200, width: int = 16384, dim: int = 128) -> None:
        super().__init__()
        self.bins_per_da, self.width, self.dim = bins_per_da, width, dim
        self.weight = nn.Parameter(torch.randn(width, dim) / dim**0.5)

    def forward(self, batch: SparseBatch) -> Tensor:
        """Return (n_rows, dim): the weighted sum of the vectors of each row's bins."""
        return sparse_sum(batch, self.weight)

    def settings(self) -> dict[str, int]:
        """Return what the table was built with."""
        return {"bins_per_da": self.bins_per_da, "width": self.width, "dim": self.dim}


def build_ion_table(options: Mapping[str, Any] | None) -> IonTable | None:
    """Return the ion table of a configuration; None for none.

    Raises
    ------
    ConfigError
        An option is unknown, or has a wrong type or an impossible value.
    """
    return None if options is None else built(IonTable, options, owner="model.ions", place="model.ions.")
