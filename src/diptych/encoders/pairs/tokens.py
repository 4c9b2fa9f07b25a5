"""Vectors of the parts of spectra and structures, outside the training loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

from diptych.encoders.output import EncoderOutput
from diptych.errors import ConfigError


@dataclass(frozen=True, kw_only=True, eq=False)
class TokenVectors:
    """One vector for each part (peak, atom) of spectra or structures.

    Attributes
    ----------
    vectors
        Float32, of shape (n, n_slots, dim), unit rows.
    mask
        Bool, of shape (n, n_slots): True where there is a part.
    """

    vectors: Tensor
    mask: Tensor

    @classmethod
    def of(cls, output: EncoderOutput, *, tower: str) -> Self:
        """Return the tokens of a tower's output, on the CPU.

        Raises
        ------
        ConfigError
            The tower has none.
        """
        if output.token_vectors is None or output.token_mask is None:
            raise ConfigError(
                f"late interaction needs a vector for each peak and each atom; the tower {tower} returns none; "
                "expected towers that do, such as 'peak-transformer' and 'gat'"
            )
        return cls(vectors=output.token_vectors.float().cpu(), mask=output.token_mask.cpu())

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Return tables one below the other, padded to the widest; at least one."""
        width = max(part.mask.shape[1] for part in parts)
        return cls(
            vectors=torch.cat([functional.pad(p.vectors, (0, 0, 0, width - p.mask.shape[1])) for p in parts]),
            mask=torch.cat([functional.pad(p.mask, (0, width - p.mask.shape[1])) for p in parts]),
        )

    def __len__(self) -> int:
        return len(self.mask)

    def take(self, rows: Sequence[int]) -> Self:
        """Return some rows."""
        chosen = torch.as_tensor(list(rows), dtype=torch.int64)
        return type(self)(vectors=self.vectors[chosen], mask=self.mask[chosen])
