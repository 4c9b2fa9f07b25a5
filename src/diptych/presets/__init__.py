"""Recipes that come with Diptych, one TOML file each: towers, sampling, losses and schedule, but no data.

The first line of a file is a comment that says in one sentence what the recipe is; further comments name the published
settings that it follows, and where it departs from them.
"""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Any

from diptych.errors import ConfigError

_FOLDER = Path(__file__).parent


def names() -> tuple[str, ...]:
    """Return the names of the presets, in alphabetical order."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def preset_text(name: str) -> str:
    """Return the TOML of a preset, comments included.

    Raises
    ------
    ConfigError
        There is no such preset.
    """
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=1, cutoff=0.5)
        advice = f"did you mean {near[0]!r}?" if near else f"expected one of {', '.join(names())}"
        raise ConfigError(f"unknown preset {name!r}; {advice}")
    return (_FOLDER / f"{name}.toml").read_text(encoding="utf-8")


def read_preset(name: str) -> dict[str, Any]:
    """Return the sections of a preset as nested mappings.

    Raises
    ------
    ConfigError
        There is no such preset.

    Examples
    --------
    >>> read_preset("jestr")["model"]["embedding_dim"]
    512
    """
    return tomllib.loads(preset_text(name))


def description_of(name: str) -> str:
    """Return what a preset is, in one sentence."""
    return preset_text(name).partition("\n")[0].removeprefix("#").strip()
