import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from diptych.embedding import JointEmbedding
from diptych.errors import ConfigError, ModelError
from diptych.molecules import Structure
from diptych.spectra import Spectrum

SPECTRA = [Spectrum.from_peaks([65.04, 110.06], [10, 100], precursor_mz=152.0706)]
STRUCTURES = [Structure.from_smiles("CC(=O)Nc1ccc(O)cc1"), Structure.from_smiles("CCO")]


def new_model(seed: int = 0) -> JointEmbedding:
    torch.manual_seed(seed)
    return JointEmbedding.from_config(
        spectrum={"fine_width": 256, "bin_dim": 8, "hidden_dim": 16},
        structure={"width": 128, "hidden_dim": 16},
        ions={"width": 512, "dim": 8},
        embedding_dim=24,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model = new_model()
    model.name, model.metadata = "test-model", {"calibration": {"temperature": 0.1}}
    model.save(tmp_path / "model")
    return tmp_path / "model"


def test_a_saved_and_loaded_model_says_the_same(folder: Path, tmp_path: Path):
    once = JointEmbedding.load(folder)
    once.save(tmp_path / "again")
    twice = JointEmbedding.load(tmp_path / "again")
    np.testing.assert_array_equal(once.encode_spectra(SPECTRA), twice.encode_spectra(SPECTRA))
    np.testing.assert_array_equal(once.encode_structures(STRUCTURES), twice.encode_structures(STRUCTURES))
    assert once.digest == twice.digest == new_model().digest
    assert (twice.name, twice.metadata) == ("test-model", {"calibration": {"temperature": 0.1}})


def test_other_weights_have_another_digest():
    assert new_model(seed=1).digest != new_model(seed=0).digest


def test_both_towers_look_up_one_table(folder: Path):
    model = JointEmbedding.load(folder)
    assert model.spectrum_encoder.ion_table is model.structure_encoder.ion_table is model.ion_table


def test_features_made_elsewhere_give_the_same_vectors(folder: Path):
    model = JointEmbedding.load(folder)
    features = model.structure_encoder.featuriser([structure.mol() for structure in STRUCTURES])
    np.testing.assert_array_equal(model.encode_structure_features(features), model.encode_structures(STRUCTURES))


def test_nothing_to_encode_gives_no_vectors(folder: Path):
    model = JointEmbedding.load(folder)
    assert model.encode_spectra([]).shape == (0, 24)
    assert model.encode_structures([]).shape == (0, 24)


def test_a_model_that_is_not_there_is_named():
    with pytest.raises(ModelError, match=r"nowhere: no such model; expected a model folder or one of:"):
        JointEmbedding.load("nowhere")


@pytest.mark.parametrize("name", ["model.json", "weights.safetensors"])
def test_a_missing_file_is_named(folder: Path, name: str):
    (folder / name).unlink()
    with pytest.raises(ModelError, match=rf"{name} is missing"):
        JointEmbedding.load(folder)


@pytest.mark.parametrize("name", ["model.json", "weights.safetensors"])
def test_a_truncated_file_is_named(folder: Path, name: str):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(ModelError, match=rf"{name}: damaged or truncated"):
        JointEmbedding.load(folder)


def test_weights_of_another_model_are_refused(folder: Path, tmp_path: Path):
    new_model(seed=1).save(tmp_path / "other")
    shutil.copy(tmp_path / "other" / "weights.safetensors", folder)
    with pytest.raises(ModelError, match=r"the weights are not those that model\.json was written with"):
        JointEmbedding.load(folder)


def changed(folder: Path, **changes) -> Path:
    description = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    (folder / "model.json").write_text(json.dumps({**description, **changes}), encoding="utf-8")
    return folder


def test_another_format_version_is_refused(folder: Path):
    with pytest.raises(ModelError, match="format version 99; expected 1"):
        JointEmbedding.load(changed(folder, format_version=99))


def test_a_tower_of_another_version_is_refused(folder: Path):
    config = {**new_model().config, "spectrum": {"name": "future-tower"}}
    with pytest.raises(ModelError, match=r"that this version can build: model\.spectrum: unknown tower 'future-tower'"):
        JointEmbedding.load(changed(folder, config=config))


def test_weights_of_another_shape_are_refused(folder: Path):
    config = new_model().config
    config["structure"]["hidden_dim"] = 32
    with pytest.raises(ModelError, match=r"structure_encoder.bits: got shape \(128, 16\); expected shape \(128, 32\)"):
        JointEmbedding.load(changed(folder, config=config))


def test_a_description_without_its_keys_is_refused(folder: Path):
    (folder / "model.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ModelError, match="not a model description; expected the keys config, digest"):
        JointEmbedding.load(folder)


def test_an_ion_table_must_leave_room_for_the_learned_block():
    with pytest.raises(ConfigError, match=r"ions.dim is 24; expected less than embedding_dim, 24"):
        JointEmbedding.from_config(spectrum={}, structure={}, ions={"dim": 24}, embedding_dim=24)
