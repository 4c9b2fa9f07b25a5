import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch.callbacks import Callback
from safetensors.torch import load_file

from diptych.data.dataset import read_dataset
from diptych.embedding import JointEmbedding
from diptych.errors import ConfigError, DatasetError, ModelError, TrainingError
from diptych.training import RunConfig, train
from diptych.training.influence import Example, influence
from diptych.training.losses import LOSSES

SMALL: dict[str, dict[str, Any]] = {
    "model": {
        "spectrum": {"fine_width": 2048, "bin_dim": 32, "hidden_dim": 64, "dropout": 0.1},
        "structure": {"width": 512, "hidden_dim": 64, "dropout": 0.1},
        "embedding_dim": 32,
    },
    "negatives": {"per_molecule": 2},
    "training": {"epochs": 4, "batch_size": 50, "learning_rate": 3e-3, "ema_decay": 0.9, "precision": "float32"},
}


def config_of(folder: Path, **sections: dict[str, Any]) -> RunConfig:
    values = {
        **SMALL,
        "data": {
            "dataset": str(folder / "dataset.parquet"),
            "folds": str(folder / "folds.tsv.xz"),
            "structures": str(folder / "structures.tsv.xz"),
        },
    }
    return RunConfig.from_dict(
        {key: {**values.get(key, {}), **sections.get(key, {})} for key in {**values, **sections}}
    )


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return {name: tensor for path in sorted(folder.glob("*.safetensors")) for name, tensor in load_file(path).items()}


def metrics(folder: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if "seconds" not in key and "share" not in key} for row in rows]


class StopAfter(Callback):
    def __init__(self, epoch: int, error: BaseException) -> None:
        self.epoch, self.error = epoch, error

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.current_epoch == self.epoch and batch_idx == 1:
            raise self.error


