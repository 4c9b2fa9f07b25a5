"""The space of a pretrained language model, made even: vectors of its molecules point everywhere, not all one way."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

Space = Literal["raw", "centred", "whitened"]
# Directions that vary less than this share of the mean are noise: blowing them up would drown the rest.
_SMALLEST_VARIANCE = 0.02


class EvenedSpace(nn.Module):
    """Vectors less their mean and, if wanted, with the same variance in all directions.

    Parameters
    ----------
    dim
        Length of the vectors.
    output_dim
        Length after whitening, which keeps the directions that vary most; without whitening it is ``dim``.
    space
        ``"raw"`` leaves the vectors as they are, ``"centred"`` takes their mean away, ``"whitened"`` evens out the
        variance too.

    Notes
    -----
    y = (x - m) U (L + e)^(-1/2), with U L U^T the covariance of the vectors, m their mean, and e a fiftieth of the mean
    of L (Su et al., doi:10.48550/arXiv.2103.15316, without e). Until `fit` is called, y = x.
    """

    def __init__(self, dim: int, *, output_dim: int, space: Space) -> None:
        super().__init__()
        if space not in {"raw", "centred", "whitened"}:
            raise ValueError(f"space is {space!r}; expected 'raw', 'centred' or 'whitened'")
        self.space = space
        self.output_dim = output_dim if space == "whitened" else dim
        if self.output_dim > dim:
            raise ValueError(f"{self.output_dim} numbers are wanted of {dim}; expected at most so many")
        self.centre: Tensor
        self.whitening: Tensor
        if space != "raw":
            self.register_buffer("centre", torch.zeros(dim))
        if space == "whitened":
            self.register_buffer("whitening", torch.eye(dim, self.output_dim))

    def forward(self, vectors: Tensor) -> Tensor:
        """Return float32, (n, output_dim), of (n, dim)."""
        if self.space == "raw":
            return vectors
        centred = vectors.float() - self.centre
        return centred if self.space == "centred" else centred @ self.whitening

    @property
    def is_fitted(self) -> bool:
        """Whether mean and directions are known; a raw space needs none."""
        return self.space == "raw" or bool(self.centre.any())

    @torch.no_grad()
    def fit(self, vectors: Tensor) -> None:
        """Take mean and directions of these vectors, float32 of shape (n, dim)."""
        if self.space == "raw":
            return
        exact = vectors.double()
        self.centre.copy_(exact.mean(dim=0))
        if self.space == "whitened":
            deviations = exact - exact.mean(dim=0)
            variances, directions = torch.linalg.eigh(deviations.T @ deviations / max(len(exact), 1))
            scale = (variances.clamp(min=0) + _SMALLEST_VARIANCE * variances.mean().clamp(min=1e-12)).rsqrt()
            self.whitening.copy_((directions * scale).flip(1)[:, : self.output_dim])
