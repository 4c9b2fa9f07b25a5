"""Keeps vectors spread over all directions."""

from __future__ import annotations

import torch
from torch import Tensor

from diptych.training.losses.context import LossContext, LossTerm


class VarianceCovariance(LossTerm):
    """Variance and covariance regularisation of both sides.

    Parameters
    ----------
    variance_weight, covariance_weight
        Of the two parts.
    gamma
        Standard deviation below which a coordinate counts; 1 is that of evenly spread vectors.

    Notes
    -----
    With z = sqrt(d) x for unit vectors x of length d, so that evenly spread ones have deviation 1 in each coordinate,
    and C their covariance matrix,

        L = mean over both sides of  mu 1/d sum_j max(0, gamma - sqrt(C_jj + 1e-4)) + nu 1/d sum_{j != k} C_jk^2

    Bardes et al., doi:10.48550/arXiv.2105.04906, eq. 1, 3 and 4; the invariance part is left to the contrastive loss.
    """

    def __init__(self, *, variance_weight: float = 1.0, covariance_weight: float = 0.04, gamma: float = 1.0) -> None:
        super().__init__()
        self.variance_weight, self.covariance_weight, self.gamma = variance_weight, covariance_weight, gamma

    def forward(self, context: LossContext) -> Tensor:
        """Return the term, a scalar."""
        sides = context.vectors.spectra, context.vectors.structures
        return sum((self._of(side) for side in sides), start=sides[0].new_zeros(())) / len(sides)

    def _of(self, vectors: Tensor) -> Tensor:
        dim = vectors.shape[1]
        scaled = dim**0.5 * vectors
        centred = scaled - scaled.mean(dim=0)
        covariance = centred.T @ centred / max(len(vectors) - 1, 1)
        variance = covariance.diagonal()
        hinge = torch.relu(self.gamma - (variance + 1e-4).sqrt()).mean()
        between = (covariance.square().sum() - variance.square().sum()) / dim
        total: Tensor = self.variance_weight * hinge + self.covariance_weight * between
        return total
