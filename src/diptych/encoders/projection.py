"""What stands between the towers and the loss, if anything: one small network for each side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn
from torch.nn import functional

from diptych.encoders.options import built
from diptych.encoders.output import EncoderOutput


class ProjectionHeads(nn.Module):
    """Vectors of both towers -> linear, GELU, linear -> unit vectors.

    Parameters
    ----------
    input_dim
        Length of the towers' vectors.
    hidden_dim
        Width of the hidden layer.
    dim
        Length of the vectors behind it.

    Notes
    -----
    z = normalise(W_2 GELU(W_1 x)), the projection head g of Chen et al., doi:10.48550/arXiv.2002.05709, section 2.1,
    who retrieve with x, in front of it.
    """

    def __init__(self, *, input_dim: int, hidden_dim: int = 512, dim: int = 128) -> None:
        super().__init__()
        self.hidden_dim, self.dim = hidden_dim, dim
        self.spectrum, self.structure = (
            nn.Sequential(nn.Linear(input_dim, hidden_dim), nn.GELU(), nn.Linear(hidden_dim, dim)) for _ in range(2)
        )

    def settings(self) -> dict[str, Any]:
        """Return what the heads were built with, as a model's configuration has it."""
        return {"projection": {"hidden_dim": self.hidden_dim, "dim": self.dim}}

    def forward(self, output: EncoderOutput, *, side: str) -> EncoderOutput:
        """Return the output of a tower with other global vectors; those of its parts stay."""
        head = self.spectrum if side == "spectrum" else self.structure
        vector = functional.normalize(head(output.global_vector).float(), dim=1)
        return output._replace(global_vector=vector, block_sizes=(self.dim,))


def projection_heads(options: Mapping[str, Any] | None, *, input_dim: int) -> ProjectionHeads | None:
    """Return the heads that a model's configuration describes; None where it has none.

    Raises
    ------
    ConfigError
        An option is unknown, or has a wrong type or an impossible value.
    """
    if options is None:
        return None
    place = "model.projection"
    return built(ProjectionHeads, options, owner=place, place=f"{place}.", fixed={"input_dim": input_dim})
