"""``diptych annotate``: spectra files to ranked structures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from diptych.errors import DiptychError


def annotate_command(
    spectra: Annotated[list[Path], typer.Argument(help="Spectra files: MGF, MSP, mzML, mzXML, MassBank, JSON, TSV.")],
) -> None:
    """Rank the structures of a library for every spectrum."""
    raise DiptychError(f"{spectra[0]}: annotate is not built yet")
