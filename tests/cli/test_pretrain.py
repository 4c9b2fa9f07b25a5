import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from diptych.cli import pretrain
from diptych.errors import TrainingError


def diptych(*arguments: object) -> subprocess.CompletedProcess[str]:
    code = "from diptych.cli.main import run; run()"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    words = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False, env=environment)


def test_a_language_model_is_pretrained_and_measured(tmp_path: Path):
    rings = ["c1ccccc1", "c1ccncc1", "C1CCCCC1", "c1ccsc1", "c1ccoc1", "C1CCNCC1", "c1cncnc1", "C1CC1"]
    rows = [f"BLOCK{i:09d}\t{chain}{ring}" for i, ring in enumerate(rings) for chain in ("C", "CC", "OCC")]
    (tmp_path / "table.tsv").write_text("\n".join(["inchikey_first_block\tsmiles", *rows]))
    (tmp_path / "exclude.txt").write_text("BLOCK000000000\n")
    options = ["--epochs", 1, "--hidden-dim", 16, "--layers", 1, "--heads", 2, "--held-out", 0.4, "--batch-size", 8]
    words = ["pretrain", "smiles", tmp_path / "table.tsv", "-o", tmp_path / "clm", *options]
    answer = diptych(*words, "--exclude", tmp_path / "exclude.txt", "--checkpoint-steps", 1)
    assert answer.returncode == 0, answer.stderr
    metrics = json.loads(answer.stdout)
    assert metrics["training"]["structures"] + metrics["held_out_scaffolds"]["molecules"] == 21
    assert (tmp_path / "clm" / "model.safetensors").is_file()
    again = diptych(*words)
    assert (again.returncode, again.stderr.count("\n")) == (1, 1)
    assert "holds a model already" in again.stderr


def test_an_unknown_way_of_masking_is_one_line(tmp_path: Path):
    answer = diptych("pretrain", "smiles", tmp_path / "t.tsv", "-o", tmp_path / "clm", "--mask", "atoms")
    assert answer.returncode == 1
    assert answer.stderr == "diptych: mask is 'atoms'; expected 'tokens' or 'substructures'\n"


def test_graph_layers_are_pretrained_and_a_tower_takes_them(tmp_path: Path):
    rings = ["c1ccccc1", "C1CCCCC1", "C1CC1", "C1CCC1", "C1CCCC1", "C1CCCCCC1", "c1ccc2ccccc2c1", "C1CC2CC2C1"]
    (tmp_path / "table.tsv").write_text("\n".join(["smiles", *(f"OC(=O){ring}" for ring in rings)]))
    options = ["--hidden-dim", 8, "--layers", 1, "--held-out", 0.4, "--epochs", 1]
    words = ["pretrain", "graph", tmp_path / "table.tsv", "-o", tmp_path / "gin", *options]
    answer = diptych(*words)
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["majority_element"] == "C"
    assert (tmp_path / "gin" / "weights.safetensors").is_file()
    again = diptych(*words)
    assert (again.returncode, again.stderr.count("\n")) == (1, 1)
    assert "holds pretrained layers already" in again.stderr


def test_an_unknown_graph_tower_is_one_line(tmp_path: Path):
    answer = diptych("pretrain", "graph", tmp_path / "t.tsv", "-o", tmp_path / "gnn", "--tower", "gnn")
    assert answer.returncode == 1
    assert answer.stderr == "diptych: unknown graph tower 'gnn'; expected one of gcn, gin, gat, graphsage\n"


def test_a_missing_package_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setitem(sys.modules, "diptych.training.pretraining.graph", None)
    monkeypatch.setattr("diptych.cli.pretrain._EXTRA", ("diptych",))
    with pytest.raises(TrainingError, match=r"needs the package diptych: pip install 'diptych\[train\]'"):
        pretrain.graph_command(tmp_path, tmp_path)
    monkeypatch.setattr("diptych.cli.pretrain._EXTRA", ())
    with pytest.raises(ModuleNotFoundError):
        pretrain.graph_command(tmp_path, tmp_path)
