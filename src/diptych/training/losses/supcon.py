"""Contrast among spectra: all spectra of a molecule are positives of each other."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from diptych.encoders.structures.gathering import gathered
from diptych.training.losses.context import LossContext, LossTerm
from diptych.training.losses.main import mean_over_positives
from diptych.training.losses.tanimoto import tanimoto


class SupervisedContrast(LossTerm):
    """Supervised contrastive loss over the spectra of a batch.

    Parameters
    ----------
    temperature
        Divides the cosines; 0 takes the temperature of the main loss.
    augmented
        Whether each spectrum enters once more, augmented by another draw. Without, ``sampling.spectra_per_molecule``
        has to be at least 2, or there are no positives.

    Notes
    -----
    With P_i the other spectra of the molecule of spectrum i, and the mean over spectra that have any,

        L = -mean_i 1/|P_i| sum_{p in P_i} log( exp(<x_i, x_p> / T) / sum_{a != i} exp(<x_i, x_a> / T) )

    Khosla et al., doi:10.48550/arXiv.2004.11362, eq. 2 (L_out).
    """

    def __init__(self, *, temperature: float = 0.0, augmented: bool = False) -> None:
        super().__init__()
        self.temperature, self.augmented = temperature, augmented
        self.needs: frozenset[str] = frozenset({"second_view"}) if augmented else frozenset()  # type: ignore[misc]

    def forward(self, context: LossContext) -> Tensor:
        """Return the term, a scalar."""
        vectors, molecule = self.views(context)
        return supervised_contrast(vectors, molecule, temperature=self.temperature or context.temperature)

    def views(self, context: LossContext) -> tuple[Tensor, Tensor]:
        """Return the unit vectors of all spectra of all processes, and the row of each one's molecule."""
        here = context.batch.rows[context.batch.molecule]
        vectors, rows = context.unit_spectra, gathered(here)
        if not self.augmented:
            return vectors, rows
        second = context.encoded_spectra(context.batch.second_view).global_vector.float()
        return torch.cat([vectors, gathered(functional.normalize(second, dim=1))]), torch.cat([rows, rows])


class TanimotoContrast(SupervisedContrast):
    """Supervised contrast, and cosines of spectra drawn to the Tanimoto similarities of their structures.

    Parameters
    ----------
    alpha
        Weight of the second part.
    temperature, augmented
        As in `SupervisedContrast`.

    Notes
    -----
    With T_ij the Tanimoto similarity of the Morgan bits (radius 2, 2048) of the molecules of spectra i and j,

        L = L_supcon + alpha mean_ij (<x_i, x_j> - T_ij)^2

    over all pairs, each spectrum with itself included. SpecEmbedding, doi:10.1021/acs.analchem.5c02655, whose published
    settings are alpha = 30 and a temperature of 0.05; the leaky ReLU that its code lays over the cosines is left out.
    """

    def __init__(self, *, alpha: float = 30.0, temperature: float = 0.0, augmented: bool = False) -> None:
        super().__init__(temperature=temperature, augmented=augmented)
        self.alpha = alpha
        self.needs = self.needs | {"fingerprint"}  # type: ignore[misc]

    def forward(self, context: LossContext) -> Tensor:
        """Return the term, a scalar."""
        vectors, molecule = self.views(context)
        contrast = supervised_contrast(vectors, molecule, temperature=self.temperature or context.temperature)
        bits = gathered(context.batch.targets["fingerprint"][context.batch.molecule])
        bits = torch.cat([bits, bits]) if self.augmented else bits
        return contrast + self.alpha * (vectors @ vectors.T - tanimoto(bits, bits)).square().mean()


def supervised_contrast(vectors: Tensor, molecule: Tensor, *, temperature: Tensor | float) -> Tensor:
    """Return L_out of unit vectors, a scalar in nats; 0 where no vector has a positive.

    Parameters
    ----------
    vectors
        Floating, of shape (n, dim), unit rows.
    molecule
        int64, of shape (n,): equal where two rows are positives of each other.
    temperature
        Positive.
    """
    here = torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
    log_probability = torch.log_softmax((vectors @ vectors.T / temperature).masked_fill(here, -torch.inf), dim=1)
    return -mean_over_positives(log_probability, (molecule[:, None] == molecule[None, :]) & ~here)
