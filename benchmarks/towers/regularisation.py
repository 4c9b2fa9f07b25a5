"""JESTR's candidate regularisation at full length: one run, parted where the regularisation begins.

    python benchmarks/towers/regularisation.py --dataset massbank.parquet --runs runs/regularisation

The preset `jestr` is trained on the training fold of the peer benchmark up to the epoch in which its regularisation
begins. From there it goes on twice, from the same weights, optimiser and random numbers: as the preset says, and with
the term left out. Prints hit rates and MRR on the validation fold before and after, for both. What stands in ``--runs``
is not made again, and a run that was cut off goes on.
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from diptych.files import replacing
from diptych.training import RunConfig, read_config, train
from diptych.training.recorder import METRICS

sys.path.insert(0, str(Path(__file__).resolve().parent))
from run import overrides_of


class StopAfter(Callback):
    """Ends a run after an epoch, once its checkpoint is written."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Interrupt as a user would."""
        if trainer.current_epoch + 1 >= self.epoch:
            raise KeyboardInterrupt


def configuration(arguments: argparse.Namespace) -> RunConfig:
    """Return the preset on the peer benchmark."""
    return read_config(None, preset="jestr", overrides=[*overrides_of(arguments), "validation.every_epochs=1"])


def first_regularised(config: RunConfig) -> int:
    """Return the number of epochs before the first in which the regularisation is on."""
    (term,) = (term for term in config.loss.terms if term["name"] == "candidate-regularisation")
    return int(term["from_share"] * config.training.epochs)


def trunk(config: RunConfig, folder: Path, *, epochs: int) -> None:
    """Train what both have in common."""
    if len(epochs_of(folder)) >= epochs:
        return
    try:
        resume = (folder / "checkpoint").is_dir()
        train(config, folder, resume=resume, report=print, callbacks=[StopAfter(epochs)])
    except KeyboardInterrupt:
        if len(epochs_of(folder)) < epochs:
            raise


def branch(config: RunConfig, start: Path, folder: Path) -> None:
    """Go on from the trunk with another configuration."""
    if not folder.is_dir():
        shutil.copytree(start, folder)
        content = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        (folder / "config.json").write_text(json.dumps(content | {"config": config.to_dict()}), encoding="utf-8")
    if not (folder / "result.json").is_file():
        train(config, folder, resume=True, report=print)


def epochs_of(folder: Path) -> list[dict[str, Any]]:
    """Return the record of every epoch of a run."""
    path = folder / "metrics.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def row(name: str, epoch: dict[str, Any]) -> str:
    """Return a line of the table."""
    return f"| {name} | {epoch['epoch']} | " + " | ".join(f"{100 * epoch[f'val_{m}']:.1f}" for m in METRICS) + " |"


def write(path: Path, found: dict[str, dict[str, Any]]) -> None:
    """Write the validation before and after as JSON."""
    rows = {
        name: {"epochs": epoch["epoch"], "train_loss": epoch["train_loss"], **{m: epoch[f"val_{m}"] for m in METRICS}}
        for name, epoch in found.items()
    }
    content = {"fold": "val", "rows": rows, "command": f"python {shlex.join(sys.argv)}"}
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> None:
    """Train, part, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--benchmark", type=Path, default=Path("../shared/data/peer_benchmark"))
    parser.add_argument("--structures", type=Path, default=Path("../shared/data/structures.tsv.xz"))
    parser.add_argument("--cache", type=Path, default=Path(".cache/towers"))
    parser.add_argument("--runs", type=Path, default=Path("runs/regularisation"))
    parser.add_argument("--epochs", type=int, default=165)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--output", "-o", type=Path)
    arguments = parser.parse_args(argv)
    config = configuration(arguments)
    kept = tuple(term for term in config.loss.terms if term["name"] != "candidate-regularisation")
    plain = replace(config, loss=replace(config.loss, terms=kept))
    start, before = arguments.runs / "trunk", first_regularised(config)
    trunk(config, start, epochs=before)
    found = {"before": epochs_of(start)[before - 1]}
    for name, chosen in (("regularised", config), ("not", plain)):
        branch(chosen, start, arguments.runs / name)
        found[name] = epochs_of(arguments.runs / name)[-1]
    lines = [row(name, epoch) for name, epoch in found.items()]
    print("\n".join(["| | epochs | @1 | @5 | @20 | MRR |", "| --- | --- | --- | --- | --- | --- |", *lines]))
    if arguments.output:
        write(arguments.output, found)


if __name__ == "__main__":
    main()
