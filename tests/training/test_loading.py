import json
from pathlib import Path
from typing import Any

from lightning.pytorch.callbacks import Callback

from diptych.training import RunConfig, train


class Workers(Callback):
    """Notes the processes that prepare batches."""

    def __init__(self) -> None:
        self.processes: list[tuple[int, ...]] = []

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        iterator = trainer.train_dataloader._iterator
        self.processes.append(tuple(worker.pid for worker in iterator._workers) if iterator else ())


def losses(amides: Path, folder: Path, *, workers: int) -> tuple[list[float], set[tuple[int, ...]]]:
    watch = Workers()
    config = RunConfig.from_dict(
        {
            "model": {
                "spectrum": {"fine_width": 512, "bin_dim": 16, "hidden_dim": 32},
                "structure": {"width": 256, "hidden_dim": 32},
                "embedding_dim": 32,
            },
            "data": {
                "dataset": str(amides / "dataset.parquet"),
                "folds": str(amides / "folds.tsv.xz"),
                "structures": str(amides / "structures.tsv.xz"),
                "workers": workers,
            },
            "augmentation": {
                "peak_dropout": 0.2,
                "mz_jitter": 1.0,
                "noise_peaks": 3.0,
                "replicate_merging_probability": 0.3,
            },
            "negatives": {"per_molecule": 2, "kinds": ["formula", "mined"], "refresh_every": 1},
            "sampling": {"spectra_per_molecule": 2, "batches": "mass", "balance": "instrument"},
            "training": {"epochs": 2, "batch_size": 75, "precision": "float32"},
            "validation": {"fold": ""},
        }
    )
    train(config, folder, callbacks=[watch])
    rows = (folder / "metrics.jsonl").read_text().splitlines()
    return [json.loads(row)["train_loss"] for row in rows], set(watch.processes)


def test_workers_prepare_the_same_batches_and_live_through_all_epochs(amides: Path, tmp_path: Path):
    alone, none = losses(amides, tmp_path / "alone", workers=0)
    ahead, processes = losses(amides, tmp_path / "ahead", workers=1)
    assert ahead == alone
    assert none == {()}
    assert len(processes) == 1
    assert len(next(iter(processes))) == 1
