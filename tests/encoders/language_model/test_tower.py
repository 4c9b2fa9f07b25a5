import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors
from transformers import RobertaConfig, RobertaForMaskedLM

from diptych.embedding import JointEmbedding
from diptych.encoders import STRUCTURE_ENCODERS, build_encoder
from diptych.encoders.language_model.vectors import VectorRows
from diptych.errors import ConfigError
from diptych.molecules import Structure
from diptych.molecules.smiles_tokens import PATTERN, TOKENS, UNKNOWN, VOCABULARY

STRUCTURES = [Structure.from_smiles(s) for s in ("CCO", "CC(=O)Nc1ccc(O)cc1", "C[N+](C)(C)CCO", "OCC1OC(O)C(O)C1O")]
MOLS = [structure.mol() for structure in STRUCTURES]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a tiny RoBERTa of two layers that reaches 40 tokens."""
    path = tmp_path_factory.mktemp("models") / "roberta"
    torch.manual_seed(0)
    config = RobertaConfig(
        vocab_size=len(TOKENS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=41,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    RobertaForMaskedLM(config).save_pretrained(path)
    tokenizer = Tokenizer(models.WordLevel(dict(VOCABULARY), unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(PATTERN), "isolated")
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", VOCABULARY["[SEP]"]), ("[CLS]", VOCABULARY["[CLS]"]))
    tokenizer.save(str(path / "tokenizer.json"))
    return path


def model(folder: Path | str, *, dim: int = 24, ions: bool = False, **options) -> JointEmbedding:
    torch.manual_seed(1)
    return JointEmbedding.from_config(
        spectrum={"fine_width": 64, "bin_dim": 8, "hidden_dim": 8},
        structure={"name": "language-model", "model": str(folder), **options},
        ions={"width": 512, "dim": 8} if ions else None,
        embedding_dim=dim,
    ).eval()


def tower(folder: Path | str, **options):
    settings = {"name": "language-model", "model": str(folder), **options}
    return build_encoder(STRUCTURE_ENCODERS, settings, embedding_dim=24, ion_table=None)


def trainable(encoder) -> set[str]:
    return {name for name, weight in encoder.language_model.named_parameters() if weight.requires_grad}


@pytest.mark.parametrize("tune", ["frozen", "last-layers", "lora"])
@pytest.mark.parametrize("ions", [False, True])
def test_a_saved_model_needs_the_folder_no_more(folder: Path, tmp_path: Path, tune: str, ions: bool):
    shutil.copytree(folder, tmp_path / "original")
    embedding = model(tmp_path / "original", tune=tune, n_last_layers=1, lora_rank=2, ions=ions)
    vectors = embedding.encode_structures(STRUCTURES)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    embedding.save(tmp_path / "model")
    shutil.rmtree(tmp_path / "original")
    loaded = JointEmbedding.load(tmp_path / "model")
    np.testing.assert_allclose(loaded.encode_structures(STRUCTURES), vectors, atol=2e-3)
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["model.json", "weights.safetensors"]


def test_the_mean_of_the_model_s_own_vectors_is_what_is_projected(folder: Path):
    encoder = tower(folder, projection="linear").eval()
    alone = RobertaForMaskedLM.from_pretrained(folder).eval()
    for parameter in alone.parameters():
        parameter.data = parameter.data.half().float()
    ids = torch.tensor([[VOCABULARY[token] for token in ("[CLS]", "C", "C", "O", "[SEP]")]])
    with torch.no_grad():
        hidden = alone.roberta(input_ids=ids).last_hidden_state[0].mean(dim=0)
        expected = torch.nn.functional.normalize(encoder.project(hidden), dim=0)
        output = encoder(encoder.collate(encoder.featuriser(MOLS)))
    torch.testing.assert_close(output.global_vector[0], expected, atol=1e-5, rtol=1e-4)
    assert output.token_vectors is None


def test_padding_and_the_order_of_the_batch_change_nothing(folder: Path):
    embedding = model(folder, tune="last-layers", n_last_layers=1)
    together = embedding.encode_structures(STRUCTURES)
    alone = np.vstack([embedding.encode_structures([one]) for one in STRUCTURES])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_a_model_that_is_trained_has_a_vector_for_every_token(folder: Path):
    encoder = tower(folder, tune="lora").eval()
    output = encoder(encoder.collate(encoder.featuriser(MOLS)))
    assert output.token_mask.sum(dim=1).tolist() == [5, 20, 13, 18]
    torch.testing.assert_close(output.token_vectors.norm(dim=-1), output.token_mask.float())


def test_each_way_of_tuning_trains_its_own_weights(folder: Path):
    assert trainable(tower(folder)) == set()
    last = trainable(tower(folder, tune="last-layers", n_last_layers=1))
    assert last
    assert all(name.startswith("encoder.layer.1.") for name in last)
    added = trainable(tower(folder, tune="lora", lora_rank=2))
    assert len(added) == 2 * 2 * 6  # A and B of six linear layers in each of two layers
    assert all("lora_" in name for name in added)


def test_lora_starts_where_the_model_stands(folder: Path):
    torch.manual_seed(0)
    plain = tower(folder).eval()
    torch.manual_seed(0)
    added = tower(folder, tune="lora").eval()
    added.project.load_state_dict(plain.project.state_dict())
    batch = plain.collate(plain.featuriser(MOLS))
    torch.testing.assert_close(plain(batch).global_vector, added(batch).global_vector)


def test_a_frozen_model_drops_nothing_out_in_training(folder: Path):
    encoder = tower(folder).train()
    assert encoder.training
    assert not any(module.training for module in encoder.language_model.modules())
    assert all(module.training for module in tower(folder, tune="lora").train().language_model.modules())


def test_vectors_of_a_frozen_model_are_computed_once(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    lines: list[str] = []
    encoder = tower(folder).eval()
    features = encoder.featuriser(MOLS)
    kept = encoder.frozen_features(features, cache=tmp_path, report=lines.append)
    assert isinstance(kept.own, VectorRows)
    assert lines == ["embedding 4 structures with the frozen language model, once"]
    direct = encoder(encoder.collate(features)).global_vector
    torch.testing.assert_close(encoder(encoder.collate(kept)).global_vector, direct)
    monkeypatch.setattr(encoder, "_computed", None)
    again = encoder.frozen_features(features, cache=tmp_path, report=lines.append)
    np.testing.assert_array_equal(again.own.vectors, kept.own.vectors)
    assert lines[1:] == ["4 structures embedded by the frozen language model before: taken from the cache"]
    assert encoder.frozen_features(again, cache=tmp_path, report=lines.append) is again
    assert [path.suffix for path in tmp_path.iterdir()] == [".npy"]


def test_other_weights_other_molecules_and_damaged_files_are_computed_anew(folder: Path, tmp_path: Path):
    encoder = tower(folder).eval()
    features = encoder.featuriser(MOLS)

    def n_files(rows) -> int:
        encoder.frozen_features(rows, cache=tmp_path, report=lambda _: None)
        return len(list(tmp_path.iterdir()))

    assert n_files(features) == 1
    assert n_files(features.take(np.array([1, 0, 2]))) == 2
    with torch.no_grad():
        next(encoder.language_model.parameters()).mul_(2)
    assert n_files(features) == 3
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:50])
    assert n_files(features) == 3
    kept = encoder.frozen_features(features, cache=tmp_path, report=lambda _: None)
    assert kept.own.vectors.shape == (4, 16)


def test_rows_of_vectors_can_be_taken_and_joined():
    rows = VectorRows(vectors=np.arange(6, dtype=np.float32).reshape(3, 2))
    assert rows.take(np.array([2, 0])).vectors.tolist() == [[4, 5], [0, 1]]
    assert len(VectorRows.concatenate([rows, rows])) == 6


def test_a_model_that_is_trained_keeps_its_tokens(folder: Path):
    encoder = tower(folder, tune="lora")
    features = encoder.featuriser(MOLS)
    assert encoder.frozen_features(features, cache=None, report=print) is features


def test_the_space_of_a_frozen_model_is_measured_once_and_saved(folder: Path, tmp_path: Path):
    embedding = model(folder, dim=3, space="whitened", projection="none")
    encoder = embedding.structure_encoder
    features = encoder.featuriser(MOLS)
    kept = encoder.frozen_features(features, cache=None, report=lambda _: None)
    vectors = encoder.space(torch.from_numpy(kept.own.vectors)).numpy()
    np.testing.assert_allclose(vectors.mean(axis=0), 0, atol=1e-4)
    centre = encoder.space.centre.clone()
    encoder.frozen_features(features.take(np.array([0, 1])), cache=None, report=lambda _: None)
    assert torch.equal(encoder.space.centre, centre)
    embedding.save(tmp_path / "model")
    loaded = JointEmbedding.load(tmp_path / "model")
    np.testing.assert_allclose(loaded.encode_structures(STRUCTURES), embedding.encode_structures(STRUCTURES), atol=5e-3)


def test_long_smiles_are_cut_where_the_positions_end(folder: Path):
    encoder = tower(folder).eval()
    assert encoder.max_tokens == 40
    sequences = encoder.featuriser([Structure.from_smiles("C" * 100).mol()]).own
    assert len(sequences.ids) == 40
    assert torch.isfinite(encoder(encoder.collate(encoder.featuriser([MOLS[0]]))).global_vector).all()


def without(folder: Path, copy: Path, *names: str) -> Path:
    shutil.copytree(folder, copy, ignore=shutil.ignore_patterns(*names))
    return copy


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tokenizer.json", r"the tokenizer is missing; expected one of tokenizer.json, vocab.json"),
        ("config.json", r"config.json is missing; expected the folder of a language model"),
        ("model.safetensors", r"the weights are missing; expected model.safetensors"),
    ],
)
def test_a_folder_without_a_part_is_refused_by_its_name(folder: Path, tmp_path: Path, name: str, message: str):
    with pytest.raises(ConfigError, match=message):
        tower(without(folder, tmp_path / "copy", name))


def test_pickled_weights_are_not_read(folder: Path, tmp_path: Path):
    copy = without(folder, tmp_path / "copy", "model.safetensors")
    (copy / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ConfigError, match=r"only pytorch_model.bin, a pickle, which is not read; expected model.safet"):
        tower(copy)


def test_damaged_parts_are_refused(folder: Path, tmp_path: Path):
    copy = without(folder, tmp_path / "tokens")
    (copy / "tokenizer.json").write_text("{")
    with pytest.raises(ConfigError, match="the tokenizer cannot be read: "):
        tower(copy)
    copy = without(folder, tmp_path / "weights")
    (copy / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(ConfigError, match=r"not a language model that transformers [\d.]+ can build by itself: "):
        tower(copy)
    copy = without(folder, tmp_path / "foreign")
    (copy / "config.json").write_text(json.dumps({"model_type": "no-such-model"}))
    with pytest.raises(ConfigError, match=r"not a language model that transformers [\d.]+ can build by itself: "):
        tower(copy)


def test_code_that_comes_with_a_model_is_not_run(folder: Path, tmp_path: Path):
    copy = without(folder, tmp_path / "copy")
    foreign = {"model_type": "foreign", "auto_map": {"AutoConfig": "code.Config", "AutoModel": "code.Model"}}
    (copy / "config.json").write_text(json.dumps(foreign))
    (copy / "code.py").write_text(f"open({str(tmp_path / 'was_run')!r}, 'w')")
    with pytest.raises(ConfigError, match=r"not a language model that transformers [\d.]+ can build by itself: "):
        tower(copy)
    assert not (tmp_path / "was_run").exists()


def test_weights_and_tokens_must_belong_to_the_configuration(folder: Path, tmp_path: Path):
    copy = without(folder, tmp_path / "few")
    weights = load_file(copy / "model.safetensors")
    weights.pop("roberta.encoder.layer.0.output.dense.weight")
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigError, match=r"the weights lack .*encoder.layer.0.output.dense.weight"):
        tower(copy)
    copy = without(folder, tmp_path / "many")
    tokenizer = Tokenizer.from_file(str(copy / "tokenizer.json"))
    tokenizer.model = models.WordLevel({**VOCABULARY, "extra": len(TOKENS)}, unk_token=UNKNOWN)
    tokenizer.save(str(copy / "tokenizer.json"))
    with pytest.raises(ConfigError, match=rf"has {len(TOKENS) + 1} tokens; expected at most {len(TOKENS)}"):
        tower(copy)


def test_a_name_that_is_not_in_the_cache_is_refused_without_a_download():
    with pytest.raises(ConfigError, match=r"'nobody/nothing': no such folder, and no such name in the local cache"):
        tower("nobody/nothing")
    with pytest.raises(ConfigError, match="needs the option model: a folder, or a name in the local cache"):
        tower("")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tune": "all"}, "tune is 'all'; expected 'frozen', 'last-layers' or 'lora'"),
        ({"tune": "last-layers", "n_last_layers": 3}, "n_last_layers is 3; expected at most the 2"),
        ({"tune": "lora", "lora_rank": 0}, "lora_rank must be at least 1, got 0"),
        ({"projection": "deep"}, "projection is 'deep'; expected 'mlp', 'linear' or 'none'"),
        ({"projection": "none"}, "without projection the vectors have 16 numbers; expected 24"),
        ({"projection": "none", "space": "whitened"}, "24 numbers are wanted of 16; expected at most so many"),
        ({"space": "bent"}, "space is 'bent'; expected 'raw', 'centred' or 'whitened'"),
        ({"space": "centred", "tune": "lora"}, "space = 'centred' needs tune = 'frozen'"),
        ({"n_random_smiles": 2}, "n_random_smiles needs tune = 'last-layers' or 'lora'"),
        ({"pooling": "max"}, "pooling is 'max'"),
    ],
)
def test_impossible_options_are_named(folder: Path, options: dict, message: str):
    with pytest.raises(ConfigError, match=message):
        tower(folder, **options)


def test_a_saved_configuration_that_cannot_be_built_is_refused(folder: Path):
    with pytest.raises(ConfigError, match="the language model's config cannot be built: "):
        tower("", config={"model_type": "no-such-model"}, tokenizer={})


def test_a_missing_package_is_named_with_its_extra(folder: Path, monkeypatch: pytest.MonkeyPatch):
    import sys

    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(ConfigError, match=r"need the package peft: pip install 'diptych\[language-models\]'"):
        tower(folder, tune="lora")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ConfigError, match=r"need the package transformers: pip install 'diptych\[language-models\]'"):
        tower(folder)
