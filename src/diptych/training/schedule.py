"""The learning rate as a function of the step."""

from __future__ import annotations

import math
from typing import Literal

Schedule = Literal["cosine", "constant"]


def learning_rate_factor(step: int, *, n_steps: int, n_warmup: int, schedule: Schedule = "cosine") -> float:
    """Return what the base learning rate is multiplied with at a step, in (0, 1].

    Parameters
    ----------
    step
        From 0.
    n_steps
        Steps of the whole training.
    n_warmup
        Steps of linear warm-up.
    schedule
        What follows: ``"cosine"`` falls to 0, ``"constant"`` stays at 1.

    Notes
    -----
    (t + 1) / w during warm-up, then (1 + cos(pi (t - w) / (n - w))) / 2: Loshchilov and Hutter,
    doi:10.48550/arXiv.1608.03983, eq. 5, without restarts.

    Examples
    --------
    >>> [round(learning_rate_factor(step, n_steps=6, n_warmup=2), 3) for step in range(6)]
    [0.5, 1.0, 1.0, 0.854, 0.5, 0.146]
    >>> [learning_rate_factor(step, n_steps=6, n_warmup=2, schedule="constant") for step in range(6)]
    [0.5, 1.0, 1.0, 1.0, 1.0, 1.0]
    """
    if step < n_warmup:
        return (step + 1) / n_warmup
    if schedule == "constant":
        return 1.0
    progress = (step - n_warmup) / max(n_steps - n_warmup, 1)
    return (1 + math.cos(math.pi * min(progress, 1.0))) / 2
