"""``diptych dataset``: build a training dataset, divide it into folds, look at it."""

from __future__ import annotations

import typer

app = typer.Typer(help="Build, divide and inspect datasets of annotated spectra.", no_args_is_help=True)


@app.callback()
def _dataset() -> None:
    """Build, divide and inspect datasets of annotated spectra."""
