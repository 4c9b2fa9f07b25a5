"""Structure tower: Morgan counts through an MLP, beside the masses of the fragments that the structure breaks into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from diptych.encoders.ion_table import IonTable
from diptych.encoders.output import EncoderOutput, joined_blocks
from diptych.encoders.residual_mlp import ResidualMLP
from diptych.encoders.sparse_sum import SparseBatch, sparse_sum
from diptych.molecules.features import StructureFeatures, StructureFeaturiser
from diptych.molecules.fingerprints import MorganFeaturiser
from diptych.molecules.fragmentation import FragmentFeaturiser, class_weights


@dataclass(frozen=True, kw_only=True, eq=False)
class FingerprintBatch:
    """Structures of one batch.

    Attributes
    ----------
    fingerprint
        n sparse rows of Morgan counts.
    ions
        n sparse rows of the masses that the structures can break into, weighted by how easily; None without ion table.
    """

    fingerprint: SparseBatch
    ions: SparseBatch | None

    def to(self, device: torch.device) -> FingerprintBatch:
        """Return the batch on a device."""
        return FingerprintBatch(
            fingerprint=self.fingerprint.to(device), ions=None if self.ions is None else self.ions.to(device)
        )


class FingerprintEncoder(nn.Module):
    """Morgan counts -> MLP, beside the sum of the ion vectors of the fragments.

    Parameters
    ----------
    embedding_dim
        Length of the vectors, those of the ion table included.
    ion_table
        Shared with the spectrum tower; None leaves that block out.
    ion_weight
        Weight of the ion block relative to the learned block.
    radius, width
        Of the fingerprint.
    hidden_dim, dropout
        Of the MLP.
    """

    def __init__(
        self,
        *,
        embedding_dim: int,
        ion_table: IonTable | None = None,
        ion_weight: float = 2.0,
        radius: int = 2,
        width: int = 4096,
        hidden_dim: int = 512,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        self.embedding_dim = embedding_dim
        self.ion_table, self.ion_weight = ion_table, ion_weight
        self.radius, self.width, self.hidden_dim, self.dropout = radius, width, hidden_dim, dropout
        self.bits = nn.Parameter(torch.randn(width, hidden_dim) * 0.05)
        learned_dim = embedding_dim - (ion_table.dim if ion_table else 0)
        self.mlp = ResidualMLP(hidden_dim=hidden_dim, output_dim=learned_dim, dropout=dropout)
        self.fragment_weights: Tensor
        self.register_buffer("fragment_weights", torch.from_numpy(class_weights()), persistent=False)

    @property
    def featuriser(self) -> StructureFeaturiser:
        """What makes features of molecules; needs no torch, and can be sent to other processes."""
        table = self.ion_table
        fragments = None if table is None else FragmentFeaturiser(bins_per_da=table.bins_per_da, width=table.width)
        return StructureFeaturiser(
            fingerprint=MorganFeaturiser(radius=self.radius, width=self.width), fragments=fragments
        )

    def settings(self) -> dict[str, Any]:
        """Return what the tower was built with."""
        return {
            "ion_weight": self.ion_weight,
            "radius": self.radius,
            "width": self.width,
            "hidden_dim": self.hidden_dim,
            "dropout": self.dropout,
        }

    def collate(self, features: StructureFeatures) -> FingerprintBatch:
        """Return features as one batch."""
        ions = None if features.fragments is None else SparseBatch.from_features(features.fragments)
        return FingerprintBatch(fingerprint=SparseBatch.from_features(features.fingerprint), ions=ions)

    def forward(self, batch: FingerprintBatch) -> EncoderOutput:
        """Return unit vectors, (n, embedding_dim)."""
        blocks, weights = [self.mlp(sparse_sum(batch.fingerprint, self.bits))], [1.0]
        if self.ion_table is not None and batch.ions is not None:
            values = self.fragment_weights[batch.ions.values.long()]
            ions = SparseBatch(columns=batch.ions.columns, offsets=batch.ions.offsets, values=values)
            blocks.append(self.ion_table(ions))
            weights.append(self.ion_weight)
        return joined_blocks(blocks, weights)
