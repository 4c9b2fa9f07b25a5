"""``diptych ablate``: train a recipe and its changes, and say what each change does."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_EXTRA = ("lightning", "matplotlib")


def ablate_command(
    plan: Annotated[Path, typer.Argument(metavar="PLAN.toml", help="Recipe, axes of changes, seeds.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the runs and the table.")],
    overrides: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="On top of every cell, such as training.epochs=5."),
    ] = None,
    bootstrap: Annotated[int, typer.Option(min=1, help="Resamples of molecules.")] = 10_000,
) -> None:
    """Train every cell of an ablation plan, and write its table and figure.

    Finished cells are kept: the same command goes on where it was stopped.
    """
    from diptych.errors import TrainingError

    try:
        from diptych.training.ablation import AblationPlan, nested, run_ablation
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _EXTRA:
            raise
        raise TrainingError(f"training needs the package {package}: pip install 'diptych[train]'") from error
    from rich.console import Console

    from diptych.files import check_writable

    check_writable(output, is_folder=True)
    console = Console(stderr=True)
    made = run_ablation(
        AblationPlan.read(plan),
        output,
        overrides=nested(overrides or []),
        n_bootstrap=bootstrap,
        report=lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True),
    )
    typer.echo(made.markdown())
    typer.echo(f"Written: {output / 'ablation.md'}, ablation.json, ablation.svg, ablation.png")
