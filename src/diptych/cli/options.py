"""Options that several commands have in common."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

MCES = Annotated[
    Literal["bound", "exact", "none"],
    typer.Option(
        help="MCES distance of the first candidate to the answer: a lower bound, the exact one (needs diptych[mces]; "
        "seconds a pair), or none."
    ),
]
