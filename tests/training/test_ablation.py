import json
from pathlib import Path

import pytest

from diptych.errors import ConfigError, EvaluationError
from diptych.training.ablation import AblationPlan, nested, run_ablation

PLAN = """
seeds = [3]
[base.model]
embedding_dim = 64
[base.model.spectrum]
hidden_dim = 32
bin_dim = 16
[base.model.structure]
hidden_dim = 32
[base.data]
dataset = "{folder}/dataset.parquet"
folds = "{folder}/folds.tsv.xz"
structures = "{folder}/structures.tsv.xz"
[base.training]
epochs = 1
batch_size = 64
[axes.negatives.four]
negatives = {{per_molecule = 4}}
[axes.negatives.eight]
[axes.loss.smooth]
loss = {{label_smoothing = 0.1}}
without = ["model.spectrum.bin_dim"]
"""


def plan(folder: Path, path: Path, text: str = PLAN) -> AblationPlan:
    path.write_text(text.format(folder=folder))
    return AblationPlan.read(path)


def test_a_plan_names_its_runs_and_an_empty_level_is_the_base(tmp_path: Path):
    cells = list(plan(tmp_path, tmp_path / "p.toml").cells({"training": {"epochs": 2}}))
    assert [cell.name for cell in cells] == ["base, seed 3", "negatives four, seed 3", "loss smooth, seed 3"]
    assert all(cell.values["training"] == {"epochs": 2, "batch_size": 64, "seed": 3} for cell in cells)
    assert cells[1].values["negatives"] == {"per_molecule": 4}
    assert "bin_dim" in cells[0].values["model"]["spectrum"]
    assert "bin_dim" not in cells[2].values["model"]["spectrum"]


def test_a_preset_and_a_configuration_lie_under_the_base(tmp_path: Path):
    (tmp_path / "c.toml").write_text("[training]\nbatch_size = 32\nepochs = 7\n")
    text = 'preset = "jestr"\nconfig = "c.toml"\n[base.training]\nepochs = 9\n[axes.a.b]\nloss = {temperature = 0.1}\n'
    found = plan(tmp_path, tmp_path / "p.toml", text.replace("{", "{{").replace("}", "}}"))
    assert found.base["model"]["embedding_dim"] == 512
    assert (found.base["training"]["batch_size"], found.base["training"]["epochs"]) == (32, 9)


def test_runs_are_kept_and_a_second_call_trains_nothing(amides: Path, tmp_path: Path):
    found = plan(amides, tmp_path / "p.toml")
    lines: list[str] = []
    made = run_ablation(found, tmp_path / "out", n_bootstrap=50, report=lines.append)
    assert [row.level for row in made.rows] == ["base", "four", "smooth"]
    assert made.rows[0].n_seeds == 1
    assert (tmp_path / "out" / "ablation.md").is_file()
    again: list[str] = []
    run_ablation(found, tmp_path / "out", n_bootstrap=50, report=again.append)
    assert again.count("finished before") == 3
    for cell in (tmp_path / "out").rglob("cell.json"):  # as one written before there was such an option
        said = json.loads(cell.read_text())
        assert said["training"].pop("keep_every") == 0
        cell.write_text(json.dumps(said))
    run_ablation(found, tmp_path / "out", n_bootstrap=50, report=again.append)
    assert again.count("finished before") == 6
    with pytest.raises(ConfigError, match=r"was trained with another training\.epochs; name another folder"):
        run_ablation(found, tmp_path / "out", overrides={"training": {"epochs": 2}})


