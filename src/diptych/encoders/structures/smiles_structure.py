"""Structure tower: the tokens of a SMILES, attended to by one another."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from diptych.encoders.ion_block import fragment_featuriser, joined_with_fragments, learned_dim
from diptych.encoders.ion_table import IonTable
from diptych.encoders.output import EncoderOutput
from diptych.encoders.structures.structure_batch import StructureBatch
from diptych.encoders.structures.token_batch import Pooling, TokenBatch, check_pooling, hidden_in_groups, pooled
from diptych.molecules.features import StructureFeatures, StructureFeaturiser
from diptych.molecules.fragmentation import class_weights
from diptych.molecules.smiles_features import SmilesFeaturiser
from diptych.molecules.smiles_tokens import PAD, SPECIAL_TOKENS, TOKENS, VOCABULARY


class SmilesTransformerEncoder(nn.Module):
    """Tokens of a SMILES -> transformer, with a vector of the whole structure and one of every token.

    Parameters
    ----------
    embedding_dim
        Length of the vectors, those of the ion table included.
    ion_table
        Shared with the spectrum tower; None leaves that block out.
    ion_weight
        Weight of the ion block relative to the learned block.
    hidden_dim, n_layers, n_heads
        Of the transformer.
    pooling
        ``"mean"`` over the tokens, or ``"cls"``, the token in front.
    max_tokens
        Longer SMILES are cut.
    n_random_smiles
        Random SMILES of each molecule, of which, or of the canonical one, training draws one each time.
    dropout
        Share of what each layer adds that is left out in training.

    Notes
    -----
    t_i = E[token_i] + P[i]; then layers h <- h + A(LN(h)), h <- h + F(LN(h)) with A the attention (Vaswani et al.,
    doi:10.48550/arXiv.1706.03762) and normalisation first (Xiong et al., doi:10.48550/arXiv.2002.04745); x = W pool(h)
    + b is the learned block and the unit vector of W h_i + b the vector of token i. SMILES of atoms as tokens through
    a transformer: Schwaller et al., doi:10.1021/acscentsci.9b00576; random SMILES as augmentation: Bjerrum,
    doi:10.48550/arXiv.1703.07076.
    """

    def __init__(
        self,
        *,
        embedding_dim: int,
        ion_table: IonTable | None = None,
        ion_weight: float = 2.0,
        hidden_dim: int = 256,
        n_layers: int = 4,
        n_heads: int = 8,
        pooling: Pooling = "mean",
        max_tokens: int = 256,
        n_random_smiles: int = 4,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        check_pooling(pooling)
        if hidden_dim % n_heads:
            raise ValueError(f"n_heads is {n_heads}; expected a divisor of hidden_dim, {hidden_dim}")
        self.embedding_dim = embedding_dim
        self.ion_table, self.ion_weight = ion_table, ion_weight
        self.hidden_dim, self.n_layers, self.n_heads, self.dropout = hidden_dim, n_layers, n_heads, dropout
        self.pooling, self.max_tokens, self.n_random_smiles = pooling, max_tokens, n_random_smiles
        self.tokens = nn.Embedding(len(TOKENS), hidden_dim)
        self.positions = nn.Parameter(torch.randn(max_tokens, hidden_dim) * 0.02)
        layer = nn.TransformerEncoderLayer(
            hidden_dim, n_heads, 4 * hidden_dim, dropout, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(
            layer, n_layers, norm=nn.LayerNorm(hidden_dim), enable_nested_tensor=False, mask_check=False
        )
        self.output = nn.Linear(hidden_dim, learned_dim(embedding_dim, ion_table))
        nn.init.normal_(self.tokens.weight, std=0.02)
        self.fragment_weights: Tensor
        self.register_buffer("fragment_weights", torch.from_numpy(class_weights()), persistent=False)

    @property
    def featuriser(self) -> StructureFeaturiser:
        """What makes features of molecules; needs no torch, and can be sent to other processes."""
        own = SmilesFeaturiser(max_tokens=self.max_tokens, n_random_smiles=self.n_random_smiles)
        return StructureFeaturiser(own=own, fragments=fragment_featuriser(self.ion_table))

    def settings(self) -> dict[str, Any]:
        """Return what the tower was built with."""
        return {
            "ion_weight": self.ion_weight,
            "hidden_dim": self.hidden_dim,
            "n_layers": self.n_layers,
            "n_heads": self.n_heads,
            "pooling": self.pooling,
            "max_tokens": self.max_tokens,
            "n_random_smiles": self.n_random_smiles,
            "dropout": self.dropout,
        }

    def collate(self, features: StructureFeatures) -> StructureBatch[TokenBatch]:
        """Return features as one batch; of several SMILES of a molecule the first is taken."""
        return StructureBatch.of(TokenBatch.of(features.own, padding=VOCABULARY[PAD]), features.fragments)

    def forward(self, batch: StructureBatch[TokenBatch]) -> EncoderOutput:
        """Return unit vectors, (n, embedding_dim), and one of every token, (n, n_slots, learned_dim)."""
        hidden = hidden_in_groups(batch.own, self._hidden)
        output = joined_with_fragments(
            self.output(pooled(hidden, batch.own.mask, self.pooling)),
            batch.fragments,
            self.ion_table,
            ion_weight=self.ion_weight,
            class_weights=self.fragment_weights,
        )
        # Specials come first in the vocabulary.
        mask = batch.own.mask & (batch.own.ids >= len(SPECIAL_TOKENS))
        tokens = functional.normalize(self.output(hidden).float(), dim=-1) * mask[..., None]
        return output._replace(token_vectors=tokens, token_mask=mask)

    def _hidden(self, group: TokenBatch) -> Tensor:
        x = self.tokens(group.ids) + self.positions[: group.ids.shape[1]]
        hidden: Tensor = self.layers(x, src_key_padding_mask=~group.mask)
        return hidden
