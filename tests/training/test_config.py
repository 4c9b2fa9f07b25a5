import json
from pathlib import Path

import pytest

from diptych.errors import ConfigError
from diptych.training.config import RunConfig, read_config


def written(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_is_left_out_has_its_default(tmp_path: Path):
    config = read_config(written(tmp_path, "[training]\nepochs = 3\n"))
    assert config.training.epochs == 3
    assert config.training.batch_size == RunConfig().training.batch_size


def test_an_override_wins_over_the_file_and_is_read_as_toml(tmp_path: Path):
    path = written(tmp_path, "[training]\nepochs = 3\n")
    config = read_config(
        path,
        overrides=["training.epochs=20", "training.blind=true", "data.dataset=a.parquet", "model.spectrum.width=7"],
    )
    assert config.training.epochs == 20
    assert config.training.blind is True
    assert config.data.dataset == "a.parquet"
    assert config.model.spectrum["width"] == 7


def test_to_dict_and_back_is_the_same():
    config = RunConfig.from_dict({"data": {"licences": ["CC0", "CC BY"]}, "model": {"spectrum": {"name": "x"}}})
    assert RunConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[training]\nepoch = 3\n", r"unknown key 'epoch' in section \[training\]; did you mean 'epochs'\?"),
        ("[trainig]\nepochs = 3\n", r"unknown key 'trainig' in the configuration; did you mean 'training'\?"),
        ("[loss]\nzzz = 3\n", r"unknown key 'zzz' in section \[loss\]; known are name, temperature"),
        ("[training]\nepochs = 3.5\n", r"training\.epochs must be a whole number, got 3\.5"),
        ("[training]\nepochs = true\n", r"training\.epochs must be a whole number, got True"),
        ("[training]\nblind = 1\n", r"training\.blind must be true or false, got 1"),
        ("[training]\nlearning_rate = '1'\n", r"training\.learning_rate must be a number, got '1'"),
        ("[training]\nepochs = 0\n", r"training\.epochs must be at least 1, got 0"),
        ("[training]\nlearning_rate = nan\n", r"training\.learning_rate must be a finite number, got nan"),
        ("[loss]\nlabel_smoothing = 0.9\n", r"loss\.label_smoothing must be at most 0\.5, got 0\.9"),
        ("[negatives]\nfill = 'x'\n", r"negatives\.fill must be one of 'mass', 'none', got 'x'"),
        ("[negatives]\nshares = ['a']\n", r"negatives\.shares must be a list of numbers, got \['a'\]"),
        ("[negatives]\nshares = [true]\n", r"negatives\.shares must be a list of numbers, got \[True\]"),
        ("[negatives]\nkinds = ['x']\n", r"negatives\.kinds: unknown kind 'x'"),
        ("[sampling]\nbatches = 'x'\n", r"sampling\.batches must be one of 'random', 'formula', 'mass', got 'x'"),
        ("[data]\nlicences = 'CC0'\n", r"data\.licences must be a list of texts, got 'CC0'"),
        ("[data]\ndataset = 1\n", r"data\.dataset must be a text, got 1"),
        ("[model]\nspectrum = 1\n", r"model\.spectrum must be a section, got 1"),
        ("training = 1\n", r"\[training\] must be a section, got 1"),
        ("[training\n", r"config\.toml: is not TOML"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str, message: str):
    with pytest.raises(ConfigError, match=message):
        read_config(written(tmp_path, text))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.epochs", r"must look like section\.key=value"),
        ("training.=3", r"must look like section\.key=value"),
        ("training.epochs.more=3", r"'epochs' is a value, not a section"),
    ],
)
def test_a_malformed_override_is_refused(tmp_path: Path, override: str, message: str):
    with pytest.raises(ConfigError, match=message):
        read_config(written(tmp_path, "[training]\nepochs = 3\n"), overrides=[override])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.learning_rate=nan", r"training\.learning_rate must be a finite number, got nan"),
        ("training.warmup_epochs=inf", r"training\.warmup_epochs must be a finite number, got inf"),
        ("negatives.shares=[-inf]", r"negatives\.shares\[0\] must be a finite number, got -inf"),
        ('loss.terms=[{name="fingerprint",weight=nan}]', r"loss\.terms\[0\]\.weight must be a finite number, got nan"),
        ("model.spectrum.cleaning={min_mz=nan}", r"model\.spectrum\.cleaning\.min_mz must be a finite number, got nan"),
    ],
)
def test_a_number_that_is_not_finite_is_refused_by_name(tmp_path: Path, override: str, message: str):
    with pytest.raises(ConfigError, match=message):
        read_config(written(tmp_path, ""), overrides=[override])


def test_a_missing_or_undecodable_file_is_one_clear_error(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read: No such file"):
        read_config(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"# \xe9\n")
    with pytest.raises(ConfigError, match=r"not UTF-8 text"):
        read_config(tmp_path / "latin.toml")


def test_the_documented_configuration_can_be_read(tmp_path: Path):
    page = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
    toml = page.split("```toml\n")[1].split("```")[0]
    assert read_config(written(tmp_path, toml)).negatives.per_molecule == 8


def test_a_file_goes_on_top_of_a_preset_and_overrides_on_top_of_both(tmp_path: Path):
    path = tmp_path / "mine.toml"
    path.write_text('[data]\ndataset = "mine.parquet"\n[training]\nepochs = 7\nbatch_size = 32\n')
    config = read_config(path, preset="fingerprint-ions", overrides=["training.epochs=3"])
    assert (config.data.dataset, config.training.epochs, config.training.batch_size) == ("mine.parquet", 3, 32)
    assert config.training.ema_decay == 0.99
    assert config.model.ions == {"bins_per_da": 200, "width": 16384, "dim": 192}


def test_another_tower_replaces_the_preset_s_with_its_options(tmp_path: Path):
    path = tmp_path / "mine.toml"
    path.write_text('[model.spectrum]\nname = "binned-cnn"\nchannels = [8, 16]\n[model.structure]\ndropout = 0.1\n')
    model = read_config(path, preset="fingerprint-ions").model
    assert model.spectrum == {"name": "binned-cnn", "channels": [8, 16]}
    assert model.structure == {"name": "fingerprint-mlp", "ion_weight": 2.0, "dropout": 0.1}


def test_neither_file_nor_preset_is_an_error():
    with pytest.raises(ConfigError, match="neither a configuration file nor a preset"):
        read_config(None)
