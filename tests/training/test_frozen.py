import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Regex, Tokenizer, models, pre_tokenizers
from transformers import RobertaConfig, RobertaForMaskedLM

from diptych.embedding import JointEmbedding
from diptych.encoders.language_model.vectors import VectorRows
from diptych.molecules import Structure
from diptych.molecules.smiles_tokens import PATTERN, TOKENS, VOCABULARY
from diptych.training import RunConfig, frozen, train


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


def run_config(amides: Path, cache: Path, **structure) -> RunConfig:
    return RunConfig.from_dict(
        {
            "model": {
                "spectrum": {"fine_width": 1024, "bin_dim": 16, "hidden_dim": 32},
                "structure": structure,
                "embedding_dim": 24,
            },
            "data": {
                "dataset": str(amides / "dataset.parquet"),
                "folds": str(amides / "folds.tsv.xz"),
                "structures": str(amides / "structures.tsv.xz"),
                "cache": str(cache),
            },
            "negatives": {"per_molecule": 2},
            "training": {"epochs": 2, "batch_size": 32, "learning_rate": 3e-3, "precision": "float32"},
        }
    )


@pytest.mark.parametrize("options", [{}, {"projection": "none", "space": "whitened"}])
def test_a_frozen_language_model_embeds_once_and_the_run_goes_on_without_it(
    amides: Path, tmp_path: Path, language_model: str, options: dict
):
    seen = {}

    def kept(prepared, encoder, **arguments):
        seen["prepared"] = with_frozen(prepared, encoder, **arguments)
        return seen["prepared"]

    with_frozen, lines = frozen.with_frozen_features, []
    config = run_config(amides, tmp_path / "cache", name="language-model", model=language_model, **options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("diptych.training.trainer.with_frozen_features", kept)
        first = train(config, tmp_path / "run", report=lines.append)
    assert isinstance(seen["prepared"].table.features.own, VectorRows)
    assert isinstance(seen["prepared"].validation.features.own, VectorRows)
    assert sum("with the frozen language model, once" in line for line in lines) == 2
    losses = [json.loads(line)["train_loss"] for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert losses[1] < losses[0]
    lines.clear()
    second = train(config, tmp_path / "again", report=lines.append)
    assert sum("taken from the cache" in line for line in lines) == 2
    assert second.metrics == first.metrics
    vector = JointEmbedding.load(first.model).encode_structures([Structure.from_smiles("CCO")])
    assert np.isfinite(vector).all()


@pytest.mark.parametrize("tower", [{"tune": "lora", "lora_rank": 2}, {"tune": "last-layers", "n_last_layers": 1}])
def test_a_language_model_is_trained_on(amides: Path, tmp_path: Path, language_model: str, tower: dict):
    config = run_config(amides, tmp_path / "cache", name="language-model", model=language_model, **tower)
    lines: list[str] = []
    result = train(config, tmp_path / "run", report=lines.append)
    assert not any("frozen language model" in line for line in lines)
    assert JointEmbedding.load(result.model).config["structure"]["tune"] == tower["tune"]


def test_a_smiles_transformer_trains_by_its_name(amides: Path, tmp_path: Path):
    sizes = {"hidden_dim": 16, "n_layers": 1, "n_heads": 2, "n_random_smiles": 2}
    result = train(run_config(amides, tmp_path / "cache", name="smiles-transformer", **sizes), tmp_path / "run")
    losses = [json.loads(line)["train_loss"] for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert losses[1] < losses[0]
    assert JointEmbedding.load(result.model).config["structure"]["name"] == "smiles-transformer"


def test_random_smiles_are_drawn_where_the_tower_has_some(amides: Path, tmp_path: Path):
    sizes = {"hidden_dim": 16, "n_layers": 1, "n_heads": 2}
    weights = []
    for random_smiles in (True, False):
        config = run_config(amides, tmp_path / "cache", name="smiles-transformer", n_random_smiles=2, **sizes)
        config = replace(config, augmentation=replace(config.augmentation, random_smiles=random_smiles))
        result = train(config, tmp_path / f"run-{random_smiles}")
        weights.append(load_file(result.model / "weights.safetensors")["structure_encoder.tokens.weight"])
    assert not torch.equal(*weights)