@pytest.fixture(scope="module")
def whole_run(amides: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "whole"
    train(config_of(amides), folder)
    return folder


def test_a_short_training_beats_chance_and_its_blind_control(amides: Path, tmp_path: Path):
    config = config_of(amides, training={"epochs": 10, "batch_size": 32}, negatives={"per_molecule": 4})
    result = train(config, tmp_path / "run")
    assert result.metrics["hit_rate@1"] > 0.6
    assert result.metrics["hit_rate@1"] > result.blind_metrics["hit_rate@1"] + 0.2


def test_a_run_leaves_its_record(whole_run: Path):
    assert {path.name for path in whole_run.iterdir()} == {
        *("checkpoint", "config.json", "learning_curve.png", "metrics.jsonl", "model", "result.json", "train.log")
    }
    record = json.loads((whole_run / "config.json").read_text())
    assert record["config"]["training"]["epochs"] == 4
    assert record["config"]["training"]["weight_decay"] == RunConfig().training.weight_decay
    assert record["seed"] == 1
    assert set(record["digests"]) == {"dataset", "structures", "folds"}
    assert {"diptych", "torch", "lightning", "rdkit"} <= set(record["versions"])
    rows = [json.loads(line) for line in (whole_run / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert all({"train_loss", "learning_rate", "data_share", "val_mrr", "val_hit_rate@20"} <= set(row) for row in rows)
    assert rows[-1]["train_loss"] < rows[0]["train_loss"]
    assert (whole_run / "learning_curve.png").read_bytes().startswith(b"\x89PNG")


def test_no_pickle_is_written(whole_run: Path):
    suffixes = {path.suffix for path in whole_run.rglob("*") if path.is_file()}
    assert suffixes <= {".json", ".jsonl", ".png", ".log", ".md", ".txt", ".safetensors"}


def test_the_model_folder_holds_card_first_blocks_and_calibration(whole_run: Path):
    model = JointEmbedding.load(whole_run / "model")
    assert model.metadata["calibration"]["temperature"] > 0
    assert model.metadata["training"]["n_molecules"] == 146
    blocks = (whole_run / "model" / "training_first_blocks.txt").read_text().split()
    assert len(blocks) == 146
    assert blocks == sorted(set(blocks))
    card = (whole_run / "model" / "card.md").read_text()
    assert "| CC0 | 438 |" in card
    assert "peaks withheld" in card


def test_weights_along_the_way_are_kept_for_the_influence(amides: Path, whole_run: Path, tmp_path: Path):
    folder = tmp_path / "run"
    with pytest.raises(RuntimeError, match="killed"):
        train(config_of(amides), folder, callbacks=[StopAfter(1, RuntimeError("killed"))])
    train(config_of(amides, training={**SMALL["training"], "keep_every": 2}), folder, resume=True)
    assert metrics(folder) == metrics(whole_run)
    kept = sorted((folder / "models").iterdir())
    assert [path.name for path in kept] == ["epoch-002", "epoch-004"]
    models = [JointEmbedding.load(path) for path in kept]
    dataset = read_dataset(amides / "dataset.parquet")
    structures = dataset.structures()
    first = Example(spectrum=dataset[0].spectrum, structures=np.arange(5))
    both, early, late = (
        influence(chosen, training=[first], queries=[first], structures=structures).on_itself
        for chosen in (models, models[:1], models[1:])
    )
    assert early[0] != late[0]
    np.testing.assert_allclose(both, early + late, rtol=1e-4)


def test_the_best_epoch_is_the_one_that_is_saved(whole_run: Path):
    best = max(row["val_mrr"] for row in metrics(whole_run))
    assert json.loads((whole_run / "result.json").read_text())["metrics"]["mrr"] == pytest.approx(best, abs=0.02)


@pytest.mark.parametrize("error", [RuntimeError("killed"), KeyboardInterrupt()])
def test_a_resumed_run_equals_an_uninterrupted_one(amides: Path, whole_run: Path, tmp_path: Path, error: BaseException):
    folder = tmp_path / "run"
    with pytest.raises(type(error)):
        train(config_of(amides), folder, callbacks=[StopAfter(2, error)])
    assert len(metrics(folder)) == 2
    train(config_of(amides), folder, resume=True)
    assert metrics(folder) == metrics(whole_run)
    resumed, whole = weights(folder / "checkpoint"), weights(whole_run / "checkpoint")
    assert list(resumed) == list(whole)
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)
    assert all(
        torch.equal(tensor, weights(whole_run / "model")[name]) for name, tensor in weights(folder / "model").items()
    )


def test_the_seed_decides_everything(amides: Path, whole_run: Path, tmp_path: Path):
    train(config_of(amides), tmp_path / "same")
    train(config_of(amides, training={"seed": 2, "epochs": 1}), tmp_path / "other")
    assert metrics(tmp_path / "same") == metrics(whole_run)
    assert metrics(tmp_path / "other")[0] != metrics(whole_run)[0]


def test_a_blind_twin_never_sees_a_peak(amides: Path, tmp_path: Path):
    result = train(config_of(amides, training={"blind": True, "epochs": 2}), tmp_path / "run")
    assert result.metrics == result.blind_metrics
    assert JointEmbedding.load(result.model).metadata["trained_blind"] is True


def test_training_without_validation_keeps_the_last_weights(amides: Path, whole_run: Path, tmp_path: Path):
    validation = {"fold": "", "calibration_from": str(whole_run / "model")}
    data = {"train_folds": ["train", "val"]}
    result = train(config_of(amides, validation=validation, data=data, training={"epochs": 1}), tmp_path / "run")
    assert result.metrics == {}
    before, after = (JointEmbedding.load(folder).metadata for folder in (whole_run / "model", result.model))
    assert after["calibration"] == before["calibration"]
    assert after["training"]["n_molecules"] == 182
    assert "None: the weights of the last epoch were kept." in (result.model / "card.md").read_text()


def test_a_calibration_that_cannot_be_taken_over_is_missed_before_anything_is_read(tmp_path: Path):
    config = config_of(tmp_path, validation={"fold": "", "calibration_from": str(tmp_path / "none")})
    with pytest.raises(ModelError, match=r"none"):
        train(config, tmp_path / "run")


def test_a_model_without_calibration_has_none_to_take_over(whole_run: Path, tmp_path: Path):
    model = tmp_path / "model"
    shutil.copytree(whole_run / "model", model)
    said = json.loads((model / "model.json").read_text())
    del said["metadata"]["calibration"]
    (model / "model.json").write_text(json.dumps(said))
    config = config_of(tmp_path, validation={"fold": "", "calibration_from": str(model)})
    with pytest.raises(ModelError, match="model: has neither calibration nor second look; expected"):
        train(config, tmp_path / "run")


def test_another_model_to_take_the_calibration_from_is_no_other_run(amides: Path, whole_run: Path, tmp_path: Path):
    def config(model: Path) -> RunConfig:
        validation = {"fold": "", "calibration_from": str(model)}
        return config_of(amides, validation=validation, training={"epochs": 2})

    shutil.copytree(whole_run / "model", tmp_path / "calibrated")
    with pytest.raises(RuntimeError, match="killed"):
        train(config(tmp_path / "calibrated"), tmp_path / "run", callbacks=[StopAfter(1, RuntimeError("killed"))])
    shutil.rmtree(tmp_path / "calibrated")
    with pytest.raises(ModelError, match=r"calibrated"):
        train(config(tmp_path / "calibrated"), tmp_path / "run", resume=True)
    result = train(config(whole_run / "model"), tmp_path / "run", resume=True)
    assert "calibration" in JointEmbedding.load(result.model).metadata


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_checkpoint(
    amides: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    calls = []
    real = LOSSES["info-nce"]

    def spoiled(*args: Any, **options: Any) -> torch.Tensor:
        calls.append(1)
        return real(*args, **options) * (float("nan") if len(calls) == 5 else 1.0)

    monkeypatch.setitem(LOSSES, "info-nce", spoiled)
    with pytest.raises(TrainingError, match=r"the loss is nan in epoch 2, batch 2; the last good checkpoint is kept"):
        train(config_of(amides), tmp_path / "run")
    assert len(metrics(tmp_path / "run")) == 1
    assert JointEmbedding.load(tmp_path / "run" / "model")
    assert "the loss is nan" in (tmp_path / "run" / "train.log").read_text()
    monkeypatch.undo()
    train(config_of(amides), tmp_path / "run", resume=True)
    assert len(metrics(tmp_path / "run")) == 4


class Spoiling(torch.autograd.Function):
    """Hands a loss on as it is, and its gradient as NaN."""

    @staticmethod
    def forward(ctx: Any, loss: torch.Tensor) -> torch.Tensor:
        return loss.clone()

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        return gradient * float("nan")


def test_a_gradient_that_is_not_finite_is_never_kept(amides: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    calls = []
    real = LOSSES["info-nce"]

    def spoiled(*args: Any, **options: Any) -> torch.Tensor:
        calls.append(1)
        loss = real(*args, **options)
        return Spoiling.apply(loss) if len(calls) == 6 else loss  # the last batch of all, whose loss is finite

    config = config_of(amides, training={"epochs": 2, "ema_decay": 0.0})
    monkeypatch.setitem(LOSSES, "info-nce", spoiled)
    message = r"the norm of the gradient is nan in epoch 2, batch 3; the last good checkpoint is kept; train anew in an"
    with pytest.raises(TrainingError, match=message):
        train(config, tmp_path / "run")
    assert not (tmp_path / "run" / "result.json").exists()
    kept = [*weights(tmp_path / "run" / "checkpoint").values(), *weights(tmp_path / "run" / "model").values()]
    assert all(torch.isfinite(tensor).all() for tensor in kept)
    monkeypatch.undo()
    train(config, tmp_path / "run", resume=True)
    train(config, tmp_path / "whole")
    assert metrics(tmp_path / "run") == metrics(tmp_path / "whole")


def test_weights_that_a_saved_model_could_not_hold_are_never_kept(amides: Path, tmp_path: Path):
    # One batch an epoch: what its step does to the weights is seen by no other batch.
    settings = {"epochs": 1, "batch_size": 1000, "learning_rate": 1e30, "warmup_epochs": 0.0}
    message = r"of the size 1e\+30 in epoch 1, batch 1; no epoch was finished, and nothing is kept; start again"
    with pytest.raises(TrainingError, match=message):
        train(config_of(amides, training=settings), tmp_path / "run")
    assert not (tmp_path / "run" / "model").exists()
    train(config_of(amides, training={"epochs": 1}), tmp_path / "run")
    assert (tmp_path / "run" / "result.json").is_file()


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes"),
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        MemoryError("std::bad_alloc"),
    ],
)
def test_full_memory_says_which_setting_to_lower(amides: Path, tmp_path: Path, error: BaseException):
    with pytest.raises(TrainingError, match=r"out of memory: lower training\.batch_size \(now 50\)"):
        train(config_of(amides), tmp_path / "run", callbacks=[StopAfter(0, error)])


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ({"terms": [{"name": "late-interaction"}]}, r"the tower 'binned-mlp' returns none"),
        ({"terms": [{"name": "vicreg", "from_epoch": 4}]}, r"'vicreg' would never be on"),
        ({"terms": [{"name": "supcon"}]}, r"'supcon' needs two spectra of a molecule"),
        ({"terms": [{"name": "mocco"}]}, r"unknown term 'mocco'; did you mean 'moco'\?"),
    ],
)
def test_an_impossible_loss_is_refused_before_anything_is_read(tmp_path: Path, loss: dict[str, Any], message: str):
    with pytest.raises(ConfigError, match=message):
        train(config_of(tmp_path, loss=loss), tmp_path / "run")


