"""Token sequences as padded tensors, worked on in groups of similar length so that little is padding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from diptych.molecules.token_sequences import TokenSequences

Pooling = Literal["mean", "cls"]
_GROUP_ROWS = 64


@dataclass(frozen=True, kw_only=True, eq=False)
class TokenBatch:
    """Token sequences of one batch.

    Attributes
    ----------
    ids
        int64, of shape (n, n_slots).
    mask
        Bool, of shape (n, n_slots): True where there is a token.
    """

    ids: Tensor
    mask: Tensor

    @classmethod
    def of(cls, sequences: TokenSequences, *, padding: int) -> TokenBatch:
        """Return the first sequence of each molecule."""
        ids = torch.from_numpy(sequences.padded(fill=padding))
        lengths = torch.from_numpy(sequences.lengths)
        return cls(ids=ids, mask=torch.arange(ids.shape[1]) < lengths[:, None])

    def __len__(self) -> int:
        """Return the number of molecules."""
        return len(self.ids)

    def to(self, device: torch.device) -> TokenBatch:
        """Return the batch on a device."""
        return TokenBatch(ids=self.ids.to(device), mask=self.mask.to(device))


def hidden_in_groups(batch: TokenBatch, encode: Callable[[TokenBatch], Tensor]) -> Tensor:
    """Return what ``encode`` makes of the tokens, float32 of shape (n, n_slots, dim), zero where there is none.

    Rows are sorted by length and worked on 64 at a time, each group padded to its own longest only.
    """
    lengths = batch.mask.sum(dim=1)
    order = torch.argsort(lengths, descending=True, stable=True)
    parts = []
    for rows in torch.split(order, _GROUP_ROWS):
        n_slots = int(lengths[rows[0]])
        group = TokenBatch(ids=batch.ids[rows, :n_slots], mask=batch.mask[rows, :n_slots])
        hidden = encode(group).float() * group.mask[..., None]
        parts.append(functional.pad(hidden, (0, 0, 0, batch.ids.shape[1] - n_slots)))
    return torch.cat(parts)[torch.argsort(order)]


def pooled(hidden: Tensor, mask: Tensor, pooling: Pooling) -> Tensor:
    """Return one vector for each sequence, (n, dim): the mean over its tokens, or the first token's."""
    if pooling == "cls":
        return hidden[:, 0]
    return (hidden * mask[..., None]).sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)


def check_pooling(pooling: str) -> None:
    """Raise unless the name of a pooling is known.

    Raises
    ------
    ValueError
        It is not.
    """
    if pooling not in {"mean", "cls"}:
        raise ValueError(f"pooling is {pooling!r}; expected 'mean' or 'cls'")
