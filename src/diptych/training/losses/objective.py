"""All that one step minimises: the main loss and the terms that are on in this epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from diptych.errors import ConfigError
from diptych.training.losses.context import LossContext, LossTerm
from diptych.training.losses.contrastive import LossSettings
from diptych.training.losses.main import LOSSES
from diptych.training.losses.terms import build_term

if TYPE_CHECKING:
    from diptych.training.config import LossConfig


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """When a term is on, and how much it weighs.

    Attributes
    ----------
    weight
        What the term is multiplied with.
    start, stop
        First epoch with the term, and first without it again; epochs count from 0.
    """

    weight: float
    start: int
    stop: int

    def is_on(self, epoch: int) -> bool:
        """Return whether the term counts in an epoch."""
        return self.start <= epoch < self.stop


class Objective(nn.Module):
    """The main loss, weighted, and further terms, each in its epochs.

    Parameters
    ----------
    config
        Section ``loss`` of a configuration.
    model
        The joint embedding that is trained.
    epochs
        Of the whole training.

    Raises
    ------
    ConfigError
        A name or an option is unknown, of a wrong type or impossible with these towers; a term is never on; or nothing
        is left to minimise in some epoch.

    Notes
    -----
    L = a w_0 (L_main + b sum over blocks of L_main) + sum over terms that are on of w_t L_t, where a is the product of
    the ``main_weight`` of these terms, and b ``block_weight``.
    """

    def __init__(self, config: LossConfig, model: Any, *, epochs: int) -> None:  # noqa: ANN401 - a joint embedding
        super().__init__()
        if config.name not in LOSSES:
            raise ConfigError(f"loss.name: unknown loss {config.name!r}; expected one of {', '.join(LOSSES)}")
        self.name, self.weight, self.block_weight = config.name, config.weight, config.block_weight
        self.settings = LossSettings(
            label_smoothing=config.label_smoothing, negatives=config.negatives, structure_weight=config.structure_weight
        )
        self.schedules = [schedule_of(table, epochs=epochs) for table in config.terms]
        self.terms = nn.ModuleList(build_term(_name(table), _options(table), model=model) for table in config.terms)
        if not self.weight and not len(self.terms):
            raise ConfigError("loss.weight is 0 and loss.terms is empty; expected something to minimise")
        self._check_epochs(epochs)

    def _check_epochs(self, epochs: int) -> None:
        """Refuse epochs in which nothing has a weight."""
        for epoch in range(epochs):
            weight, on = self._weights(epoch)
            if not weight and not any(term_weight for _, term_weight in on):
                raise ConfigError(
                    f"loss: nothing is minimised in epoch {epoch + 1} of {epochs}: loss.weight is {self.weight:g}, and "
                    "no term of a weight above 0 is on; expected a main loss, or terms from the first epoch to the last"
                )

    def _weights(self, epoch: int) -> tuple[float, list[tuple[LossTerm, float]]]:
        """Return the weight of the main loss in an epoch, and the terms that are on with theirs."""
        on = [
            (cast("LossTerm", term), schedule.weight)
            for term, schedule in zip(self.terms, self.schedules, strict=True)
            if schedule.is_on(epoch)
        ]
        return self.weight * math.prod(term.main_weight for term, _ in on), on

    @property
    def needs(self) -> frozenset[str]:
        """Optional parts and targets of `TrainingBatch` that the terms ask for."""
        return frozenset().union(*(cast("LossTerm", term).needs for term in self.terms))

    def forward(self, context: LossContext) -> Tensor:
        """Return the loss of a batch, a scalar, the same in all processes that train together."""
        weight, on = self._weights(context.epoch)
        loss = context.temperature.new_zeros(())
        if weight:
            loss = loss + weight * self._main(context)
        for term, term_weight in on:
            loss = loss + term_weight * term(context)
        return loss

    def _main(self, context: LossContext) -> Tensor:
        main = LOSSES[self.name]
        loss = main(context.vectors, context.temperature, settings=self.settings)
        if self.block_weight and len(context.spectra.block_sizes) > 1:
            blocks = [main(block, context.temperature, settings=self.settings) for block in context.blocks()]
            loss = loss + self.block_weight * torch.stack(blocks).sum()
        return loss


_SCHEDULE = {"weight": 1.0, "from_epoch": 0, "from_share": 0.0, "until_epoch": 0}


def _name(table: Mapping[str, Any]) -> str:
    name = table.get("name")
    if not isinstance(name, str):
        raise ConfigError(f"loss.terms: every table must have a name, got {dict(table)!r}")
    return name


def _options(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key != "name" and key not in _SCHEDULE}


def schedule_of(table: Mapping[str, Any], *, epochs: int) -> Schedule:
    """Return when a term is on; ``until_epoch`` 0 is the end, ``from_share`` a share of all epochs."""
    values = {key: table.get(key, default) for key, default in _SCHEDULE.items()}
    for key, value in values.items():
        kinds = (int, float) if isinstance(_SCHEDULE[key], float) else (int,)
        if type(value) not in kinds or value < 0:
            wanted = "a number" if float in kinds else "a whole number"
            raise ConfigError(f"loss term {_name(table)!r}: {key} must be {wanted} of at least 0, got {value!r}")
    if values["from_share"] >= 1:
        raise ConfigError(f"loss term {_name(table)!r}: from_share must be below 1, got {values['from_share']!r}")
    start = max(int(values["from_epoch"]), int(values["from_share"] * epochs))
    stop = int(values["until_epoch"]) or epochs
    if not start < min(stop, epochs):
        raise ConfigError(
            f"loss term {_name(table)!r} would never be on: it starts after epoch {start} and ends after epoch "
            f"{stop} of training.epochs {epochs}"
        )
    return Schedule(weight=float(values["weight"]), start=start, stop=stop)