def test_a_run_with_terms_is_resumed_as_if_it_had_not_stopped(amides: Path, tmp_path: Path):
    terms = [
        {"name": "moco", "queue_size": 100},
        {"name": "fingerprint", "hidden_dim": 16},
        {"name": "descriptors", "hidden_dim": 8, "from_epoch": 1},
        {"name": "supcon-tanimoto", "augmented": True, "alpha": 1.0},
        {"name": "candidate-regularisation", "k": 1, "from_share": 0.5},
    ]
    config = config_of(
        amides,
        loss={"name": "cmc", "temperature": 0.05, "terms": terms},
        model={"projection": {"hidden_dim": 16, "dim": 8}},
        augmentation={"peak_dropout": 0.2},
        training={"epochs": 2},
        validation={"fold": ""},
    )
    train(config, tmp_path / "whole")
    with pytest.raises(RuntimeError, match="killed"):
        train(config, tmp_path / "cut", callbacks=[StopAfter(1, RuntimeError("killed"))])
    train(config, tmp_path / "cut", resume=True)
    assert metrics(tmp_path / "cut") == metrics(tmp_path / "whole")
    cut, whole = (weights(tmp_path / name / "model") for name in ("cut", "whole"))
    assert all(torch.equal(cut[name], whole[name]) for name in whole)
    assert JointEmbedding.load(tmp_path / "cut" / "model").loss_dim == 8


