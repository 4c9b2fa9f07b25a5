"""How a joint embedding is made: configuration, sampling, losses, the trainer, the model card."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diptych.training.config import RunConfig, read_config
    from diptych.training.finishing import TrainingResult
    from diptych.training.losses import LOSSES
    from diptych.training.trainer import train

_HOMES = {
    "LOSSES": "losses",
    "RunConfig": "config",
    "TrainingResult": "finishing",
    "read_config": "config",
    "train": "trainer",
}

__all__ = ["LOSSES", "RunConfig", "TrainingResult", "read_config", "train"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'diptych.training' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"diptych.training.{_HOMES[name]}"), name)
