"""The masked language model that is pretrained, what it is asked beside tokens, and the folder that it is kept in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedTokenizerFast, RobertaConfig, RobertaForMaskedLM

from diptych.encoders.language_model.files import quiet_transformers
from diptych.encoders.structures.token_batch import pooled
from diptych.molecules.pretraining_views import DESCRIPTORS, FINGERPRINT_WIDTH
from diptych.molecules.smiles_tokens import CLS, MASK, PAD, PATTERN, SEP, TOKENS, UNKNOWN, VOCABULARY
from diptych.training.pretraining.masking import IGNORED
from diptych.training.pretraining.smiles_batches import SmilesBatch

_SMALLEST_DEVIATION = 1e-6
_LOGIT_OF_SET_BITS = -3.8


class PretrainingLosses(NamedTuple):
    """What is minimised, part by part; float32 scalars, zero where a part is not asked for.

    Attributes
    ----------
    tokens
        Mean cross-entropy of the tokens to be guessed.
    fingerprint
        Binary cross-entropy of the Morgan bits, added up over the bits and divided by the mean number of set ones.
    descriptors
        Mean Huber loss of the standardised descriptors.
    similarity
        What `similarity_loss` returns.
    """

    tokens: Tensor
    fingerprint: Tensor
    descriptors: Tensor
    similarity: Tensor


class SmilesNetwork(nn.Module):
    """A RoBERTa of SMILES tokens, with heads that are dropped after pretraining.

    Parameters
    ----------
    hidden_dim, n_layers, n_heads
        Of the transformer.
    max_tokens
        The longest sequence.
    describe
        Whether the pooled vector is asked for fingerprint, descriptors and similarities too.

    Notes
    -----
    RoBERTa: Liu et al., doi:10.48550/arXiv.1907.11692; of SMILES: ChemBERTa, doi:10.48550/arXiv.2010.09885; asked for
    descriptors too: ChemBERTa-2, doi:10.48550/arXiv.2209.01712. The pooled vector is the mean over the tokens, as
    `diptych.encoders.language_model.tower` takes it.
    """

    def __init__(self, *, hidden_dim: int, n_layers: int, n_heads: int, max_tokens: int, describe: bool) -> None:
        super().__init__()
        config = RobertaConfig(
            vocab_size=len(TOKENS),
            hidden_size=hidden_dim,
            num_hidden_layers=n_layers,
            num_attention_heads=n_heads,
            intermediate_size=4 * hidden_dim,
            # RoBERTa counts positions from behind that of padding.
            max_position_embeddings=max_tokens + VOCABULARY[PAD] + 1,
            type_vocab_size=1,
            pad_token_id=VOCABULARY[PAD],
            bos_token_id=VOCABULARY[CLS],
            eos_token_id=VOCABULARY[SEP],
        )
        self.describe = describe
        self.language_model = RobertaForMaskedLM(config)
        self.fingerprint = nn.Linear(hidden_dim, FINGERPRINT_WIDTH)
        # Few bits are set: begun there, the loss of the others does not drown everything else at first.
        nn.init.constant_(self.fingerprint.bias, _LOGIT_OF_SET_BITS)
        self.descriptors = nn.Linear(hidden_dim, len(DESCRIPTORS))
        self.centre: Tensor
        self.spread: Tensor
        self.register_buffer("centre", torch.zeros(len(DESCRIPTORS)))
        self.register_buffer("spread", torch.ones(len(DESCRIPTORS)))

    def fit_descriptors(self, values: Tensor) -> None:
        """Take mean and spread of the descriptors from some molecules, float32 of shape (n, n_descriptors)."""
        self.centre.copy_(values.mean(dim=0))
        self.spread.copy_(values.std(dim=0).clamp(min=_SMALLEST_DEVIATION))

    def forward(self, batch: SmilesBatch) -> PretrainingLosses:
        """Return the losses of a batch."""
        hidden, guessed = self.language_model.roberta(batch.ids, batch.mask.long()).last_hidden_state, batch.labels >= 0
        logits = self.language_model.lm_head(hidden[guessed])
        tokens = functional.cross_entropy(logits.float(), batch.labels[guessed], ignore_index=IGNORED)
        if not self.describe:
            return PretrainingLosses(tokens, *(tokens.new_zeros(()) for _ in range(3)))
        vectors = pooled(hidden.float(), batch.mask, "mean")
        bits = batch.fingerprint
        wrong = functional.binary_cross_entropy_with_logits(self.fingerprint(vectors).float(), bits, reduction="sum")
        wanted = (batch.descriptors - self.centre) / self.spread
        return PretrainingLosses(
            tokens=tokens,
            fingerprint=wrong / bits.sum().clamp(min=1),
            descriptors=functional.smooth_l1_loss(self.descriptors(vectors).float(), wanted),
            similarity=similarity_loss(vectors, bits),
        )


def similarity_loss(vectors: Tensor, bits: Tensor) -> Tensor:
    """Return how badly cosines of vectors, less their mean, tell Tanimoto similarities of fingerprints.

    Parameters
    ----------
    vectors
        Float32, of shape (n, dim).
    bits
        Float32, 0 or 1, of shape (n, n_bits).

    Notes
    -----
    1 - r, with r Pearson's correlation of cos(x_i - m, x_j - m) and T_ij over all pairs i < j of the batch and m their
    mean: 0 is perfect, 1 is no better than chance. What all vectors share is left out, as the tower that uses
    the space takes it away.
    """
    if len(vectors) < 3:
        return vectors.new_zeros(())
    unit = centred_units(vectors)
    pairs = torch.triu_indices(len(vectors), len(vectors), offset=1, device=vectors.device)
    found, wanted = (unit @ unit.T)[*pairs], tanimoto_similarities(bits)[*pairs]
    found, wanted = found - found.mean(), wanted - wanted.mean()
    spread = (found.square().sum() * wanted.square().sum() + _SMALLEST_DEVIATION**2).sqrt()
    return 1 - (found * wanted).sum() / spread


def centred_units(vectors: Tensor) -> Tensor:
    """Return vectors less their mean, divided by their lengths; float32, (n, dim)."""
    return functional.normalize(vectors.float() - vectors.float().mean(dim=0), dim=1)


def tanimoto_similarities(bits: Tensor) -> Tensor:
    """Return the Tanimoto similarity of all pairs of rows, float32 of shape (n, n), of 0 or 1 of shape (n, n_bits)."""
    shared = bits @ bits.T
    counts = bits.sum(dim=1)
    return shared / (counts[:, None] + counts - shared).clamp(min=1)


def smiles_tokenizer(*, max_tokens: int) -> PreTrainedTokenizerFast:
    """Return the tokens of `diptych.molecules.smiles_tokens` as a tokenizer that transformers can save."""
    tokenizer = Tokenizer(models.WordLevel(dict(VOCABULARY), unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(PATTERN), "isolated")
    tokenizer.post_processor = processors.BertProcessing((SEP, VOCABULARY[SEP]), (CLS, VOCABULARY[CLS]))
    special = {"pad_token": PAD, "cls_token": CLS, "sep_token": SEP, "mask_token": MASK, "unk_token": UNKNOWN}
    made: PreTrainedTokenizerFast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # theirs
        tokenizer_object=tokenizer, model_max_length=max_tokens, **special
    )
    return made


def write_hugging_face_files(network: SmilesNetwork, folder: Path, *, max_tokens: int) -> None:
    """Write configuration, weights and tokenizer into a folder, each file whole or not at all."""
    temporary = folder / f".{os.getpid()}.partial"
    with quiet_transformers():
        network.language_model.save_pretrained(temporary)
        smiles_tokenizer(max_tokens=max_tokens).save_pretrained(temporary)
    for path in sorted(temporary.iterdir()):
        path.replace(folder / path.name)
    temporary.rmdir()
