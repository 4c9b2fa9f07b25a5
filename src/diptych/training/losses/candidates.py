"""Terms over each spectrum's own candidates: its molecule and its hard negatives."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from diptych.encoders.structures.gathering import gathered
from diptych.errors import ConfigError
from diptych.training.losses.context import LossContext, LossTerm
from diptych.training.losses.contrastive import LossSettings
from diptych.training.losses.main import listwise
from diptych.training.losses.tanimoto import paired_tanimoto


class Listwise(LossTerm):
    """The main loss ``listwise`` as a term beside another one.

    Parameters
    ----------
    temperature
        Divides the cosines; 0 takes the temperature of the main loss.
    label_smoothing
        Share of the target probability spread over the list.

    Notes
    -----
    The equation stands at `diptych.training.losses.main.listwise`; ListNet, doi:10.1145/1273496.1273513.
    """

    def __init__(self, *, temperature: float = 0.0, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.temperature, self.settings = temperature, LossSettings(label_smoothing=label_smoothing)

    def forward(self, context: LossContext) -> Tensor:
        """Return the term, a scalar."""
        temperature = context.temperature.new_tensor(self.temperature) if self.temperature else context.temperature
        return listwise(context.vectors, temperature, settings=self.settings)


class CandidateRegularisation(LossTerm):
    """JESTR's regularisation: spectra are pushed away from the candidates most like their own molecule.

    Parameters
    ----------
    k
        How many of a molecule's drawn hard negatives count: those of the highest Tanimoto similarity to it.
    alpha
        What the main loss is multiplied with while this term is on.
    beta
        Weight of the regularisation.

    Raises
    ------
    ConfigError
        k is 0.

    Notes
    -----
        L = alpha L_main + beta mean_i mean_{c in C_i} <x_i, y_c>

    with C_i the k hard negatives of spectrum i's molecule that are most like it (Morgan bits, radius 2, 2048). JESTR,
    doi:10.48550/arXiv.2411.14464, regularises with same-formula candidates in the last 3 % of the epochs
    (``from_share = 0.97``); its published code has alpha = 0.9, beta = 0.1 and 32 candidates a molecule, taken in order
    of similarity one stretch after the other from epoch to epoch, where here each epoch's draw is.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"fingerprint"})

    def __init__(self, *, k: int = 32, alpha: float = 0.9, beta: float = 0.1) -> None:
        super().__init__()
        if k < 1:
            raise ConfigError(f"loss term 'candidate-regularisation': k must be at least 1, got {k}")
        self.k, self.main_weight, self.beta = k, alpha, beta

    def forward(self, context: LossContext) -> Tensor:
        """Return the term, a scalar; 0 where there are no negatives."""
        batch, n = context.batch, context.batch.n_molecules
        bits = batch.targets["fingerprint"]
        chosen = most_alike(batch.owner, paired_tanimoto(bits[n:], bits[:n][batch.owner]), k=self.k)
        negatives = functional.normalize(context.structures.global_vector[n:][chosen].float(), dim=1)
        spectra = functional.normalize(context.spectra.global_vector.float(), dim=1)
        own = batch.owner[chosen][None, :] == batch.molecule[:, None]
        cosines = torch.where(own, spectra @ negatives.T, 0.0)
        counts = gathered(own.sum(dim=1))
        means = gathered(cosines.sum(dim=1)) / counts.clamp(min=1)
        return self.beta * means.sum() / (counts > 0).sum().clamp(min=1)


def most_alike(owner: Tensor, similarity: Tensor, *, k: int) -> Tensor:
    """Return the positions of the k most similar entries of each owner, ascending; of equal ones the first.

    >>> most_alike(torch.tensor([0, 0, 0, 1]), torch.tensor([0.2, 0.9, 0.5, 0.1]), k=2)
    tensor([1, 2, 3])
    """
    order = torch.argsort(similarity, descending=True, stable=True)
    order = order[torch.argsort(owner[order], stable=True)]
    owners = owner[order]
    place = torch.arange(len(owners), device=owners.device) - torch.searchsorted(owners, owners)
    chosen: Tensor = order[place < k].sort().values
    return chosen