def test_training_stops_early_when_nothing_gets_better(amides: Path, tmp_path: Path):
    settings = {"epochs": 6, "learning_rate": 0.0, "ema_decay": 0.0}
    train(config_of(amides, training=settings, validation={"patience": 2}), tmp_path / "run")
    assert len(metrics(tmp_path / "run")) == 3


def test_candidates_can_come_from_a_file_and_be_withheld_from_the_negatives(amides: Path, tmp_path: Path):
    from diptych.data.tables import read_columns

    by_formula: dict[str, list[str]] = {}
    rows = list(read_columns(amides / "structures.tsv.xz", ("inchikey_first_block", "smiles", "formula")))
    for _, smiles, formula in rows:
        by_formula.setdefault(formula, []).append(smiles)
    lists = {block: by_formula[formula] for block, _, formula in rows}
    (tmp_path / "candidates.json").write_text(json.dumps(lists))
    path = str(tmp_path / "candidates.json")
    lines: list[str] = []
    train(
        config_of(amides, validation={"candidates": path}, negatives={"withhold": [path]}, training={"epochs": 1}),
        tmp_path / "run",
        report=lines.append,
    )
    assert "0 further structures serve as hard negatives" in lines


def test_a_folder_that_holds_a_run_is_not_overwritten(amides: Path, whole_run: Path):
    with pytest.raises(TrainingError, match=r"whole already holds a run; go on with it by --resume"):
        train(config_of(amides), whole_run)


