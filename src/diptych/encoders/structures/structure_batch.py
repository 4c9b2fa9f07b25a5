"""A batch of structures: what the tower's own block sees, and the fragments for the ion block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar

import torch

from diptych.encoders.sparse_sum import SparseBatch
from diptych.molecules.sparse import SparseFeatures


class _OnDevice(Protocol):
    def to(self, device: torch.device) -> Self:
        """Return the tensors on a device."""


_Own = TypeVar("_Own", bound=_OnDevice)


@dataclass(frozen=True, kw_only=True, eq=False)
class StructureBatch(Generic[_Own]):
    """Structures of one batch.

    Attributes
    ----------
    own
        n structures as the tower's learned block takes them.
    fragments
        n sparse rows of the masses that the structures can break into, valued by fragment class; None without ion
        table.
    """

    own: _Own
    fragments: SparseBatch | None

    @classmethod
    def of(cls, own: _Own, fragments: SparseFeatures | None) -> Self:
        """Return a batch of a tower's own part and the fragments, if there are any."""
        return cls(own=own, fragments=None if fragments is None else SparseBatch.from_features(fragments))

    def to(self, device: torch.device) -> Self:
        """Return the batch on a device."""
        fragments = None if self.fragments is None else self.fragments.to(device)
        return type(self)(own=self.own.to(device), fragments=fragments)
