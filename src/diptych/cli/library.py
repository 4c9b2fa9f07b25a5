"""``diptych library``: build and inspect structure libraries."""

from __future__ import annotations

import typer

app = typer.Typer(help="Build, describe and search structure libraries.", no_args_is_help=True)
