"""The picture of a training run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from diptych.files import replacing


def draw_learning_curve(history: Sequence[Mapping[str, Any]], path: Path, *, metrics: Sequence[str]) -> None:
    """Write a picture of the loss and of validation metrics by epoch.

    Parameters
    ----------
    history
        One mapping per epoch, as ``metrics.jsonl`` holds them.
    path
        File to write, .png or .svg.
    metrics
        Keys to draw beside the loss; epochs that lack one are left out of its line.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 4.0), layout="constrained")
    FigureCanvasAgg(figure)
    loss_axes = figure.add_subplot()
    loss_axes.plot([row["epoch"] for row in history], [row["train_loss"] for row in history], color="0.4", label="loss")
    loss_axes.set(xlabel="epoch", ylabel="training loss (nats)")
    metric_axes = loss_axes.twinx()
    metric_axes.set(ylabel="validation", ylim=(0, 1))
    for metric in metrics:
        points = [(row["epoch"], row[metric]) for row in history if metric in row]
        if points:
            metric_axes.plot(*zip(*points, strict=True), marker=".", label=metric.removeprefix("val_"))
    handles = [line for axes in (loss_axes, metric_axes) for line in axes.get_lines()]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), frameon=False)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120, format=path.suffix.removeprefix("."))
