"""A light forward model: from the structure's vector to the spectrum in bins."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor
from torch.nn import functional

from diptych.encoders.structures.gathering import gathered
from diptych.training.losses.auxiliary import head
from diptych.training.losses.context import LossContext, LossTerm

_N_BINS = 1000


class BinnedSpectrumHead(LossTerm):
    """Predicts the bins of 1 Th of each spectrum from the vector of its molecule.

    Parameters
    ----------
    embedding_dim
        Length of the vectors.
    hidden_dim
        Width of the head.

    Notes
    -----
    L = mean_i (1 - cos(softplus(z_t(i)), b_i)) with b_ik the square root of the summed intensity in bin k of the
    spectrum as measured, not augmented. Binned forward models: Wei et al. 2019 (NEIMS), doi:10.1021/acscentsci.9b00085.
    The acquisition conditions are not told, so that the head learns what the spectra of a molecule have in common.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"binned_spectrum"})

    def __init__(self, *, embedding_dim: int, hidden_dim: int = 512) -> None:
        super().__init__()
        self.head = head(embedding_dim, hidden_dim, _N_BINS)

    def forward(self, context: LossContext) -> Tensor:
        """Return the term, a scalar."""
        molecules = context.structures.global_vector[: context.batch.n_molecules].float()
        predicted = functional.softplus(self.head(molecules))[context.batch.molecule]
        cosine = functional.cosine_similarity(predicted, context.batch.targets["binned_spectrum"], dim=1)
        return gathered(1 - cosine).mean()
