"""Resume states as safetensors and JSON, so that no pickle is ever written or read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.fabric.plugins.io.checkpoint_io import CheckpointIO
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from diptych.encoders.tensor_files import write_tensors
from diptych.errors import TrainingError, reason_of
from diptych.files import replacing_folder

_TENSORS = "tensors.safetensors"
_STATE = "state.json"
_KINDS = ("tensor", "items", "tuple", "list")
LIGHTNING_KEYS = ("state_dict", "optimizer_states", "callbacks", "loops", "epoch", "global_step")


class SafetensorsCheckpointIO(CheckpointIO):
    """Writes Lightning's resume state as a folder of one safetensors file and one JSON file, whole or not at all.

    Parameters
    ----------
    expected
        Keys without which a state is damaged.
    """

    def __init__(self, *, expected: Sequence[str] = ()) -> None:
        self.expected = tuple(expected)

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: str | Path,
        storage_options: Any = None,  # noqa: ANN401 - Lightning's signature
    ) -> None:
        """Write a checkpoint folder.

        Raises
        ------
        OutputError
            The folder cannot be written.
        TrainingError
            The state holds something that is neither a tensor nor plain data.
        """
        tensors: dict[str, Tensor] = {}
        state = _pack(checkpoint, "", tensors)
        with replacing_folder(Path(path)) as folder:
            write_tensors(tensors, folder / _TENSORS)
            (folder / _STATE).write_text(json.dumps(state), encoding="utf-8")

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Any = None,  # noqa: ANN401 - Lightning's signature
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Return what ``save_checkpoint`` was given, on the CPU.

        Raises
        ------
        TrainingError
            The folder is missing or damaged.
        """
        folder = Path(path)
        try:
            tensors = load_file(folder / _TENSORS)
            state = json.loads((folder / _STATE).read_text(encoding="utf-8"))
            checkpoint: dict[str, Any] = _unpack(state, tensors)
            if not isinstance(checkpoint, dict) or not set(self.expected) <= set(checkpoint):
                raise ValueError(f"{_STATE} does not hold {', '.join(self.expected) or 'a state'}")
        except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
            raise TrainingError(
                f"{folder}: the checkpoint is missing or damaged ({reason_of(error)}); train anew"
            ) from error
        return checkpoint

    def remove_checkpoint(self, path: str | Path) -> None:
        """Remove a checkpoint folder."""
        folder = Path(path)
        for name in (_TENSORS, _STATE):
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()


def _pack(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:  # noqa: ANN401 - any state
    """Return JSON-able data that stands for a value; its tensors are put into ``tensors`` under their path."""
    if isinstance(value, Tensor):
        tensors[name] = value.detach().cpu().contiguous().clone()
        return {"tensor": name}
    if isinstance(value, Mapping):
        return {"items": [[key, _pack(item, f"{name}/{key}", tensors)] for key, item in value.items()]}
    if isinstance(value, tuple | list):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [_pack(item, f"{name}/{i}", tensors) for i, item in enumerate(value)]}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TrainingError(f"checkpoint entry {name} is a {type(value).__name__}; expected tensors and plain data")


def _unpack(value: Any, tensors: Mapping[str, Tensor]) -> Any:  # noqa: ANN401 - any state
    if not isinstance(value, dict):
        return value
    if len(value) != 1 or next(iter(value)) not in _KINDS:
        raise ValueError(f"{_STATE}: got {str(value)[:40]!r}; expected one of {', '.join(_KINDS)}")
    ((kind, content),) = value.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "items":
        return {key: _unpack(item, tensors) for key, item in content}
    items = [_unpack(item, tensors) for item in content]
    return tuple(items) if kind == "tuple" else items
