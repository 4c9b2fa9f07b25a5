"""What happens after every epoch: validate, keep the best weights, write the record and the resume state."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightning
from lightning.pytorch.callbacks import Callback

from diptych.files import replacing
from diptych.training.curve import draw_learning_curve

if TYPE_CHECKING:
    from diptych.embedding import JointEmbedding
    from diptych.training.config import ValidationConfig

METRICS = ("hit_rate@1", "hit_rate@5", "hit_rate@20", "mrr")


class RunFolder:
    """The files of one run.

    Parameters
    ----------
    path
        The folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.json"
        self.metrics = path / "metrics.jsonl"
        self.curve = path / "learning_curve.png"
        self.log = path / "train.log"
        self.checkpoint = path / "checkpoint"
        self.model = path / "model"
        self.result = path / "result.json"

    def epoch_model(self, epoch: int) -> Path:
        """Return the folder for the weights after an epoch, counted from 1."""
        return self.path / "models" / f"epoch-{epoch:03d}"


class EpochRecorder(Callback):
    """Records every epoch; its own state is part of the checkpoint, so a resumed run has one unbroken record.

    Parameters
    ----------
    folder
        Where to write.
    validate
        Returns the metrics of a model; None where there is nothing to validate on.
    config
        How often, what decides, and when to stop.
    keep_every
        Keep the weights after every so many epochs; 0 keeps the best alone.
    on_epoch
        Called with each epoch's record.
    """

    def __init__(
        self,
        folder: RunFolder,
        validate: Callable[[JointEmbedding], Mapping[str, float]] | None,
        config: ValidationConfig,
        *,
        keep_every: int = 0,
        on_epoch: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self.folder, self.validate, self.config, self.on_epoch = folder, validate, config, on_epoch
        self.keep_every = keep_every
        self.history: list[dict[str, Any]] = []
        self.best: dict[str, Any] = {}
        self.n_without_better = 0
        self._clock = _Clock()

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs to know."""
        return {"history": self.history, "best": self.best, "n_without_better": self.n_without_better}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the record of the interrupted run."""
        self.history = list(state_dict["history"])
        self.best = dict(state_dict["best"])
        self.n_without_better = state_dict["n_without_better"]

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:  # noqa: ANN401
        """Start the clock."""
        self._clock = _Clock()

    def on_train_batch_start(self, *_: object) -> None:
        """Note that the data has arrived."""
        self._clock.data_arrived()

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: Any,  # noqa: ANN401
        outputs: Any,  # noqa: ANN401
        batch: Any,  # noqa: ANN401
        batch_idx: int,
    ) -> None:
        """Note the loss, weighted by molecules."""
        self._clock.step_ended(loss=float(outputs["loss"]), n_molecules=batch.n_molecules)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:  # noqa: ANN401
        """Validate, keep the best, write the record, then the resume state.

        Raises
        ------
        TrainingError
            The weights are not finite; what was written after the epoch before stays.
        """
        pl_module.check_weights()
        record = {
            "epoch": trainer.current_epoch + 1,
            "step": trainer.global_step,
            **self._clock.record(),
            "learning_rate": trainer.optimizers[0].param_groups[0]["lr"],
            "temperature": pl_module.temperature().item(),
        }
        if trainer.is_global_zero:
            self._judge(record, pl_module.judged, last=trainer.current_epoch + 1 == trainer.max_epochs)
            if self.keep_every and record["epoch"] % self.keep_every == 0:
                pl_module.judged.save(self.folder.epoch_model(record["epoch"]))
            self._write(record)
        trainer.should_stop = bool(trainer.strategy.broadcast(self._has_stalled(), src=0))
        trainer.save_checkpoint(self.folder.checkpoint)
        if trainer.is_global_zero:
            self.on_epoch(record)

    def _judge(self, record: dict[str, Any], model: JointEmbedding, *, last: bool) -> None:
        if self.validate is None:
            if last:
                model.save(self.folder.model)
            return
        if not (last or record["epoch"] % self.config.every_epochs == 0):
            return
        started = time.perf_counter()
        was_training = model.training
        values = {f"val_{name}": value for name, value in self.validate(model).items()}
        model.train(was_training)
        record |= values | {"val_seconds": round(time.perf_counter() - started, 3)}
        if values[f"val_{self.config.monitor}"] > self.best.get(f"val_{self.config.monitor}", -1.0):
            self.best, self.n_without_better = {"epoch": record["epoch"], **values}, 0
            model.save(self.folder.model)
        else:
            self.n_without_better += 1

    def _has_stalled(self) -> bool:
        return 0 < self.config.patience <= self.n_without_better

    def _write(self, record: dict[str, Any]) -> None:
        self.history.append(record)
        with replacing(self.folder.metrics) as temporary:
            temporary.write_text("".join(json.dumps(row) + "\n" for row in self.history), encoding="utf-8")
        draw_learning_curve(self.history, self.folder.curve, metrics=[f"val_{name}" for name in METRICS])


def epoch_line(record: Mapping[str, Any], *, n_epochs: int) -> str:
    """Return the record of an epoch as one line for people."""
    line = (
        f"epoch {record['epoch']}/{n_epochs}  loss {record['train_loss']:.4f}  {record['seconds']:.1f} s "
        f"({100 * record['data_share']:.0f} % waiting for data)"
    )
    validated = {name: record[f"val_{name}"] for name in METRICS if f"val_{name}" in record}
    return f"{line}  {metrics_line(validated)}" if validated else line


def metrics_line(metrics: Mapping[str, float]) -> str:
    """Return metrics as one line, in %.

    >>> metrics_line({"hit_rate@1": 0.25, "mrr": 0.4})
    'hit_rate@1 25.0  mrr 40.0'
    """
    return "  ".join(f"{name} {100 * value:.1f}" for name, value in metrics.items()) or "not validated"


class _Clock:
    """Time spent waiting for data and time spent on it, and the mean loss."""

    def __init__(self) -> None:
        self.started = self.mark = time.perf_counter()
        self.data_seconds = self.loss_sum = 0.0
        self.n_molecules = 0

    def data_arrived(self) -> None:
        self.data_seconds += time.perf_counter() - self.mark

    def step_ended(self, *, loss: float, n_molecules: int) -> None:
        self.loss_sum += loss * n_molecules
        self.n_molecules += n_molecules
        self.mark = time.perf_counter()

    def record(self) -> dict[str, float]:
        seconds = time.perf_counter() - self.started
        return {
            "train_loss": self.loss_sum / max(self.n_molecules, 1),
            "seconds": round(seconds, 3),
            "data_seconds": round(self.data_seconds, 3),
            "data_share": round(self.data_seconds / max(seconds, 1e-9), 4),
        }
