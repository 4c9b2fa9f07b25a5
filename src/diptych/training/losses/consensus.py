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
    a molecule are one query, as they are when a model is asked by `diptych.retrieval.consensus`. The mean of what is
    embedded of a class as that class' prototype: Snell et al., doi:10.48550/arXiv.1703.05175, eq. 1; contrasted as in
    van den Oord et al., doi:10.48550/arXiv.1807.03748.
    """
    together = consensus_vectors(batch.spectra, batch.target, n_groups=len(batch.structures))
    return symmetric_info_nce(replace(batch, spectra=together, molecule=None), temperature, settings=settings)
