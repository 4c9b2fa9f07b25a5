"""Heads that predict something known of the molecule from the vector of its spectrum."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from diptych.encoders.structures.gathering import gathered
from diptych.training.losses.context import LossContext, LossTerm

_FINGERPRINT_WIDTH = 2048
_N_DESCRIPTORS = 12


def head(input_dim: int, hidden_dim: int, output_dim: int) -> nn.Sequential:
    """Return a network of one hidden layer."""
    return nn.Sequential(nn.Linear(input_dim, hidden_dim), nn.GELU(), nn.Linear(hidden_dim, output_dim))


class FingerprintHead(LossTerm):
    """Predicts the Morgan bits (radius 2, 2048) of the molecule.

    Parameters
    ----------
    embedding_dim
        Length of the vectors.
    hidden_dim
        Width of the head.
    cosine_weight
        Weight of the second part.

    Notes
    -----
    With logits z_i of spectrum i and bits f_t(i),

        L = mean_i ( mean_b BCE(sigmoid(z_ib), f_t(i)b) + w (1 - cos(sigmoid(z_i), f_t(i))) )

    Binary cross-entropy over the bits as in CSI:FingerID's networks, Dührkop et al. 2021,
    doi:10.1038/s41587-020-0740-8; the cosine as in MIST, Goldman et al. 2023, doi:10.1038/s42256-023-00708-3.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"fingerprint"})

    def __init__(self, *, embedding_dim: int, hidden_dim: int = 512, cosine_weight: float = 1.0) -> None:
        super().__init__()
        self.cosine_weight = cosine_weight
        self.head = head(embedding_dim, hidden_dim, _FINGERPRINT_WIDTH)

    def forward(self, context: LossContext) -> Tensor:
        """Return the term, a scalar."""
        logits = self.head(context.spectra.global_vector.float())
        bits = context.batch.targets["fingerprint"][context.batch.molecule]
        entropy = functional.binary_cross_entropy_with_logits(logits, bits, reduction="none").mean(dim=1)
        distance = 1 - functional.cosine_similarity(torch.sigmoid(logits), bits, dim=1)
        return gathered(entropy + self.cosine_weight * distance).mean()


class ExactMassHead(LossTerm):
    """Predicts the exact mass of the molecule.

    Parameters
    ----------
    embedding_dim
        Length of the vectors.
    hidden_dim
        Width of the head.

    Notes
    -----
    L = mean_i (z_i - m_t(i))^2 with masses m standardised over the training molecules: an auxiliary task as in Caruana
    1997, doi:10.1023/A:1007379606734.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"exact_mass"})

    def __init__(self, *, embedding_dim: int, hidden_dim: int = 128) -> None:
        super().__init__()
        self.head = head(embedding_dim, hidden_dim, 1)

    def forward(self, context: LossContext) -> Tensor:
        """Return the term, a scalar."""
        target = context.batch.targets["exact_mass"][context.batch.molecule]
        predicted = self.head(context.spectra.global_vector.float())[:, 0]
        return gathered((predicted - target).square()).mean()


class DescriptorHead(LossTerm):
    """Predicts twelve descriptors of the molecule (`diptych.molecules.descriptors`).

    Parameters
    ----------
    embedding_dim
        Length of the vectors.
    hidden_dim
        Width of the head.

    Notes
    -----
    L = mean_i mean_d (z_id - v_t(i)d)^2 with descriptors v standardised over the training molecules: auxiliary tasks as
    in Caruana 1997, doi:10.1023/A:1007379606734.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"descriptors"})

    def __init__(self, *, embedding_dim: int, hidden_dim: int = 256) -> None:
        super().__init__()
        self.head = head(embedding_dim, hidden_dim, _N_DESCRIPTORS)

    def forward(self, context: LossContext) -> Tensor:
        """Return the term, a scalar."""
        target = context.batch.targets["descriptors"][context.batch.molecule]
        predicted = self.head(context.spectra.global_vector.float())
        return gathered((predicted - target).square().mean(dim=1)).mean()
