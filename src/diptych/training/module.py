"""One training step: two towers, one loss, one optimiser."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

import lightning
import numpy as np
import torch
from torch import Tensor, nn

from diptych.errors import TrainingError
from diptych.training.averaging import AveragedModel
from diptych.training.losses import LossContext, Objective
from diptych.training.schedule import learning_rate_factor

if TYPE_CHECKING:
    from diptych.embedding import JointEmbedding
    from diptych.training.batches import TrainingBatch
    from diptych.training.config import RunConfig

_LOWEST_TEMPERATURE, _HIGHEST_TEMPERATURE = 0.005, 1.0
_LARGEST_SAVED = torch.finfo(torch.float16).max


class ContrastiveModule(lightning.LightningModule):
    """Trains a joint embedding; the same on a CPU, a GPU or several.

    Parameters
    ----------
    model
        What is trained, in place.
    config
        Sections ``loss`` and ``training`` are used.
    steps_per_epoch
        Of each process; from it follows the schedule.
    """

    def __init__(self, model: JointEmbedding, config: RunConfig, *, steps_per_epoch: int) -> None:
        super().__init__()
        self.model = model
        self.settings = config.training
        self.objective = Objective(config.loss, model, epochs=config.training.epochs)
        self.steps_per_epoch = steps_per_epoch
        decay = config.training.ema_decay
        self.average = AveragedModel(model, decay=decay) if decay else None
        with torch.no_grad():
            model.log_temperature.fill_(math.log(config.loss.temperature))
        model.log_temperature.requires_grad_(config.loss.learn_temperature)

    @property
    def judged(self) -> JointEmbedding:
        """The weights that are validated and saved: the average where there is one."""
        return self.model if self.average is None else cast("JointEmbedding", self.average.model)

    def training_step(self, batch: TrainingBatch, batch_idx: int) -> Tensor:
        """Return the loss of one batch.

        Raises
        ------
        TrainingError
            The loss is not finite.
        """
        device = self.device.type
        context = LossContext(
            batch=batch,
            model=self.model,
            temperature=self.temperature(),
            epoch=self.current_epoch,
            autocast=torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None,
        )
        with torch.autocast(device, enabled=False):
            loss: Tensor = self.objective(context)
        if not torch.isfinite(loss):
            raise self._stopped(f"the loss is {loss.item()}", batch=batch_idx + 1)
        return loss

    def check_weights(self) -> None:
        """Refuse weights that must not be kept, at the end of an epoch.

        Raises
        ------
        TrainingError
            A weight is not finite, or one of the model too large for the half precision in which models are saved.
        """
        for name, tensor in self.state_dict().items():
            if not tensor.is_floating_point() or not tensor.numel():
                continue
            lowest, highest = torch.aminmax(tensor)
            limit = torch.finfo(tensor.dtype).max if name.startswith("objective.") else _LARGEST_SAVED
            if not (-limit <= lowest and highest <= limit):
                size = max(abs(lowest.item()), abs(highest.item()))
                raise self._stopped(f"{name} holds a weight of the size {size:g}", batch=self.steps_per_epoch)

    def _stopped(self, what: str, *, batch: int) -> TrainingError:
        """Return the error of a training that has come apart; after the first epoch there is a checkpoint."""
        anew = (
            "the last good checkpoint is kept; train anew in another folder"
            if self.current_epoch
            else "no epoch was finished, and nothing is kept; start again"
        )
        return TrainingError(
            f"{what} in epoch {self.current_epoch + 1}, batch {batch}; {anew} with a lower training.learning_rate"
        )

    def temperature(self) -> Tensor:
        """Return the temperature of the loss, a scalar, kept within its bounds."""
        low, high = math.log(_LOWEST_TEMPERATURE), math.log(_HIGHEST_TEMPERATURE)
        temperature: Tensor = self.model.log_temperature.float().clamp(low, high).exp()
        return temperature

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Return AdamW that decays weight matrices only; the terms' own weights learn like the model's."""
        apart = [] if self.model.interaction is None else list(self.model.interaction.parameters())
        places = {id(parameter) for parameter in apart}
        others = [p for part in (self.model, self.objective) for p in part.parameters() if id(p) not in places]
        groups = [
            *_groups(others, rate=1.0, decay=self.settings.weight_decay),
            *_groups(apart, rate=self.settings.interaction_rate, decay=self.settings.weight_decay),
        ]
        # The fused form takes a tenth of the time on CPUs, where the step would otherwise rival the towers.
        return torch.optim.AdamW(groups, lr=self.settings.learning_rate, fused=True)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Clip the gradient; Lightning's own clipping refuses fused optimisers.

        Raises
        ------
        TrainingError
            The gradient is not finite; no step is made with it.
        """
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        norm = nn.utils.clip_grad_norm_(parameters, self.settings.gradient_clip or math.inf)
        if not torch.isfinite(norm):
            batch = self.global_step % self.steps_per_epoch + 1
            raise self._stopped(f"the norm of the gradient is {norm.item()}", batch=batch)

    def on_train_batch_start(self, batch: TrainingBatch, batch_idx: int) -> None:
        """Set the learning rate of this step, and its seed: a resumed run draws what one never stopped would have."""
        torch.manual_seed(_step_seed(self.settings.seed, self.global_step, self.global_rank))
        n_steps = self.settings.epochs * self.steps_per_epoch
        factor = learning_rate_factor(
            self.global_step,
            n_steps=n_steps,
            n_warmup=round(self.settings.warmup_epochs * self.steps_per_epoch),
            schedule=self.settings.schedule,
        )
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = self.settings.learning_rate * factor * group["rate"]

    def optimizer_step(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - Lightning's signature
        """Make a step and move the averaged weights: part of it, since what follows counts as waiting for data."""
        super().optimizer_step(*args, **options)
        if self.average is not None:
            self.average.update(self.model)

    def transfer_batch_to_device(
        self,
        batch: TrainingBatch,
        device: torch.device,
        dataloader_idx: int,
    ) -> TrainingBatch:
        """Return the batch on a device."""
        return batch.to(device)


def _groups(parameters: Iterable[nn.Parameter], *, rate: float, decay: float) -> list[dict[str, Any]]:
    """Return groups of weights, matrices apart, with what the learning rate is multiplied with."""
    learned = [parameter for parameter in parameters if parameter.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in learned if p.ndim > 1], "weight_decay": decay, "rate": rate},
        {"params": [p for p in learned if p.ndim <= 1], "weight_decay": 0.0, "rate": rate},
    ]
    return [group for group in groups if group["params"]]


def _step_seed(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))


def parameter_count(model: nn.Module) -> int:
    """Return the number of weights of a model."""
    return sum(parameter.numel() for parameter in model.parameters())
