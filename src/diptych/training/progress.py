"""A progress bar for people; nothing where no terminal is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lightning.pytorch.callbacks import Callback
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from rich.console import Console


class TrainingProgress(Callback):
    """Shows the batches of all epochs as one bar.

    Parameters
    ----------
    console
        Where to draw; nothing is drawn unless it is a terminal.
    """

    def __init__(self, console: Console) -> None:
        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._task = self._bar.add_task("", total=None, epoch="", loss="")

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:  # noqa: ANN401 - Lightning's signature
        """Draw the bar."""
        total = pl_module.settings.epochs * pl_module.steps_per_epoch
        self._bar.update(self._task, total=total, completed=trainer.global_step)
        if trainer.is_global_zero:
            self._bar.start()

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, *_: object) -> None:  # noqa: ANN401
        """Move the bar on."""
        epoch = f"{trainer.current_epoch + 1}/{pl_module.settings.epochs}"
        loss = f"{float(outputs['loss']):.3f}"
        self._bar.update(self._task, completed=trainer.global_step, epoch=epoch, loss=loss)

    def on_train_end(self, *_: object) -> None:
        """Take the bar away."""
        self._bar.stop()

    def on_exception(self, *_: object) -> None:
        """Take the bar away."""
        self._bar.stop()