def test_what_cannot_be_trained_is_reported_and_the_base_must_be(tmp_path: Path):
    with pytest.raises(EvaluationError, match=r"no run of the base was finished: .*dataset\.parquet") as told:
        run_ablation(plan(tmp_path, tmp_path / "p.toml"), tmp_path / "out")
    assert str(told.value).count("expected a whole Parquet file") == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[axes.a.b]\nx = 1\n[nonsense]\n", "unknown key 'nonsense'; expected the keys title, preset"),
        ("seeds = [0]\n", "it has no axis; expected the keys"),
        ("seeds = []\n[axes.a.b]\n", "it has no seed; expected the keys"),
        ("seeds = [0, 1, 0]\n[axes.a.b]\n", r"seeds are \[0, 1, 0\]; expected distinct whole numbers"),
        ("seeds = 3\n[axes.a.b]\n", "seeds is 3; expected a list"),
        ("k = 0\n[axes.a.b]\n", "k is 0; expected at least 1"),
        ("k = 1.5\n[axes.a.b]\n", r"k is 1\.5; expected a int"),
        ("preset = 3\n[axes.a.b]\n", "preset is 3; expected a str"),
        ("base = 3\n[axes.a.b]\n", "base is 3; expected a dict"),
        ("[axes.a]\n", "axis 'a'; expected a table of levels"),
        ("[axes.base.b]\n", "an axis is called 'base', as the recipe is"),
        ("[axes.'a/../x'.b]\n", "'a/../x' of axis 'a/../x' can be no folder's name"),
        ("[axes.a.'..']\n", r"'\.\.' of axis 'a' can be no folder's name"),
        ("[axes.a.b.loss]\nx = 1\n[axes.a.c.loss]\nx = 1\n", "levels 'b' and 'c' of axis 'a' are the same"),
        ("[axes.a.b]\nwithout = [3]\n", r"without of a b is \[3\]; expected a list of keys"),
        ("[axes.a.b.training]\nseed = 2\n", r"a b has a training\.seed; expected it among the seeds"),
        ("[axes]\na = 3\n", "axis 'a'; expected a table of levels"),
        ("title = \n", "is not TOML"),
    ],
)
def test_a_wrong_plan_is_refused(tmp_path: Path, text: str, message: str):
    (tmp_path / "p.toml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        AblationPlan.read(tmp_path / "p.toml")


@pytest.mark.parametrize("key", ["training.epoch", "nothing.epochs", "training.epochs.x"])
def test_a_level_cannot_be_without_what_the_recipe_lacks(tmp_path: Path, key: str):
    found = plan(tmp_path, tmp_path / "p.toml", PLAN.replace("model.spectrum.bin_dim", key))
    with pytest.raises(ConfigError, match=rf"a level is without {key}, which the recipe lacks; expected one of its"):
        list(found.cells())


def test_a_seed_for_every_cell_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"training\.seed is set for every cell; expected it among the seeds"):
        list(plan(tmp_path, tmp_path / "p.toml").cells({"training": {"seed": 4}}))


@pytest.mark.parametrize("text", ["{", "[1]", '{"training": {"epoch": 1}}'])
def test_a_run_whose_configuration_is_damaged_is_named(amides: Path, tmp_path: Path, text: str):
    cell = tmp_path / "out" / "runs" / "base" / "base" / "seed-3" / "cell.json"
    cell.parent.mkdir(parents=True)
    cell.write_text(text)
    with pytest.raises(ConfigError, match=r"cell\.json: cannot be read: .*; expected the configuration of the run"):
        run_ablation(plan(amides, tmp_path / "p.toml"), tmp_path / "out")


def test_a_missing_plan_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        AblationPlan.read(tmp_path / "none.toml")


def test_wrong_cells_are_refused_before_anything_is_trained(amides: Path, tmp_path: Path):
    found = plan(amides, tmp_path / "p.toml", PLAN.replace("label_smoothing", "smoothing"))
    with pytest.raises(ConfigError, match="loss smooth, seed 3: unknown key 'smoothing'"):
        run_ablation(found, tmp_path / "out")
    useless = plan(amides, tmp_path / "p.toml", PLAN.replace("label_smoothing", "block_weight"))
    with pytest.raises(ConfigError, match=r"loss smooth, seed 3: loss\.block_weight is 0\.1, but the vectors"):
        run_ablation(useless, tmp_path / "out")
    with pytest.raises(ConfigError, match=r"base, seed 3: validation\.fold is empty"):
        run_ablation(plan(amides, tmp_path / "p.toml"), tmp_path / "out", overrides={"validation": {"fold": ""}})
    assert not (tmp_path / "out").exists()


def test_overrides_become_nested_values():
    assert nested(["training.epochs=3", "data.dataset=x.parquet"]) == {
        "training": {"epochs": 3},
        "data": {"dataset": "x.parquet"},
    }
