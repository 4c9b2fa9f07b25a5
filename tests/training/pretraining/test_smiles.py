import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from diptych.embedding import JointEmbedding
from diptych.errors import ConfigError, TrainingError
from diptych.molecules import Structure
from diptych.training.pretraining.smiles import pretrain_smiles
from diptych.training.pretraining.smiles_settings import SmilesPretraining

RINGS = ["c1ccccc1", "c1ccncc1", "C1CCCCC1", "c1ccsc1", "c1ccoc1", "C1CCNCC1", "c1cncnc1", "C1CC1", "C1CCOC1"]
SMALL = SmilesPretraining(
    epochs=6, held_out=0.4, hidden_dim=32, n_layers=1, n_heads=2, batch_size=8, learning_rate=3e-3, checkpoint_steps=5
)


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def structures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("structures") / "table.tsv"
    chains = ["C", "CC", "CCC", "OCC", "NCC", "OC(=O)C", "CC(=O)N", "CS"]
    path.write_text("\n".join(["smiles", *(f"{chain}{ring}" for ring in RINGS for chain in chains)]) + "\n")
    return path


def test_a_model_learns_to_guess_and_the_tower_loads_it(structures: Path, tmp_path: Path):
    lines: list[str] = []
    metrics = pretrain_smiles(structures, tmp_path / "clm", replace(SMALL, epochs=25), report=lines.append)
    figures = metrics["held_out_scaffolds"]
    assert figures["masked_token_accuracy"] > metrics["untrained"]["masked_token_accuracy"]
    assert json.loads((tmp_path / "clm" / "metrics.json").read_text()) == json.loads(json.dumps(metrics))
    assert any(line.startswith("step 5/") for line in lines)
    assert "guessed right on held-out scaffolds" in (tmp_path / "clm" / "pretrain.log").read_text()
    assert metrics["training"]["steps"] == metrics["training"]["steps_planned"]
    model = JointEmbedding.from_config(
        spectrum={"fine_width": 64, "bin_dim": 8, "hidden_dim": 8},
        structure={"name": "language-model", "model": str(tmp_path / "clm"), "projection": "none"},
        embedding_dim=32,
    )
    vectors = model.encode_structures([Structure.from_smiles("CCc1ccccc1"), Structure.from_smiles("NCCC1CC1")])
    assert np.isfinite(vectors).all()


@pytest.mark.parametrize("options", [{}, {"mask": "substructures", "descriptors": 0.0}])
def test_a_resumed_run_ends_with_the_same_weights(structures: Path, tmp_path: Path, options: dict):
    settings = replace(SMALL, **options)
    pretrain_smiles(structures, tmp_path / "whole", settings)

    def stop(step: int, *_: object) -> None:
        if step == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pretrain_smiles(structures, tmp_path / "cut", settings, on_step=stop)
    lines: list[str] = []
    pretrain_smiles(structures, tmp_path / "cut", settings, resume=True, report=lines.append)
    assert "going on from step 10" in lines
    whole, cut = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "cut"))
    assert all(torch.equal(whole[name], cut[name]) for name in whole)


def test_time_ends_a_run_with_a_whole_model(structures: Path, tmp_path: Path):
    metrics = pretrain_smiles(structures, tmp_path / "clm", replace(SMALL, epochs=1000, max_minutes=0.005))
    assert 0 < metrics["training"]["steps"] < metrics["training"]["steps_planned"]
    assert (tmp_path / "clm" / "model.safetensors").is_file()


def test_folders_of_other_runs_are_left_alone(structures: Path, tmp_path: Path):
    with pytest.raises(TrainingError, match="no checkpoint to go on from; leave --resume away"):
        pretrain_smiles(structures, tmp_path / "clm", SMALL, resume=True)
    pretrain_smiles(structures, tmp_path / "clm", SMALL)
    with pytest.raises(TrainingError, match="holds a model already; expected another folder"):
        pretrain_smiles(structures, tmp_path / "clm", SMALL)
    with pytest.raises(TrainingError, match="the run has other settings or structures; resume it with its own"):
        pretrain_smiles(structures, tmp_path / "clm", replace(SMALL, seed=2), resume=True)


def test_a_loss_that_is_not_finite_stops_the_run(structures: Path, tmp_path: Path):
    with pytest.raises(TrainingError, match=r"the .* is (nan|inf) at step \d+; .*checkpoint.*; train anew"):
        pretrain_smiles(structures, tmp_path / "clm", replace(SMALL, epochs=100, learning_rate=1e30))


def test_impossible_settings_are_named():
    with pytest.raises(ConfigError, match="heads is 3; expected a divisor of hidden-dim, 256"):
        SmilesPretraining(n_heads=3)
    with pytest.raises(ConfigError, match=r"mask-share is 1.5, held-out 0.02; expected numbers between 0 and 1"):
        SmilesPretraining(mask_share=1.5)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0, -1.0])
def test_a_learning_rate_with_which_nothing_is_learned_is_refused(value: float):
    with pytest.raises(ConfigError, match=rf"learning-rate is {value}; expected a finite number above 0"):
        SmilesPretraining(learning_rate=value)


def test_full_memory_says_which_option_to_lower(structures: Path, tmp_path: Path):
    def full(*_: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes")

    def other(*_: object) -> None:
        raise RuntimeError("something else")

    with pytest.raises(TrainingError, match=r"lower --batch-size \(now \d+\) or --hidden-dim \(now 32\)"):
        pretrain_smiles(structures, tmp_path / "full", SMALL, on_step=full)
    with pytest.raises(RuntimeError, match="something else"):
        pretrain_smiles(structures, tmp_path / "other", SMALL, on_step=other)


@pytest.mark.parametrize(("name", "value"), [("max_minutes", float("nan")), ("descriptors", float("inf"))])
def test_numbers_that_are_not_finite_are_refused(name: str, value: float):
    with pytest.raises(ConfigError, match=rf"{name.replace('_', '-')} is {value}; expected a finite number"):
        SmilesPretraining(**{name: value})
