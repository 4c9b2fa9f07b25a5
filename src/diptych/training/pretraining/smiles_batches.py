"""Batches of SMILES with something to guess: every epoch other spellings, other masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diptych.molecules.pretraining_views import FINGERPRINT_WIDTH, MoleculeView, ViewMaker
from diptych.molecules.smiles_tokens import PAD, SEP, VOCABULARY
from diptych.training.pretraining.masking import IGNORED, MaskedSequence, masked_sequence

_BATCHES_PER_WINDOW = 50


@dataclass(frozen=True, kw_only=True, eq=False)
class SmilesBatch:
    """Masked sequences of n molecules.

    Attributes
    ----------
    ids
        int64, of shape (n, n_slots).
    mask
        Bool, of shape (n, n_slots): True where there is a token.
    labels
        int64, of shape (n, n_slots): the token where it is to be guessed, -100 elsewhere.
    fingerprint
        Float32, 0 or 1, of shape (n, 2048).
    descriptors
        Float32, of shape (n, n_descriptors), in the unit of each; (n, 0) where they are not wanted.
    """

    ids: Tensor
    mask: Tensor
    labels: Tensor
    fingerprint: Tensor
    descriptors: Tensor

    def to(self, device: torch.device) -> SmilesBatch:
        """Return the batch on a device."""
        return SmilesBatch(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})


@dataclass(frozen=True, kw_only=True)
class SmilesBatchMaker:
    """Turns SMILES into a batch.

    Attributes
    ----------
    views
        Makes views of molecules.
    mask_share
        Share of the tokens to be guessed.
    max_tokens
        Longer sequences are cut.
    """

    views: ViewMaker
    mask_share: float
    max_tokens: int

    def __call__(self, smiles: Sequence[str], *, seed: Sequence[int], randomised: bool = True) -> SmilesBatch:
        """Return the batch of some molecules; everything random follows from the seed.

        Raises
        ------
        StructureError
            A SMILES cannot be parsed or standardised.
        """
        rng = np.random.default_rng(list(seed))
        seeds = rng.integers(2**31, size=len(smiles)).tolist() if randomised else [None] * len(smiles)
        views = [self.views(text, seed=one) for text, one in zip(smiles, seeds, strict=True)]
        masked = [self._masked(view, rng) for view in views]
        lengths = np.array([len(sequence.inputs) for sequence in masked])
        return SmilesBatch(
            ids=torch.from_numpy(_padded([one.inputs for one in masked], VOCABULARY[PAD])),
            mask=torch.from_numpy(np.arange(lengths.max()) < lengths[:, None]),
            labels=torch.from_numpy(_padded([one.labels for one in masked], IGNORED)),
            fingerprint=torch.from_numpy(_bits(views)),
            descriptors=torch.from_numpy(np.stack([view.descriptors for view in views])),
        )

    def _masked(self, view: MoleculeView, rng: np.random.Generator) -> MaskedSequence:
        ids, pieces = view.ids, view.pieces
        if len(ids) > self.max_tokens:
            ids = np.append(ids[: self.max_tokens - 1], VOCABULARY[SEP])
            pieces = None if pieces is None else pieces[: self.max_tokens - 2]
        return masked_sequence(ids, pieces, share=self.mask_share, rng=rng)


def planned_batches(lengths: NDArray[np.int64], *, batch_size: int, seed: Sequence[int]) -> list[NDArray[np.int64]]:
    """Return the rows of each batch of an epoch, rows of similar length together, in random order.

    Parameters
    ----------
    lengths
        int64, of shape (n,): about how long each row is.
    batch_size
        Rows of a batch; the last ones may have fewer.
    seed
        Of the order.
    """
    rng = np.random.default_rng(list(seed))
    order = rng.permutation(len(lengths))
    size = batch_size * _BATCHES_PER_WINDOW
    windows = [order[start : start + size] for start in range(0, len(order), size)]
    by_length = [window[np.argsort(lengths[window], kind="stable")] for window in windows]
    batches = [rows[start : start + batch_size] for rows in by_length for start in range(0, len(rows), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def _padded(rows: Sequence[NDArray[np.int64]], fill: int) -> NDArray[np.int64]:
    result = np.full((len(rows), max(len(row) for row in rows)), fill, dtype=np.int64)
    for number, row in enumerate(rows):
        result[number, : len(row)] = row
    return result


def _bits(views: Sequence[MoleculeView]) -> NDArray[np.float32]:
    bits = np.zeros((len(views), FINGERPRINT_WIDTH), dtype=np.float32)
    for row, view in zip(bits, views, strict=True):
        row[view.fingerprint] = 1
    return bits