def test_a_model_without_its_checkpoint_is_not_overwritten(amides: Path, whole_run: Path, tmp_path: Path):
    shutil.copytree(whole_run, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoint")
    with pytest.raises(TrainingError, match=r"run already holds a run; name another folder"):
        train(config_of(amides), tmp_path / "run")


def test_there_must_be_a_checkpoint_to_resume(amides: Path, tmp_path: Path):
    with pytest.raises(TrainingError, match=r"no checkpoint to resume from; .* leave --resume away to train anew"):
        train(config_of(amides), tmp_path / "run", resume=True)


def test_a_run_is_not_resumed_with_another_configuration_or_without_its_record(
    amides: Path, whole_run: Path, tmp_path: Path
):
    with pytest.raises(ConfigError, match=r"was started with training\.epochs = 4, now it is 5; train anew"):
        train(config_of(amides, training={"epochs": 5}), whole_run, resume=True)
    shutil.copytree(whole_run, tmp_path / "run")
    (tmp_path / "run" / "config.json").write_text("{")
    with pytest.raises(TrainingError, match=r"config\.json: cannot be read"):
        train(config_of(amides), tmp_path / "run", resume=True)


@pytest.mark.parametrize(
    ("file", "text", "error", "message"),
    [
        ("config.json", "{}", TrainingError, r"config\.json: has no config and no digests; expected the record"),
        ("config.json", "[3]", TrainingError, r"config\.json: has no config and no digests; expected the record"),
        (
            "config.json",
            '{"config": {"x": 1}, "digests": {}}',
            ConfigError,
            r"not the record of a .* unknown key 'x'",
        ),
        ("checkpoint/state.json", "{}", TrainingError, r"checkpoint: the checkpoint is missing or damaged"),
        (
            "checkpoint/state.json",
            '{"items": []}',
            TrainingError,
            r"state\.json does not hold state_dict, optimizer",
        ),
    ],
)
def test_a_run_with_a_damaged_record_is_not_resumed(
    amides: Path, whole_run: Path, tmp_path: Path, file: str, text: str, error: type[Exception], message: str
):
    shutil.copytree(whole_run, tmp_path / "run")
    (tmp_path / "run" / file).write_text(text)
    with pytest.raises(error, match=message):
        train(config_of(amides), tmp_path / "run", resume=True)


def test_a_run_is_not_resumed_on_other_data(amides: Path, whole_run: Path, tmp_path: Path):
    run, data = tmp_path / "run", tmp_path / "data"
    shutil.copytree(whole_run, run)
    record = json.loads((run / "config.json").read_text())
    record["digests"]["folds"] = "0"
    (run / "config.json").write_text(json.dumps(record))
    with pytest.raises(TrainingError, match=r"folds has changed since the run was started; train anew"):
        train(config_of(amides), run, resume=True)
    assert not data.exists()


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        ("data", {"dataset": ""}, r"data\.dataset is not given"),
        ("data", {"dataset": "/none.parquet"}, r"/none\.parquet: cannot be read as a dataset"),
        ("data", {"folds": ""}, r"give one of data\.folds .* and data\.fold_column"),
        ("data", {"folds": "", "fold_column": "fold_x"}, r"no column 'fold_x'"),
        ("data", {"folds": "/none.tsv"}, r"/none\.tsv: cannot be read"),
        ("data", {"train_folds": ["trian"]}, r"no spectrum in fold 'trian'; the folds are train, val"),
        ("data", {"licences": ["GPL"]}, r"no spectrum of fold train is left after data\.licences and data\.exclude"),
        ("data", {"exclude": "/none.txt"}, r"/none\.txt: cannot be read"),
        ("data", {"structures": ""}, r"neither validation\.candidates nor data\.structures is given"),
        ("validation", {"fold": "test"}, r"no spectrum in fold 'test'"),
        ("validation", {"candidates": "/none.json"}, r"/none\.json: cannot be read"),
    ],
)
def test_what_is_missing_is_named(amides: Path, tmp_path: Path, section: str, values: dict[str, Any], message: str):
    with pytest.raises(DatasetError, match=message):
        train(config_of(amides, **{section: values}), tmp_path / "run")


def test_an_unknown_loss_is_a_config_error(amides: Path, tmp_path: Path):
    with pytest.raises(ConfigError, match=r"loss\.name: unknown loss 'info_nce'; expected one of info-nce"):
        train(config_of(amides, loss={"name": "info_nce"}), tmp_path / "run")


def test_lists_of_one_are_no_validation(amides: Path, tmp_path: Path):
    (tmp_path / "candidates.json").write_text(json.dumps({"AAAAAAAAAAAAAA": ["CCO"]}))
    with pytest.raises(DatasetError, match=r"no spectrum of the validation fold 'val' has a list of two or more"):
        train(config_of(amides, validation={"candidates": str(tmp_path / "candidates.json")}), tmp_path / "run")


def test_more_devices_than_molecules_in_a_batch_are_refused(amides: Path):
    from diptych.training.batches import TrainingData
    from diptych.training.ragged import Ragged
    from diptych.training.sampling import EpochSampler

    sampler = EpochSampler(
        spectra_of=Ragged.from_owners(np.arange(4), n_owners=4),
        negatives_of=Ragged.from_lists([[]] * 4),
        batch_size=4,
        n_negatives=0,
        seed=0,
    )
    data = TrainingData(sampler, make=None, workers=0)
    with pytest.raises(TrainingError, match=r"batches of 4 molecules cannot be shared by 5 devices"):
        data.steps_per_epoch(world_size=5)


def test_re_ranking_by_towers_without_parts_is_refused_before_anything_is_read(tmp_path: Path):
    config = RunConfig.from_dict({**SMALL, "data": {"dataset": "none.parquet"}, "validation": {"rerank": 8}})
    with pytest.raises(ConfigError, match="late interaction needs a vector for each peak and each atom"):
        train(config, tmp_path / "run")


def test_a_constant_schedule_keeps_the_learning_rate(amides: Path, whole_run: Path, tmp_path: Path):
    settings = {"epochs": 2, "warmup_epochs": 0.0, "schedule": "constant"}
    train(config_of(amides, training=settings), tmp_path / "run")
    assert [row["learning_rate"] for row in metrics(tmp_path / "run")] == [3e-3, 3e-3]
    assert metrics(whole_run)[-1]["learning_rate"] < 1.5e-3
