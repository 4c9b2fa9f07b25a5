import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from diptych.embedding import JointEmbedding
from diptych.errors import ConfigError, TrainingError
from diptych.molecules import Structure
from diptych.training.pretraining import graph_run
from diptych.training.pretraining.graph import GraphPretraining, pretrain_graph

SMALL = GraphPretraining(hidden_dim=16, n_layers=2, epochs=2, batch_size=16, held_out=0.3, learning_rate=1e-2)
# An atom at the end of a double bond is oxygen, at the end of a triple bond nitrogen, else carbon.
RINGS = ["c1ccccc1", "C1CC1", "C1CCC1", "C1CCCC1", "C1CCCCC1", "C1CCCCCC1", "c1ccc2ccccc2c1", "C1CC2CC2C1"]
TAILS = ["C(=O)C", "C(=O)C(=O)C", "CC(=O)CC(=O)C", "C#N", "CC#N", "C(C#N)C#N", "C(=O)CC#N", "CC(=O)C(=O)C#N"]


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "structures.tsv"
    path.write_text("\n".join(["smiles", "not a molecule", *(ring + tail for ring in RINGS for tail in TAILS)]))
    return path


def weights(folder: Path) -> bytes:
    return (folder / "weights.safetensors").read_bytes()


def test_hidden_atoms_are_learned_and_judged_against_the_commonest_element(table: Path, tmp_path: Path):
    lines: list[str] = []
    report = pretrain_graph(table, tmp_path / "run", replace(SMALL, epochs=20), workers=1, report=lines.append)
    figures = report["held_out_scaffolds"]
    assert figures["majority_element"] == "C"
    assert 0.5 < figures["majority_accuracy"] < 1
    assert figures["masked_atom_accuracy"] > figures["majority_accuracy"]
    assert json.loads((tmp_path / "run" / "tower.json").read_text())["report"] == report
    assert lines[-1].startswith("guessed right on held-out scaffolds: ")


def test_a_run_that_was_stopped_ends_with_the_same_weights(table: Path, tmp_path: Path):
    pretrain_graph(table, tmp_path / "whole", SMALL, workers=1)

    def stop(step: int, n_steps: int, loss: float) -> None:
        if step == n_steps // 2 + 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pretrain_graph(table, tmp_path / "stopped", SMALL, workers=1, on_step=stop)
    assert not (tmp_path / "stopped" / "tower.json").exists()
    pretrain_graph(table, tmp_path / "stopped", SMALL, workers=1, resume=True)
    assert weights(tmp_path / "stopped") == weights(tmp_path / "whole")


def test_a_tower_starts_from_what_was_pretrained(table: Path, tmp_path: Path):
    pretrain_graph(table, tmp_path / "run", replace(SMALL, epochs=1), workers=1)
    options = {"name": "gin", "hidden_dim": 16, "n_layers": 2}
    spectrum = {"fine_width": 64, "bin_dim": 4, "hidden_dim": 8}
    models = []
    for folder in ("", str(tmp_path / "run")):
        torch.manual_seed(0)
        structure = {**options, "pretrained": folder}
        models.append(JointEmbedding.from_config(spectrum=spectrum, structure=structure, embedding_dim=8))
    ethanol = [Structure.from_smiles("CCO")]
    fresh, started = (model.encode_structures(ethanol) for model in models)
    assert np.abs(fresh - started).max() > 1e-3


def test_the_figures_count_right_guesses_of_all_atoms_and_of_the_rarer_ones():
    figures = graph_run._figures(np.array([1, 1, 2, 3]), np.array([1, 1, 2, 2]), majority=1)
    assert figures == {
        "masked_atom_accuracy": 0.75,
        "majority_element": "C",
        "majority_accuracy": 0.5,
        "accuracy_of_other_elements": 0.5,
        "n_masked_atoms": 4,
    }


def test_folders_of_other_runs_are_left_alone(table: Path, tmp_path: Path):
    with pytest.raises(TrainingError, match="no checkpoint to go on from; the first is written after one epoch"):
        pretrain_graph(table, tmp_path / "run", SMALL, workers=1, resume=True)
    pretrain_graph(table, tmp_path / "run", replace(SMALL, epochs=1), workers=1)
    with pytest.raises(TrainingError, match="holds pretrained layers already; expected another folder"):
        pretrain_graph(table, tmp_path / "run", SMALL, workers=1)
    with pytest.raises(TrainingError, match="the run has other settings or structures; resume it with its own"):
        pretrain_graph(table, tmp_path / "run", SMALL, workers=1, resume=True)


def test_a_loss_that_is_no_number_stops_the_run(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(graph_run.functional, "cross_entropy", lambda *_: torch.tensor(float("nan")))
    with pytest.raises(TrainingError, match="the loss is nan at step 1; there is no checkpoint yet"):
        pretrain_graph(table, tmp_path / "run", SMALL, workers=1)


def test_impossible_settings_are_refused():
    with pytest.raises(ConfigError, match=r"mask-share is 0.0, held-out 0.02; expected numbers between 0 and 1"):
        GraphPretraining(mask_share=0.0)
    with pytest.raises(ConfigError, match=r"heads is 3; expected a divisor of hidden-dim, 16"):
        GraphPretraining(tower="gat", hidden_dim=16, n_heads=3)
    with pytest.raises(ConfigError, match=r"unknown graph tower 'gnn'; expected one of gcn, gin, gat, graphsage"):
        GraphPretraining(tower="gnn")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0, -1.0])
def test_a_learning_rate_with_which_nothing_is_learned_is_refused(value: float):
    with pytest.raises(ConfigError, match=rf"learning-rate is {value}; expected a finite number above 0"):
        GraphPretraining(learning_rate=value)


def test_full_memory_says_which_option_to_lower(table: Path, tmp_path: Path):
    def full(*_: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes")

    def other(*_: object) -> None:
        raise RuntimeError("something else")

    with pytest.raises(TrainingError, match=r"lower --batch-size \(now \d+\) or --hidden-dim \(now 16\)"):
        pretrain_graph(table, tmp_path / "full", SMALL, workers=1, on_step=full)
    with pytest.raises(RuntimeError, match="something else"):
        pretrain_graph(table, tmp_path / "other", SMALL, workers=1, on_step=other)


def test_a_gradient_that_is_no_number_makes_no_step(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(graph_run.nn.utils, "clip_grad_norm_", lambda *_: torch.tensor(float("nan")))
    with pytest.raises(TrainingError, match="the norm of the gradient is nan at step 1; there is no checkpoint yet"):
        pretrain_graph(table, tmp_path / "run", SMALL, workers=1)
