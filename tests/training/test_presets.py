"""Every preset, made small, builds its towers and learns from its first batches."""

import json
from pathlib import Path

import pytest
import torch
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import RobertaConfig, RobertaForMaskedLM

from diptych.embedding import JointEmbedding
from diptych.molecules.smiles_tokens import PATTERN, TOKENS, VOCABULARY
from diptych.presets import names
from diptych.training import read_config, train

# They compare spectra with spectra, and have nothing to validate.
SEARCH_ALONE = ("specembedding", "library-search")
SMALL_TOWERS = {
    "binned-mlp": {"fine_width": 256, "bin_dim": 8, "hidden_dim": 16},
    "binned-cnn": {"bins_per_da": 1, "channels": "[4, 8]", "hidden_dim": 16},
    "peak-transformer": {"hidden_dim": 16, "n_layers": 1, "n_heads": 2, "n_waves": 8, "n_difference_waves": 4},
    "formula-transformer": {"hidden_dim": 16, "n_layers": 1, "n_heads": 2, "n_waves": 8, "formula_width": 64},
    "fingerprint-mlp": {"width": 128, "hidden_dim": 16},
    "gcn": {"channels": "[8, 16]", "hidden_dim": 16},
    "gin": {"hidden_dim": 16, "n_layers": 2},
    "gat": {"hidden_dim": 16, "n_layers": 2, "n_heads": 2},
}


@pytest.fixture(scope="module")
def language_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("models") / "roberta"
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    RobertaForMaskedLM(RobertaConfig(vocab_size=len(TOKENS), pad_token_id=0, **sizes)).save_pretrained(path)
    tokenizer = Tokenizer(models.WordLevel(dict(VOCABULARY), unk_token=TOKENS[4]))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(PATTERN), "isolated")
    tokenizer.save(str(path / "tokenizer.json"))
    return str(path)


def small(preset: str, *, language_model: str) -> list[str]:
    """Return the overrides that make the towers of a preset small."""
    model = read_config(None, preset=preset).model
    overrides = ["model.embedding_dim=24", "training.epochs=1", "training.batch_size=64", "training.precision=float32"]
    if model.ions is not None:
        overrides += ["model.ions.dim=8", "model.ions.width=512", "training.ion_start=random"]
    if model.structure["name"] == "language-model":
        overrides.append(f'model.structure.model="{language_model}"')
    for side in ("spectrum", "structure"):
        for key, value in SMALL_TOWERS.get(getattr(model, side)["name"], {}).items():
            overrides.append(f"model.{side}.{key}={value}")
    return [*overrides, "negatives.per_molecule=3"] if preset not in SEARCH_ALONE else overrides


@pytest.mark.parametrize("preset", names())
def test_a_preset_trains_on_data_that_a_file_names(preset: str, amides: Path, tmp_path: Path, language_model: str):
    mine = tmp_path / "mine.toml"
    mine.write_text(
        f'[data]\ndataset = "{amides / "dataset.parquet"}"\nfolds = "{amides / "folds.tsv.xz"}"\n'
        f'structures = "{amides / "structures.tsv.xz"}"\ncache = "{tmp_path / "cache"}"\n',
        encoding="utf-8",
    )
    config = read_config(mine, preset=preset, overrides=small(preset, language_model=language_model))
    result = train(config, tmp_path / "run")
    epoch = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[0])
    assert epoch["step"] >= 1
    assert 0 < epoch["train_loss"] < 200
    model = JointEmbedding.load(result.model)
    assert model.config["spectrum"]["name"] == config.model.spectrum["name"]
    assert ("reranking" in model.metadata) == bool(config.validation.rerank)
    assert bool(result.metrics) == (preset not in SEARCH_ALONE)
    assert model.metadata["ranks_structures"] == (preset not in SEARCH_ALONE)
    card = (result.model / "card.md").read_text(encoding="utf-8")
    assert ("Ranks the structures of the list" in card) == (preset not in SEARCH_ALONE)
    assert ("No loss compared them with structures" in card) == (preset in SEARCH_ALONE)
    # What decides between epochs is what the saved model does, its second look among it.
    assert {name: epoch[f"val_{name}"] for name in result.metrics} == pytest.approx(result.metrics)
