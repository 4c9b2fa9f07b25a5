"""``diptych presets``: the recipes that come with Diptych."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(help="List and show the recipes that 'diptych train --preset' starts from.", no_args_is_help=True)


@app.command("list")
def list_command() -> None:
    """List the presets, each with a sentence on what it is."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from diptych.presets import description_of, names

    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("preset", no_wrap=True)
    table.add_column("what it is")
    for name in names():
        table.add_row(name, description_of(name))
    Console().print(table)


@app.command("show")
def show_command(name: Annotated[str, typer.Argument(help="As 'diptych presets list' names it.")]) -> None:
    """Print the TOML of a preset, which can be saved, changed and trained."""
    from diptych.presets import preset_text

    typer.echo(preset_text(name), nl=False)
