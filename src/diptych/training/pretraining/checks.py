"""What both pretrainings look out for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from diptych.errors import ConfigError, TrainingError, is_out_of_memory

if TYPE_CHECKING:
    from torch import Tensor


def check_learning_rate(value: float) -> None:
    """Refuse a learning rate with which nothing could be learned.

    Raises
    ------
    ConfigError
        It is not a finite number above 0.
    """
    if not (math.isfinite(value) and value > 0):
        raise ConfigError(f"learning-rate is {value}; expected a finite number above 0")


def check_finite(value: Tensor, *, what: str, step: int, kept: bool) -> None:
    """Stop a training that has come apart.

    Parameters
    ----------
    value
        A scalar.
    what
        What it is.
    step
        From 1.
    kept
        Whether there is a checkpoint of an earlier step.

    Raises
    ------
    TrainingError
        The value is not finite.
    """
    if not math.isfinite(value.item()):
        left = "the last checkpoint is kept" if kept else "there is no checkpoint yet"
        raise TrainingError(
            f"the {what} is {value.item()} at step {step}; {left}; train anew with a lower learning-rate"
        )


@contextmanager
def naming_what_fills_memory(*, batch_size: int, hidden_dim: int) -> Iterator[None]:
    """Turn full memory into an error that says what to lower.

    Raises
    ------
    TrainingError
        Memory is used up.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise TrainingError(
            f"out of memory: lower --batch-size (now {batch_size}) or --hidden-dim (now {hidden_dim})"
        ) from error
