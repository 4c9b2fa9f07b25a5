"""Contrast of molecules by all their spectra at once."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from diptych.retrieval.consensus import consensus_vectors
from diptych.training.losses.contrastive import ContrastiveBatch, LossSettings, symmetric_info_nce


def consensus(batch: ContrastiveBatch, temperature: Tensor, *, settings: LossSettings) -> Tensor:
    """Return symmetric InfoNCE of the mean vectors of each molecule's spectra, a scalar in nats.

    Notes
    -----
    `symmetric_info_nce` with x_j = normalise(sum_{i: t(i) = j} x_i) in place of the spectra, so that several spectra of
    a molecule are one query, as they are when a model is asked by `diptych.retrieval.consensus`.
    """
    together = consensus_vectors(batch.spectra, batch.target, n_groups=len(batch.structures))
    return symmetric_info_nce(replace(batch, spectra=together, molecule=None), temperature, settings=settings)
