"""Every spectrum tower trains by its name in the configuration alone."""

import json
from pathlib import Path

import pytest

from diptych.embedding import JointEmbedding
from diptych.encoders import SPECTRUM_ENCODERS
from diptych.training import RunConfig, train

SMALL = {
    "binned-mlp": {"fine_width": 1024, "bin_dim": 16, "hidden_dim": 32},
    "binned-jestr": {},
    "binned-cnn": {"bins_per_da": 2, "channels": [8, 16], "hidden_dim": 32},
    "peak-transformer": {"hidden_dim": 32, "n_layers": 2, "n_heads": 4, "n_waves": 24, "n_difference_waves": 8},
    "formula-transformer": {"hidden_dim": 32, "n_layers": 1, "n_heads": 4, "n_waves": 24, "formula": "given"},
    "peak-graph": {"hidden_dim": 32, "n_layers": 2, "n_waves": 24},
    "multi-scale": {"fine_width": 256, "bin_dim": 16, "hidden_dim": 32},
}


@pytest.mark.parametrize("name", list(SPECTRUM_ENCODERS))
def test_a_tower_trains_by_its_name_alone(name: str, amides: Path, tmp_path: Path):
    config = RunConfig.from_dict(
        {
            "model": {
                "spectrum": {"name": name, **SMALL[name]},
                "structure": {"width": 512, "hidden_dim": 32},
                "embedding_dim": 32,
            },
            "data": {
                "dataset": str(amides / "dataset.parquet"),
                "folds": str(amides / "folds.tsv.xz"),
                "structures": str(amides / "structures.tsv.xz"),
            },
            "negatives": {"per_molecule": 2},
            "training": {"epochs": 2, "batch_size": 32, "learning_rate": 3e-3, "precision": "float32"},
        }
    )
    result = train(config, tmp_path / "run")
    losses = [json.loads(line)["train_loss"] for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert losses[1] < losses[0]
    assert JointEmbedding.load(result.model).config["spectrum"]["name"] == name
