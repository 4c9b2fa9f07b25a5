"""Structure towers that see a molecule as a graph: JESTR's graph convolutions, GIN, GAT and GraphSAGE."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from diptych.encoders.ion_block import fragment_featuriser, joined_with_fragments, learned_dim
from diptych.encoders.ion_table import IonTable
from diptych.encoders.output import EncoderOutput
from diptych.encoders.residual_mlp import ResidualMLP
from diptych.encoders.structures.graph_batch import GraphBatch, Pooling, check_pooling
from diptych.encoders.structures.graph_layers import Adjacency, GraphLayers, JestrLayers, ResidualLayers
from diptych.encoders.structures.graph_pretrained import start_from
from diptych.encoders.structures.structure_batch import StructureBatch
from diptych.molecules.features import StructureFeatures, StructureFeaturiser
from diptych.molecules.fragmentation import class_weights
from diptych.molecules.graphs import GraphFeaturiser


class GraphTower(nn.Module):
    """Graph layers -> pooling over atoms -> head, beside the sum of the ion vectors of the fragments.

    Parameters
    ----------
    layers
        What makes a vector of each atom.
    head
        Makes of ``layers.dim`` and ``learned_dim`` what turns a pooled vector into the learned block.
    embedding_dim
        Length of the vectors, those of the ion table included.
    ion_table
        Shared with the spectrum tower; None leaves that block out.
    ion_weight
        Weight of the ion block relative to the learned block.
    pooling
        ``"mean"`` or ``"max"`` over the atoms of a molecule.
    atom_vectors
        Whether each atom's vector goes through the head too, to be returned as a token in the space of the learned
        block: the vector that a molecule of that atom alone, seen in its surroundings, would have.
    pretrained
        Folder of ``diptych pretrain graph`` whose layers are the start; empty for none. It is read when a tower is
        made for training, and not needed by a saved model.

    Attributes
    ----------
    tower
        Its name in configurations.
    atoms_are_nodes
        Whether the work is done for every atom, so that a processor is faster with few molecules at a time.
    """

    tower: ClassVar[str]
    atoms_are_nodes: ClassVar[bool] = True

    def __init__(
        self,
        layers: GraphLayers,
        head: Callable[[int, int], nn.Module],
        *,
        embedding_dim: int,
        ion_table: IonTable | None,
        ion_weight: float,
        pooling: Pooling,
        atom_vectors: bool,
        pretrained: str,
    ) -> None:
        super().__init__()
        check_pooling(pooling)
        self.embedding_dim, self.ion_table, self.ion_weight = embedding_dim, ion_table, ion_weight
        self.pooling, self.atom_vectors = pooling, atom_vectors
        self.layers = layers
        self.head = head(layers.dim, learned_dim(embedding_dim, ion_table))
        self.fragment_weights: Tensor
        self.register_buffer("fragment_weights", torch.from_numpy(class_weights()), persistent=False)
        if pretrained:
            start_from(layers, Path(pretrained), tower=self.tower)

    @property
    def featuriser(self) -> StructureFeaturiser:
        """What makes features of molecules; needs no torch, and can be sent to other processes."""
        return StructureFeaturiser(own=GraphFeaturiser(), fragments=fragment_featuriser(self.ion_table))

    def settings(self) -> dict[str, Any]:
        """Return what the tower was built with, but for where its layers started."""
        return {
            "ion_weight": self.ion_weight,
            **self.layers.settings(),
            "pooling": self.pooling,
            "atom_vectors": self.atom_vectors,
        }

    def collate(self, features: StructureFeatures) -> StructureBatch[GraphBatch]:
        """Return features as one batch."""
        return StructureBatch.of(GraphBatch.of(features.own), features.fragments)

    def forward(self, batch: StructureBatch[GraphBatch]) -> EncoderOutput:
        """Return unit vectors, (n, embedding_dim), and one of every atom, (n, n_slots, learned_dim), if wanted."""
        atoms = self.layers(batch.own)
        output = joined_with_fragments(
            self.head(batch.own.pooled(atoms, self.pooling)),
            batch.fragments,
            self.ion_table,
            ion_weight=self.ion_weight,
            class_weights=self.fragment_weights,
        )
        if not self.atom_vectors:
            return output
        tokens, mask = batch.own.padded(functional.normalize(self.head(atoms).float(), dim=-1))
        return output._replace(token_vectors=tokens, token_mask=mask)


class JestrStructureEncoder(GraphTower):
    """The structure tower of JESTR: three graph convolutions, the largest value over atoms, two linear layers.

    Parameters
    ----------
    embedding_dim, ion_table, ion_weight, pooling, atom_vectors, pretrained
        Of `GraphTower`. JESTR's vectors have ``embedding_dim = 512`` and no ion block.
    channels, layer_dropout, adjacency
        Of `JestrLayers`.
    hidden_dim
        Width of the first linear layer.
    dropout
        Share left out after each linear layer, the last included.

    Notes
    -----
    With h_i the atom vectors that `JestrLayers` makes, z = D(W_2 D(relu(W_1 max_i h_i + b_1)) + b_2), D dropout,
    brought to unit length: Kalia et al., doi:10.48550/arXiv.2411.14464, and the code published with it.
    """

    tower = "gcn"

    def __init__(
        self,
        *,
        embedding_dim: int,
        ion_table: IonTable | None = None,
        ion_weight: float = 2.0,
        channels: Sequence[int] = (64, 128, 256),
        adjacency: Adjacency = "sum",
        layer_dropout: float = 0.2,
        pooling: Pooling = "max",
        hidden_dim: int = 1024,
        dropout: float = 0.4,
        atom_vectors: bool = False,
        pretrained: str = "",
    ) -> None:
        super().__init__(
            JestrLayers(channels=channels, dropout=layer_dropout, adjacency=adjacency),
            lambda n_in, n_out: nn.Sequential(
                *(nn.Linear(n_in, hidden_dim), nn.ReLU(), nn.Dropout(dropout)),
                *(nn.Linear(hidden_dim, n_out), nn.Dropout(dropout)),
            ),
            embedding_dim=embedding_dim,
            ion_table=ion_table,
            ion_weight=ion_weight,
            pooling=pooling,
            atom_vectors=atom_vectors,
            pretrained=pretrained,
        )
        self.layer_dropout, self.hidden_dim, self.dropout = layer_dropout, hidden_dim, dropout

    def settings(self) -> dict[str, Any]:
        """Return what the tower was built with, but for where its layers started."""
        own = {"layer_dropout": self.layer_dropout, "hidden_dim": self.hidden_dim, "dropout": self.dropout}
        return {**super().settings(), **own}


class GraphIsomorphismEncoder(GraphTower):
    """Graph isomorphism network with bond features (GIN), then an MLP.

    Parameters
    ----------
    embedding_dim, ion_table, ion_weight, pooling, atom_vectors, pretrained
        Of `GraphTower`.
    hidden_dim, n_layers
        Of `ResidualLayers`, which states the equations; the MLP is as wide.
    dropout
        Of the layers and of the MLP.
    """

    tower = "gin"

    def __init__(
        self,
        *,
        embedding_dim: int,
        ion_table: IonTable | None = None,
        ion_weight: float = 2.0,
        hidden_dim: int = 256,
        n_layers: int = 4,
        pooling: Pooling = "mean",
        dropout: float = 0.1,
        atom_vectors: bool = True,
        pretrained: str = "",
    ) -> None:
        super().__init__(
            ResidualLayers(self.tower, hidden_dim=hidden_dim, n_layers=n_layers, dropout=dropout),
            lambda n_in, n_out: ResidualMLP(hidden_dim=n_in, output_dim=n_out, dropout=dropout),
            embedding_dim=embedding_dim,
            ion_table=ion_table,
            ion_weight=ion_weight,
            pooling=pooling,
            atom_vectors=atom_vectors,
            pretrained=pretrained,
        )
        self.dropout = dropout

    def settings(self) -> dict[str, Any]:
        """Return what the tower was built with, but for where its layers started."""
        return {**super().settings(), "dropout": self.dropout}


class GraphSageEncoder(GraphIsomorphismEncoder):
    """GraphSAGE with the mean of the neighbours, then an MLP; bond features are not seen. Options: as of GIN."""

    tower = "graphsage"


class GraphAttentionEncoder(GraphTower):
    """Graph attention network with bond features (GATv2), then an MLP.

    Parameters
    ----------
    embedding_dim, ion_table, ion_weight, pooling, atom_vectors, pretrained
        Of `GraphTower`.
    hidden_dim, n_layers, n_heads
        Of `ResidualLayers`, which states the equations; the MLP is as wide.
    dropout
        Of the layers and of the MLP.
    """

    tower = "gat"

    def __init__(
        self,
        *,
        embedding_dim: int,
        ion_table: IonTable | None = None,
        ion_weight: float = 2.0,
        hidden_dim: int = 256,
        n_layers: int = 4,
        n_heads: int = 4,
        pooling: Pooling = "mean",
        dropout: float = 0.1,
        atom_vectors: bool = True,
        pretrained: str = "",
    ) -> None:
        super().__init__(
            ResidualLayers(self.tower, hidden_dim=hidden_dim, n_layers=n_layers, n_heads=n_heads, dropout=dropout),
            lambda n_in, n_out: ResidualMLP(hidden_dim=n_in, output_dim=n_out, dropout=dropout),
            embedding_dim=embedding_dim,
            ion_table=ion_table,
            ion_weight=ion_weight,
            pooling=pooling,
            atom_vectors=atom_vectors,
            pretrained=pretrained,
        )
        self.dropout = dropout

    def settings(self) -> dict[str, Any]:
        """Return what the tower was built with, but for where its layers started."""
        return {**super().settings(), "dropout": self.dropout}
