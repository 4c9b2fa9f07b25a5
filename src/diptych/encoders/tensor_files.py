"""Tensors in files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor


def write_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write tensors by name as safetensors, inside `diptych.files.replacing` or `replacing_folder`.

    Raises
    ------
    OSError
        They cannot be written (full disk, no permission); safetensors has an error of its own for that.
    """
    try:
        save_file(dict(tensors), path)
    except SafetensorError as error:
        raise OSError(str(error)) from error
