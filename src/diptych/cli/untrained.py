"""What is said of a model that is asked for what it was not trained for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from diptych.embedding import JointEmbedding


def ranks_structures(model: JointEmbedding) -> bool:
    """Return whether a loss compared spectra with structures; true of older models, which do not say."""
    return bool(model.metadata.get("ranks_structures", True))


def warn_of_ranking(model: JointEmbedding) -> None:
    """Say on standard error, in one line, that a model was trained to rank no structures, if that is so."""
    if not ranks_structures(model):
        typer.echo(
            f"diptych: model {model.name} was trained to compare spectra with spectra alone: its ranks, scores and "
            "probabilities of structures mean little; it is meant for 'diptych match'",
            err=True,
        )
