import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from safetensors.torch import load_file

from diptych.training import RunConfig, train
from diptych.training.mining import NegativeMiner, mine
from diptych.training.ragged import Ragged


class Angles:
    """A model whose vectors are directions in the plane, told by the degrees that stand for spectra and structures."""

    def encode_spectra(self, spectra: list[float]) -> np.ndarray:
        return self.encode_structure_features(np.array(spectra))

    def encode_structure_features(self, features: Any) -> np.ndarray:
        angle = np.deg2rad(np.asarray(features, dtype=np.float32))
        return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def mined(candidates: list[list[int]], *, at_most: int) -> Any:
    return mine(
        Angles(),
        # The mean of 10 and 30 degrees points to 20 degrees, whichever is drawn first.
        spectra=[10.0, 30.0, 90.0],
        features=np.array([20.0, 90.0, 50.0, 0.0, 100.0]),
        spectra_of=Ragged.from_lists([[0, 1], [2]]),
        candidates=Ragged.from_lists(candidates),
        at_most=at_most,
        rng=np.random.default_rng(0),
    )


def test_the_highest_scoring_candidates_are_kept_with_their_scores():
    found = mined([[1, 2, 3, 4], [0, 4]], at_most=2)
    assert [found.lists[i].tolist() for i in range(2)] == [[3, 2], [4, 0]]
    degrees = [20, 30, 10, 70]
    assert found.similarity.tolist() == pytest.approx(np.cos(np.deg2rad(degrees)).tolist(), abs=1e-6)


def test_without_candidates_nothing_is_mined():
    assert mined([[], []], at_most=2).lists.lengths.tolist() == [0, 0]


class Stop(Callback):
    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if trainer.current_epoch == 3:
            raise KeyboardInterrupt


class Watch(Callback):
    """Notes how many of the first epoch's and of the last epoch's negatives were on the mined lists."""

    def __init__(self) -> None:
        self.lengths: list[int] = []

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        source = trainer.datamodule.sampler.negatives_of.sources[-1]
        self.lengths.append(int(source.lists.lengths.max()))


def config_of(amides: Path) -> RunConfig:
    return RunConfig.from_dict(
        {
            "model": {
                "spectrum": {"fine_width": 1024, "bin_dim": 16, "hidden_dim": 32},
                "structure": {"width": 256, "hidden_dim": 32},
                "embedding_dim": 32,
            },
            "data": {
                "dataset": str(amides / "dataset.parquet"),
                "folds": str(amides / "folds.tsv.xz"),
                "structures": str(amides / "structures.tsv.xz"),
            },
            "negatives": {
                "per_molecule": 3,
                "kinds": ["formula", "mined"],
                "refresh_every": 2,
                "nearest": 2,
                "sharpness": 1.0,
            },
            "training": {"epochs": 5, "batch_size": 50, "precision": "float32", "ema_decay": 0.5},
            "validation": {"fold": ""},
        }
    )


def losses(folder: Path) -> list[float]:
    return [json.loads(line)["train_loss"] for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_negatives_are_mined_again_and_a_resumed_run_draws_the_same(amides: Path, tmp_path: Path):
    watch = Watch()
    train(config_of(amides), tmp_path / "whole", callbacks=[watch])
    assert min(watch.lengths[:2]) > 2
    assert watch.lengths[2:] == [2, 2, 2]
    with pytest.raises(KeyboardInterrupt):
        train(config_of(amides), tmp_path / "cut", callbacks=[Stop()])
    train(config_of(amides), tmp_path / "cut", resume=True)
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")
    cut, whole = (load_file(tmp_path / name / "model" / "weights.safetensors") for name in ("cut", "whole"))
    assert all(torch.equal(cut[name], whole[name]) for name in whole)


def test_a_miner_that_has_mined_nothing_has_no_state():
    miner = NegativeMiner([], None, refresh_every=1, nearest=1)
    assert miner.state_dict() == {}
    miner.load_state_dict({})
    assert miner.mined is None
