from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer

from diptych.molecules.pretraining_views import ViewMaker
from diptych.molecules.smiles_tokens import token_ids
from diptych.training.pretraining.smiles_batches import SmilesBatch, SmilesBatchMaker
from diptych.training.pretraining.smiles_metrics import measured, space_quality
from diptych.training.pretraining.smiles_network import (
    SmilesNetwork,
    similarity_loss,
    tanimoto_similarities,
    write_hugging_face_files,
)

SMILES = ["CCO", "CC(=O)Nc1ccc(O)cc1", "OCC1OC(O)C(O)C1O", "C[N+](C)(C)CCO"]
BITS = torch.tensor([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 1.0]])


def batch() -> SmilesBatch:
    views = ViewMaker(describe=True, find_pieces=False)
    return SmilesBatchMaker(views=views, mask_share=0.3, max_tokens=40)(SMILES, seed=[0])


def network(*, describe: bool = True) -> SmilesNetwork:
    torch.manual_seed(0)
    return SmilesNetwork(hidden_dim=16, n_layers=1, n_heads=2, max_tokens=40, describe=describe).eval()


def test_similarities_are_shared_bits_over_all_bits():
    expected = torch.tensor([[1.0, 1 / 2, 1 / 3], [1 / 2, 1.0, 0.0], [1 / 3, 0.0, 1.0]])
    torch.testing.assert_close(tanimoto_similarities(BITS), expected)


def test_the_similarity_loss_is_one_less_the_correlation_of_centred_cosines():
    vectors = torch.tensor([[3.0, 1.0], [1.0, 1.0], [-1.0, 4.0]])
    units = [row / np.linalg.norm(row) for row in vectors.numpy() - np.array([1.0, 2.0])]
    cosines = [units[0] @ units[1], units[0] @ units[2], units[1] @ units[2]]
    expected = 1 - np.corrcoef(cosines, [1 / 2, 1 / 3, 0])[0, 1]
    torch.testing.assert_close(float(similarity_loss(vectors, BITS)), expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(
        similarity_loss(vectors + 7.0, BITS), similarity_loss(vectors, BITS), atol=1e-4, rtol=1e-4
    )
    assert similarity_loss(vectors[:2], BITS[:2]) == 0


def test_the_token_loss_is_the_cross_entropy_of_what_was_withheld():
    asked, model = batch(), network()
    losses = model(asked)
    logits = model.language_model(input_ids=asked.ids, attention_mask=asked.mask.long()).logits
    places = (asked.labels >= 0).nonzero().tolist()
    wrong = [-torch.log_softmax(logits[i, j], dim=0)[asked.labels[i, j]] for i, j in places]
    torch.testing.assert_close(losses.tokens, torch.stack(wrong).mean(), atol=1e-5, rtol=1e-4)
    assert all(float(loss.detach()) > 0 for loss in losses)


def test_tokens_alone_can_be_asked_for():
    losses = network(describe=False)(batch())
    assert losses.tokens > 0
    assert [float(loss) for loss in losses[1:]] == [0, 0, 0]


def test_descriptors_are_standardised():
    model = network()
    model.fit_descriptors(torch.arange(24.0).reshape(2, 12))
    assert model.centre.tolist() == [6.0 + i for i in range(12)]
    np.testing.assert_allclose(model.spread, 72**0.5, rtol=1e-6)


def test_the_folder_is_one_that_transformers_reads(tmp_path: Path):
    model = network()
    write_hugging_face_files(model, tmp_path, max_tokens=40)
    loaded = AutoModelForMaskedLM.from_pretrained(tmp_path).eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    encoded = tokenizer("C[N+](C)(C)CCO", return_tensors="pt")
    assert encoded["input_ids"][0].tolist() == token_ids("C[N+](C)(C)CCO")
    assert tokenizer.mask_token_id == 3
    ids, mask = encoded["input_ids"], encoded["attention_mask"]
    torch.testing.assert_close(
        loaded(input_ids=ids, attention_mask=mask).logits,
        model.language_model(input_ids=ids, attention_mask=mask).logits,
    )
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_perfect_space_is_told_from_a_useless_one():
    bits = torch.tensor(np.random.default_rng(0).random((30, 12)) < 0.4, dtype=torch.float32)
    perfect = space_quality(torch.linalg.cholesky(tanimoto_similarities(bits) + 1e-4 * torch.eye(30)), bits)
    assert perfect["spearman_cosine_tanimoto"] > 0.75  # not 1: the mean is taken away
    assert perfect["tanimoto_of_nearest"] == pytest.approx(perfect["tanimoto_of_nearest_possible"], abs=0.02)
    useless = space_quality(torch.randn(30, 8, generator=torch.Generator().manual_seed(0)), bits)
    assert abs(useless["spearman_cosine_tanimoto"]) < 0.2
    assert space_quality(torch.eye(3), torch.zeros(3, 4)) == {}


def test_figures_count_what_was_withheld_and_the_control_that_guesses_one_token():
    asked, model = batch(), network()
    carbon = token_ids("C")[1]
    figures = measured(model, [asked], majority_token=carbon)
    n_asked = int((asked.labels >= 0).sum())
    assert (figures["molecules"], figures["masked_tokens"], figures["majority_token"]) == (4, n_asked, "C")
    assert figures["majority_token_accuracy"] == pytest.approx(int((asked.labels == carbon).sum()) / n_asked)
    low, high = figures["masked_token_accuracy_95"]
    assert low <= figures["masked_token_accuracy"] <= high
