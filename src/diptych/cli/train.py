"""``diptych train``: train a joint embedding from a TOML configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_EXTRA = ("lightning", "matplotlib")


def train_command(
    output: Annotated[Path, typer.Option("--output", "-o", help="Run folder to write.")],
    config: Annotated[
        Path | None,
        typer.Argument(
            help="TOML configuration: model, data, negatives, loss, training, validation; with a preset, "
            "what differs from it."
        ),
    ] = None,
    preset: Annotated[
        str, typer.Option(help="Recipe to start from, as 'diptych presets list' names it.", show_default=False)
    ] = "",
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override, such as training.epochs=20.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in the folder from its last whole epoch.")
    ] = False,
) -> None:
    """Train a joint embedding of spectra and structures."""
    from rich.console import Console

    from diptych.errors import TrainingError
    from diptych.training.config import read_config

    settings = read_config(config, preset=preset, overrides=overrides or [])
    try:
        from diptych.training.progress import TrainingProgress
        from diptych.training.trainer import train
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _EXTRA:
            raise
        raise TrainingError(f"training needs the package {package}: pip install 'diptych[train]'") from error
    console = Console(stderr=True)
    result = train(
        settings,
        output,
        resume=resume,
        report=lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True),
        callbacks=[TrainingProgress(console)],
    )
    typer.echo(result.model)
