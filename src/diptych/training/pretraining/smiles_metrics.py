"""What a pretrained language model has learned, asked of molecules whose scaffolds it never saw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor

from diptych.encoders.structures.token_batch import pooled
from diptych.molecules.smiles_tokens import TOKENS
from diptych.training.pretraining.smiles_batches import SmilesBatch
from diptych.training.pretraining.smiles_network import SmilesNetwork, centred_units, tanimoto_similarities

_N_BOOTSTRAP = 1000


@torch.no_grad()
def measured(network: SmilesNetwork, batches: Sequence[SmilesBatch], *, majority_token: int) -> dict[str, Any]:
    """Return how many tokens are guessed right, and how well cosines tell Tanimoto similarities.

    Parameters
    ----------
    network
        The model.
    batches
        Held-out molecules.
    majority_token
        The token most often to be guessed in training: the control guesses nothing else.

    Returns
    -------
    dict
        Shares of the tokens to be guessed (with a 95 % interval from a bootstrap over molecules), numbers, and figures
        of all pairs of the held-out molecules: Spearman's correlation of cosine and Tanimoto similarity, and the mean
        Tanimoto similarity of the nearest by cosine, of the nearest that there is, and of two drawn at random.
    """
    was_training = network.training
    network.eval()
    counts = np.concatenate([_counts(network, batch, majority_token) for batch in batches])
    vectors = torch.cat([pooled_vectors(network, batch) for batch in batches])
    network.train(was_training)
    right, majority, asked = counts.sum(axis=0)
    low, high = _interval(counts[:, 0], counts[:, 2])
    return {
        "molecules": len(counts),
        "masked_tokens": int(asked),
        "masked_token_accuracy": float(right / asked),
        "masked_token_accuracy_95": [low, high],
        "majority_token": TOKENS[majority_token],
        "majority_token_accuracy": float(majority / asked),
        **space_quality(vectors, torch.cat([batch.fingerprint for batch in batches])),
    }


@torch.no_grad()
def pooled_vectors(network: SmilesNetwork, batch: SmilesBatch) -> Tensor:
    """Return the mean over the tokens, float32 of shape (n, hidden_dim), of the sequences with nothing withheld."""
    ids = torch.where(batch.labels >= 0, batch.labels, batch.ids)
    hidden = network.language_model.roberta(ids, batch.mask.long()).last_hidden_state
    return pooled(hidden.float(), batch.mask, "mean")


def space_quality(vectors: Tensor, bits: Tensor) -> dict[str, float]:
    """Return how well cosines of vectors, less their mean, tell Tanimoto similarities; empty where there are none.

    Parameters
    ----------
    vectors
        Float32, of shape (n, dim).
    bits
        Float32, 0 or 1, of shape (n, n_bits).
    """
    if not bits.any() or len(bits) < 3:
        return {}
    unit = centred_units(vectors)
    cosine, tanimoto = (unit @ unit.T).cpu().numpy(), tanimoto_similarities(bits).cpu().numpy()
    above = np.triu_indices(len(cosine), k=1)
    nearest = np.where(np.eye(len(cosine), dtype=bool), -np.inf, cosine).argmax(axis=1)
    best = np.where(np.eye(len(cosine), dtype=bool), -np.inf, tanimoto).max(axis=1)
    return {
        "spearman_cosine_tanimoto": _correlation(rankdata(cosine[above]), rankdata(tanimoto[above])),
        "tanimoto_of_nearest": float(tanimoto[np.arange(len(nearest)), nearest].mean()),
        "tanimoto_of_nearest_possible": float(best.mean()),
        "tanimoto_of_random": float(tanimoto[above].mean()),
    }


def _counts(network: SmilesNetwork, batch: SmilesBatch, majority_token: int) -> NDArray[np.int64]:
    """Return for each molecule the tokens guessed right, those that the control guesses right, and all."""
    logits = network.language_model(input_ids=batch.ids, attention_mask=batch.mask.long()).logits
    asked = batch.labels >= 0
    right = (logits.argmax(dim=-1) == batch.labels) & asked
    majority = (batch.labels == majority_token) & asked
    return torch.stack([right.sum(dim=1), majority.sum(dim=1), asked.sum(dim=1)], dim=1).cpu().numpy()


def _interval(right: NDArray[np.int64], asked: NDArray[np.int64]) -> tuple[float, float]:
    drawn = np.random.default_rng(0).integers(len(right), size=(_N_BOOTSTRAP, len(right)))
    low, high = np.percentile(right[drawn].sum(axis=1) / asked[drawn].sum(axis=1), [2.5, 97.5])
    return float(low), float(high)


def _correlation(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    return float(np.corrcoef(x, y)[0, 1])
