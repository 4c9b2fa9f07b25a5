"""Structure tower: Morgan counts through an MLP, beside the masses of the fragments that the structure breaks into."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from diptych.encoders.ion_block import fragment_featuriser, joined_with_fragments, learned_dim
from diptych.encoders.ion_table import IonTable
from diptych.encoders.output import EncoderOutput
from diptych.encoders.residual_mlp import ResidualMLP
from diptych.encoders.sparse_sum import SparseBatch, sparse_sum
from diptych.encoders.structures.structure_batch import StructureBatch
from diptych.molecules.features import StructureFeatures, StructureFeaturiser
from diptych.molecules.fingerprints import MorganFeaturiser
from diptych.molecules.fragmentation import class_weights


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

    Notes
    -----
    With n_k the number of atom environments that the fingerprint folds to column k, and T the vectors of columns,
    z = MLP(sum_k log(1 + n_k) T_k), brought to unit length, MLP being `ResidualMLP`. The environments are those of
    Rogers and Hahn, doi:10.1021/ci100050t.
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
        output_dim = learned_dim(embedding_dim, ion_table)
        self.mlp = ResidualMLP(hidden_dim=hidden_dim, output_dim=output_dim, dropout=dropout)
        self.fragment_weights: Tensor
        self.register_buffer("fragment_weights", torch.from_numpy(class_weights()), persistent=False)

    @property
    def featuriser(self) -> StructureFeaturiser:
        """What makes features of molecules; needs no torch, and can be sent to other processes."""
        return StructureFeaturiser(
            own=MorganFeaturiser(radius=self.radius, width=self.width), fragments=fragment_featuriser(self.ion_table)
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

    def collate(self, features: StructureFeatures) -> StructureBatch[SparseBatch]:
        """Return features as one batch."""
        return StructureBatch.of(SparseBatch.from_features(features.own), features.fragments)

    def forward(self, batch: StructureBatch[SparseBatch]) -> EncoderOutput:
        """Return unit vectors, (n, embedding_dim)."""
        return joined_with_fragments(
            self.mlp(sparse_sum(batch.own, self.bits)),
            batch.fragments,
            self.ion_table,
            ion_weight=self.ion_weight,
            class_weights=self.fragment_weights,
        )
