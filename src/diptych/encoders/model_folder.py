"""Where a saved model lies, and what its folder says of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from diptych.errors import ModelError, reason_of

FORMAT_VERSION = 1
DEFAULT_MODEL = "massbank-1"
CONFIG_FILE = "model.json"
_SHIPPED_MODELS = Path(__file__).parents[1] / "shipped" / "models"


def model_folder(model: Path | str | None) -> Path:
    """Return the folder of a model that is given by folder or name; None is the default one.

    Raises
    ------
    ModelError
        There is no such model.
    """
    folder = Path(model if model is not None else DEFAULT_MODEL)
    if folder.is_dir():
        return folder
    shipped = _SHIPPED_MODELS / folder
    if len(folder.parts) == 1 and shipped.is_dir():
        return shipped
    names = sorted(path.name for path in _SHIPPED_MODELS.glob("*")) if _SHIPPED_MODELS.is_dir() else []
    raise ModelError(
        f"{folder}: no such model; expected a model folder or one of: {', '.join(names) or 'none shipped'}"
    )


def read_description(folder: Path) -> dict[str, Any]:
    """Return what the configuration file of a model folder says.

    Raises
    ------
    ModelError
        It is missing, truncated, no description of a model, or of another format version.
    """
    path = folder / CONFIG_FILE
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"{folder}: {CONFIG_FILE} is missing; expected a model folder") from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: damaged or truncated: {reason_of(error)}") from error
    keys = {"format_version", "name", "digest", "config", "metadata"}
    if not isinstance(description, dict) or not keys <= description.keys():
        raise ModelError(f"{path}: not a model description; expected the keys {', '.join(sorted(keys))}")
    if description["format_version"] != FORMAT_VERSION:
        raise ModelError(f"{path}: format version {description['format_version']}; expected {FORMAT_VERSION}")
    return description
