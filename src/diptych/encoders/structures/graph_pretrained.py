"""Graph layers that were trained before, on structures alone: a folder of one JSON and one safetensors file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from diptych.encoders.structures.graph_layers import GraphLayers
from diptych.encoders.tensor_files import write_tensors
from diptych.errors import ConfigError, reason_of
from diptych.files import replacing

FORMAT_VERSION = 1
DESCRIPTION, _WEIGHTS = "tower.json", "weights.safetensors"


def save_pretrained(layers: GraphLayers, folder: Path, *, tower: str, report: Mapping[str, Any]) -> None:
    """Write the layers of a tower as a folder that `start_from` takes.

    Parameters
    ----------
    layers
        What was trained.
    folder
        Made if need be; what else lies in it stays.
    tower
        Name of the tower whose layers they are.
    report
        How they were trained, and how well: anything that JSON can hold.

    Raises
    ------
    OutputError
        The folder cannot be written.
    """
    description = {
        "format_version": FORMAT_VERSION,
        "tower": tower,
        "settings": layers.settings(),
        "report": dict(report),
    }
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in layers.state_dict().items()}
    with replacing(folder / _WEIGHTS) as temporary:
        write_tensors(tensors, temporary)
    with replacing(folder / DESCRIPTION) as temporary:
        temporary.write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")


def start_from(layers: GraphLayers, folder: Path, *, tower: str) -> None:
    """Fill the layers of a tower with those of a folder that `save_pretrained` wrote.

    Raises
    ------
    ConfigError
        The folder is missing or damaged, or its layers are another tower's or of other shapes.
    """
    place = f"tower {tower!r}, pretrained = {str(folder)!r}"
    description = _described(folder, place)
    if description["tower"] != tower:
        raise ConfigError(f"{place}: holds the layers of tower {description['tower']!r}; expected those of {tower!r}")
    for name, value in layers.settings().items():
        got = description["settings"].get(name)
        if got != value:
            raise ConfigError(f"{place}: was trained with {name} = {got}; expected {value}, as the tower has it")
    _fill(layers, _tensors(folder / _WEIGHTS, place), place)


def _described(folder: Path, place: str) -> dict[str, Any]:
    try:
        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ConfigError(f"{place}: no {DESCRIPTION} there; expected a folder of `diptych pretrain graph`") from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"{place}: {DESCRIPTION} is damaged: {reason_of(error)}") from error
    if not isinstance(description, dict) or not {"format_version", "tower", "settings"} <= description.keys():
        raise ConfigError(f"{place}: {DESCRIPTION} describes no graph layers; expected format_version, tower, settings")
    if description["format_version"] != FORMAT_VERSION:
        raise ConfigError(f"{place}: format version {description['format_version']}; expected {FORMAT_VERSION}")
    return description


def _tensors(path: Path, place: str) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise ConfigError(f"{place}: {_WEIGHTS} is missing or damaged: {reason_of(error)}") from error


@torch.no_grad()
def _fill(layers: GraphLayers, tensors: Mapping[str, Tensor], place: str) -> None:
    for name, expected in layers.state_dict().items():
        shape = tuple(tensors[name].shape) if name in tensors else "nothing"
        if shape != tuple(expected.shape):
            raise ConfigError(f"{place}: {name}: got {shape}; expected shape {tuple(expected.shape)}")
        expected.copy_(tensors[name])
