import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from diptych.training import RunConfig, train

Settings = Callable[..., dict[str, dict[str, Any]]]
SOURCE = Path(__file__).parents[2] / "src"
SCRIPT = """
import json, sys, torch
from pathlib import Path
from diptych.training import RunConfig, train
torch.set_num_threads(1)
train(RunConfig.from_dict(json.loads(Path(sys.argv[1]).read_text())), Path(sys.argv[2]))
"""
TERMS: list[dict[str, Any]] = [
    {"name": "supcon", "weight": 0.5},
    {"name": "fingerprint", "hidden_dim": 16},
    {"name": "candidate-regularisation", "k": 1, "from_epoch": 1},
    {"name": "moco", "queue_size": 64, "weight": 0.3},
    {"name": "vicreg", "weight": 0.1},
    {"name": "adversarial", "weight": 0.2},
    {"name": "binned-spectrum", "hidden_dim": 16},
]


def settings(folder: Path, *, batch_size: int) -> dict[str, dict[str, Any]]:
    return {
        "model": {
            "spectrum": {"fine_width": 256, "bin_dim": 8, "hidden_dim": 32, "dropout": 0.0},
            "structure": {"width": 128, "hidden_dim": 32, "dropout": 0.0},
            "ions": {"width": 64, "dim": 8},
            "embedding_dim": 24,
        },
        "data": {
            "dataset": str(folder / "dataset.parquet"),
            "folds": str(folder / "folds.tsv.xz"),
            "structures": str(folder / "structures.tsv.xz"),
        },
        "sampling": {"spectra_per_molecule": 2},
        "negatives": {"per_molecule": 2},
        "loss": {"block_weight": 0.5, "terms": TERMS},
        "training": {"epochs": 2, "batch_size": batch_size, "precision": "float32", "learning_rate": 3e-3},
        "validation": {"fold": ""},
    }


def losses(run: Path) -> list[float]:
    return [json.loads(line)["train_loss"] for line in (run / "metrics.jsonl").read_text().splitlines()]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def graph_settings(folder: Path, *, batch_size: int) -> dict[str, dict[str, Any]]:
    """Return a model with batch normalisation, which is over the atoms of all processes."""
    values = settings(folder, batch_size=batch_size)
    tower = {"name": "gcn", "channels": [8, 8], "hidden_dim": 16, "layer_dropout": 0.0, "dropout": 0.0}
    return values | {"model": values["model"] | {"structure": tower}, "loss": {"name": "cmc"}}


@pytest.mark.parametrize("settings", [settings, graph_settings])
def test_two_processes_train_like_one_with_twice_the_batch(settings: Settings, amides: Path, tmp_path: Path):
    (tmp_path / "config.json").write_text(json.dumps(settings(amides, batch_size=37)))
    (tmp_path / "script.py").write_text(SCRIPT)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", f"--master-port={free_port()}"]
    answer = subprocess.run(
        [*torchrun, str(tmp_path / "script.py"), str(tmp_path / "config.json"), str(tmp_path / "two")],
        env={**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert answer.returncode == 0, answer.stderr
    train(RunConfig.from_dict(settings(amides, batch_size=74)), tmp_path / "one")
    # The second epoch starts from weights that the gradients of the first have made.
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), rel=1e-4)
    assert (tmp_path / "two" / "model" / "card.md").exists()
