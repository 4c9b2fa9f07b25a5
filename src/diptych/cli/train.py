"""``diptych train``: train a joint embedding from a TOML configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def train_command(
    config: Annotated[Path, typer.Argument(help="TOML configuration: data, model, loss and schedule.")],
) -> None:
    """Train a joint embedding of spectra and structures."""
    raise NotImplementedError(config)
