"""Structure tower: a pretrained chemical language model of SMILES, frozen or trained on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from diptych.encoders.ion_block import fragment_featuriser, joined_with_fragments, learned_dim
from diptych.encoders.ion_table import IonTable
from diptych.encoders.language_model.files import LanguageModel, built_network, longest_sequence, read_language_model
from diptych.encoders.language_model.space import EvenedSpace, Space
from diptych.encoders.language_model.tuning import Tuning, tuned
from diptych.encoders.language_model.vectors import VectorBatch, VectorRows, cached_vectors
from diptych.encoders.output import EncoderOutput
from diptych.encoders.residual_mlp import ResidualMLP
from diptych.encoders.structures.structure_batch import StructureBatch
from diptych.encoders.structures.token_batch import Pooling, TokenBatch, check_pooling, hidden_in_groups, pooled
from diptych.molecules.features import StructureFeatures, StructureFeaturiser
from diptych.molecules.fragmentation import class_weights
from diptych.molecules.smiles_features import TokenizerFeaturiser
from diptych.molecules.token_sequences import TokenSequences

Projection = Literal["mlp", "linear", "none"]
_ROWS_AT_ONCE = 1024


class LanguageModelEncoder(nn.Module):
    """SMILES -> pretrained language model -> projection.

    Parameters
    ----------
    embedding_dim
        Length of the vectors, those of the ion table included.
    ion_table
        Shared with the spectrum tower; None leaves that block out.
    ion_weight
        Weight of the ion block relative to the learned block.
    model
        Folder of the language model, or a name in the local cache. Only read for a new tower.
    tune
        What training changes of it: nothing (``"frozen"``), its ``"last-layers"``, or added matrices (``"lora"``).
    n_last_layers
        How many, with ``"last-layers"``.
    lora_rank
        Rank of the added matrices, with ``"lora"``.
    pooling
        ``"mean"`` over the tokens, or ``"cls"``, the token in front.
    space
        Of a frozen model: ``"raw"``, ``"centred"`` or ``"whitened"`` (`EvenedSpace`), by its training structures.
    projection
        ``"mlp"``, ``"linear"``, or ``"none"``: the vectors of the language model are the learned block.
    dropout
        Of the MLP.
    max_tokens
        Longer SMILES are cut.
    n_random_smiles
        Random SMILES of each molecule, of which, or of the canonical one, training draws one each time; none for a
        frozen model.
    config, tokenizer
        Of the language model, as a saved model holds them.

    Notes
    -----
    x = P(space(pool(h_1 ... h_m))) is the learned block. Unless the model is frozen the unit vector of P(h_i) is that
    of token i. Alignment with a frozen chemical language model: doi:10.48550/arXiv.2602.00547. Models of the kind are
    ChemBERTa (Chithrananda et al., doi:10.48550/arXiv.2010.09885), which loads, and MoLFormer (Ross et al.,
    doi:10.1038/s42256-022-00580-7), which does not as long as it needs code of its own.
    """

    def __init__(
        self,
        *,
        embedding_dim: int,
        ion_table: IonTable | None = None,
        ion_weight: float = 2.0,
        model: str = "",
        tune: Tuning = "frozen",
        n_last_layers: int = 2,
        lora_rank: int = 8,
        pooling: Pooling = "mean",
        space: Space = "raw",
        projection: Projection = "mlp",
        dropout: float = 0.1,
        max_tokens: int = 256,
        n_random_smiles: int = 0,
        config: Mapping[str, Any] | None = None,
        tokenizer: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        check_pooling(pooling)
        if tune == "frozen" and n_random_smiles:
            raise ValueError(
                "n_random_smiles needs tune = 'last-layers' or 'lora': a frozen model sees a molecule once"
            )
        if tune != "frozen" and space != "raw":
            raise ValueError(f"space = {space!r} needs tune = 'frozen': it is measured once, before training")
        parts = _parts(model, config, tokenizer)
        self.embedding_dim = embedding_dim
        self.ion_table, self.ion_weight = ion_table, ion_weight
        self.config, self.tokenizer = parts.config, parts.tokenizer
        self.tune, self.n_last_layers, self.lora_rank = tune, n_last_layers, lora_rank
        self.pooling, self.projection, self.dropout = pooling, projection, dropout
        self.max_tokens = min(max_tokens, longest_sequence(parts.network, parts.config))
        self.n_random_smiles = n_random_smiles
        self.language_model = tuned(parts.network, tune, n_last_layers=n_last_layers, lora_rank=lora_rank)
        dim, wanted = int(parts.config["hidden_size"]), learned_dim(embedding_dim, ion_table)
        self.space = EvenedSpace(dim, output_dim=wanted if projection == "none" else dim, space=space)
        self.project = _projection(projection, self.space.output_dim, wanted, dropout=dropout)
        self.fragment_weights: Tensor
        self.register_buffer("fragment_weights", torch.from_numpy(class_weights()), persistent=False)

    @property
    def featuriser(self) -> StructureFeaturiser:
        """What makes features of molecules; needs no torch, and can be sent to other processes."""
        own = TokenizerFeaturiser(
            tokenizer=json.dumps(self.tokenizer), max_tokens=self.max_tokens, n_random_smiles=self.n_random_smiles
        )
        return StructureFeaturiser(own=own, fragments=fragment_featuriser(self.ion_table))

    def settings(self) -> dict[str, Any]:
        """Return what the tower can be built with again, without the files that it was made from."""
        return {
            "ion_weight": self.ion_weight,
            "tune": self.tune,
            "n_last_layers": self.n_last_layers,
            "lora_rank": self.lora_rank,
            "pooling": self.pooling,
            "space": self.space.space,
            "projection": self.projection,
            "dropout": self.dropout,
            "max_tokens": self.max_tokens,
            "n_random_smiles": self.n_random_smiles,
            "config": self.config,
            "tokenizer": self.tokenizer,
        }

    def train(self, mode: bool = True) -> LanguageModelEncoder:
        """Return the tower in the given mode; a frozen language model always stays in that of evaluation."""
        super().train(mode)
        if self.tune == "frozen":
            self.language_model.eval()
        return self

    def collate(self, features: StructureFeatures) -> StructureBatch[Any]:
        """Return features as one batch: of tokens, or of the vectors that a frozen model has made of them."""
        own = features.own
        if isinstance(own, VectorRows):
            return StructureBatch.of(VectorBatch(vectors=torch.from_numpy(own.vectors)), features.fragments)
        return StructureBatch.of(TokenBatch.of(own, padding=self._padding), features.fragments)

    def forward(self, batch: StructureBatch[Any]) -> EncoderOutput:
        """Return unit vectors, (n, embedding_dim); unless frozen, one of every token, (n, n_slots, learned_dim)."""
        own, hidden = batch.own, None
        if isinstance(own, VectorBatch):
            vectors = own.vectors
        elif self.tune == "frozen":
            vectors = self._frozen_vectors(own)
        else:
            hidden = hidden_in_groups(own, self._hidden)
            vectors = pooled(hidden, own.mask, self.pooling)
        output = joined_with_fragments(
            self.project(self.space(vectors)),
            batch.fragments,
            self.ion_table,
            ion_weight=self.ion_weight,
            class_weights=self.fragment_weights,
        )
        if hidden is None:
            return output
        tokens = functional.normalize(self.project(hidden).float(), dim=-1) * own.mask[..., None]
        return output._replace(token_vectors=tokens, token_mask=own.mask)

    def frozen_features(
        self, features: StructureFeatures, *, cache: Path | None, report: Callable[[str], None]
    ) -> StructureFeatures:
        """Return the features with vectors in place of tokens, if the language model is frozen.

        The first call, which is to be that of the training structures, also measures the ``space``.

        Raises
        ------
        OutputError
            The cache cannot be written.
        """
        if self.tune != "frozen" or isinstance(features.own, VectorRows):
            return features
        vectors = cached_vectors(
            features.own, self._computed, weights_digest=self._weights_digest(), cache=cache, report=report
        )
        if not self.space.is_fitted:
            self.space.fit(torch.from_numpy(vectors))
        return replace(features, own=VectorRows(vectors=vectors))

    def _computed(self, sequences: TokenSequences) -> NDArray[np.float32]:
        """Return the vectors of molecules, worked on by the GPU if there is one."""
        home = self.fragment_weights.device
        device = torch.device("cuda") if torch.cuda.is_available() else home
        self.language_model.to(device)
        # Long beside long: a short sequence in a group of long ones is mostly padding.
        order = np.argsort(-sequences.lengths, kind="stable")
        vectors = np.empty((len(sequences), int(self.config["hidden_size"])), dtype=np.float32)
        for start in range(0, len(order), _ROWS_AT_ONCE):
            rows = order[start : start + _ROWS_AT_ONCE]
            batch = TokenBatch.of(sequences.take(rows), padding=self._padding).to(device)
            vectors[rows] = self._frozen_vectors(batch).cpu().numpy()
        self.language_model.to(home)
        return vectors

    @torch.no_grad()
    def _frozen_vectors(self, batch: TokenBatch) -> Tensor:
        return pooled(hidden_in_groups(batch, self._hidden), batch.mask, self.pooling)

    def _hidden(self, group: TokenBatch) -> Tensor:
        hidden: Tensor = self.language_model(input_ids=group.ids, attention_mask=group.mask.long()).last_hidden_state
        return hidden

    @property
    def _padding(self) -> int:
        return int(self.config.get("pad_token_id") or 0)

    def _weights_digest(self) -> str:
        digest = hashlib.sha256(json.dumps([self.config, self.pooling], sort_keys=True).encode())
        for name, tensor in sorted(self.language_model.state_dict().items()):
            digest.update(name.encode() + tensor.cpu().numpy().tobytes())
        return digest.hexdigest()


def _parts(model: str, config: Mapping[str, Any] | None, tokenizer: Mapping[str, Any] | None) -> LanguageModel:
    if config is not None and tokenizer is not None:
        return LanguageModel(network=built_network(config), config=dict(config), tokenizer=dict(tokenizer))
    parts = read_language_model(model)
    # Models are saved in half precision; rounded now, the vectors of a frozen one are those of the saved one.
    for parameter in parts.network.parameters():
        parameter.data = parameter.data.half().float()
    return parts


def _projection(name: str, dim: int, wanted: int, *, dropout: float) -> nn.Module:
    if name == "mlp":
        return ResidualMLP(hidden_dim=dim, output_dim=wanted, dropout=dropout)
    if name == "linear":
        return nn.Linear(dim, wanted)
    if name != "none":
        raise ValueError(f"projection is {name!r}; expected 'mlp', 'linear' or 'none'")
    if dim != wanted:
        raise ValueError(
            f"without projection the vectors have {dim} numbers; expected {wanted}: set embedding_dim (less the ion "
            "table's) to it, or space = 'whitened', which keeps as many as are wanted"
        )
    return nn.Identity()
