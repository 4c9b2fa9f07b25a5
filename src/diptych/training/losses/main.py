"""The main losses between spectra and structures; each is a function of unit vectors and a temperature."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from diptych.training.losses.consensus import consensus
from diptych.training.losses.contrastive import (
    ContrastiveBatch,
    LossSettings,
    cross_entropy,
    diagonal,
    hard_logits,
    own_logits,
    spectrum_to_structure,
    structure_logits,
    symmetric_info_nce,
)


def multiview_coding(batch: ContrastiveBatch, temperature: Tensor, *, settings: LossSettings) -> Tensor:
    """Return the contrastive multiview coding loss of two views, a scalar in nats.

    Notes
    -----
    L = L_x + L_y with the two directions of `symmetric_info_nce`, which it is twice of with equal weights. Tian et
    al., doi:10.48550/arXiv.1906.05849, eq. 6, with the batch in place of their memory bank; the loss of JESTR
    (doi:10.48550/arXiv.2411.14464). ``structure_weight`` is not used.
    """
    even = LossSettings(label_smoothing=settings.label_smoothing, negatives=settings.negatives, structure_weight=0.5)
    return 2 * symmetric_info_nce(batch, temperature, settings=even)


def nt_xent(batch: ContrastiveBatch, temperature: Tensor, *, settings: LossSettings) -> Tensor:
    """Return the NT-Xent loss, InfoNCE in which a view's own kind are negatives too, a scalar in nats.

    Notes
    -----
    The sum in the denominator of L_x of `symmetric_info_nce` has also exp(<x_i, x_k> / T) for every spectrum k of
    another molecule, that of L_y exp(<y_t(i), y_j> / T) for every other structure j. Chen et al.,
    doi:10.48550/arXiv.2002.05709, eq. 1, with spectrum and structure as the two views.
    """
    here = torch.eye(len(batch.spectra), dtype=torch.bool, device=batch.spectra.device)
    among_spectra = (batch.spectra @ batch.spectra.T / temperature).masked_fill(batch.replicates | here, -torch.inf)
    to_structures = [own_logits(batch, temperature), hard_logits(batch, temperature, scope=settings.negatives)]
    by_spectrum = cross_entropy(
        torch.cat([*to_structures, among_spectra], 1), batch.target, smoothing=settings.label_smoothing
    )
    to_spectra = structure_logits(batch, temperature).masked_fill(batch.replicates, -torch.inf)
    same = batch.identity[:, None] == batch.identity[None, :]
    among_structures = (batch.structures @ batch.structures.T / temperature).masked_fill(same, -torch.inf)
    logits = torch.cat([to_spectra, among_structures[batch.target]], 1)
    by_structure = cross_entropy(logits, diagonal(to_spectra), smoothing=settings.label_smoothing)
    return (1 - settings.structure_weight) * by_spectrum + settings.structure_weight * by_structure


def multi_positive(batch: ContrastiveBatch, temperature: Tensor, *, settings: LossSettings) -> Tensor:
    """Return the loss in which all spectra of a molecule are positives of its structure, a scalar in nats.

    Notes
    -----
    L_x is that of `symmetric_info_nce`. With P_j the spectra of molecule j and n' the number of molecules with any,

        L_y = -1/n' sum_j 1/|P_j| sum_{i in P_j} log( exp(s_ij) / sum_k exp(s_kj) )

    over all spectra k, the other positives included: L_out of Khosla et al., doi:10.48550/arXiv.2004.11362, eq. 2,
    from structures to spectra. ``label_smoothing`` is used in L_x alone.
    """
    by_spectrum = spectrum_to_structure(batch, temperature, settings=settings)
    logits = batch.structures @ batch.spectra.T / temperature
    positive = batch.identity[:, None] == batch.identity[batch.target][None, :]
    by_structure = -mean_over_positives(torch.log_softmax(logits, dim=1), positive)
    return (1 - settings.structure_weight) * by_spectrum + settings.structure_weight * by_structure


def listwise(batch: ContrastiveBatch, temperature: Tensor, *, settings: LossSettings) -> Tensor:
    """Return the listwise loss of each spectrum's own candidates: its molecule and its hard negatives, in nats.

    Notes
    -----
    L = -1/m sum_i log( exp(s_it(i)) / (exp(s_it(i)) + sum_{h in own(i)} exp(<x_i, y_h> / T)) ): the top-one
    cross-entropy of ListNet with the answer as the one relevant candidate, Cao et al. 2007,
    doi:10.1145/1273496.1273513, eq. 3. Molecules of the batch that are not in the list do not count; of the settings,
    ``label_smoothing`` alone does.
    """
    right = (batch.spectra * batch.structures[batch.target]).sum(dim=1, keepdim=True) / temperature
    logits = torch.cat([right, hard_logits(batch, temperature, scope="own")], 1)
    return cross_entropy(logits, torch.zeros_like(batch.target), smoothing=settings.label_smoothing)


def mean_over_positives(values: Tensor, positive: Tensor) -> Tensor:
    """Return the mean over rows of the mean over each row's positives; rows without any are left out, 0 if all are."""
    counts = positive.sum(dim=1)
    sums = torch.where(positive, values, 0.0).sum(dim=1)
    return (sums / counts.clamp(min=1)).sum() / (counts > 0).sum().clamp(min=1)


LOSSES: dict[str, Callable[..., Tensor]] = {
    "info-nce": symmetric_info_nce,
    "nt-xent": nt_xent,
    "cmc": multiview_coding,
    "multi-positive": multi_positive,
    "listwise": listwise,
    "consensus": consensus,
}
