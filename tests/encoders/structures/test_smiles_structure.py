from types import SimpleNamespace

import numpy as np
import pytest
import torch

from diptych.embedding import JointEmbedding
from diptych.encoders import STRUCTURE_ENCODERS, build_encoder
from diptych.errors import ConfigError
from diptych.molecules import Structure

SMALL = {"name": "smiles-transformer", "hidden_dim": 16, "n_layers": 2, "n_heads": 2, "max_tokens": 40}
STRUCTURES = [Structure.from_smiles(s) for s in ("CCO", "CC(=O)Nc1ccc(O)cc1", "C[N+](C)(C)CCO", "C" * 60)]


def model(*, ions: bool = False, **options) -> JointEmbedding:
    torch.manual_seed(0)
    table = {"width": 512, "dim": 8} if ions else None
    tower = {**SMALL, **options}
    return JointEmbedding.from_config(
        spectrum={"fine_width": 64, "bin_dim": 8, "hidden_dim": 8}, structure=tower, ions=table, embedding_dim=24
    ).eval()


@pytest.mark.parametrize("options", [{}, {"ions": True}, {"pooling": "cls"}])
def test_vectors_have_unit_norm_and_padding_changes_nothing(options: dict):
    embedding = model(**options)
    together = embedding.encode_structures(STRUCTURES)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(together, np.vstack([embedding.encode_structures([s]) for s in STRUCTURES]), atol=1e-5)
    np.testing.assert_allclose(embedding.encode_structures(STRUCTURES[::-1])[::-1], together, atol=1e-5)


def test_every_token_of_the_smiles_has_a_vector():
    tower = model(ions=True).structure_encoder
    batch = tower.collate(tower.featuriser([s.mol() for s in STRUCTURES[:2]]))
    output = tower(batch)
    assert output.block_sizes == (16, 8)
    assert output.token_mask.sum(dim=1).tolist() == [3, 18]  # CCO; CC(=O)Nc1ccc(O)cc1
    assert not output.token_mask[:, 0].any()
    norms = output.token_vectors.norm(dim=-1)
    torch.testing.assert_close(norms, output.token_mask.float())


def test_the_first_layer_is_the_written_equation():
    """h = LN(a + W2 gelu(W1 LN(a) + b1) + b2), a = t + A(LN(t)), for a tower of one layer and one head."""
    tower = model(n_layers=1, n_heads=1).structure_encoder
    batch = tower.collate(tower.featuriser([STRUCTURES[0].mol()]))
    layer, functional = tower.layers.layers[0], torch.nn.functional
    t = tower.tokens.weight[batch.own.ids[0]] + tower.positions[: batch.own.ids.shape[1]]
    query, key, value = functional.linear(
        layer.norm1(t), layer.self_attn.in_proj_weight, layer.self_attn.in_proj_bias
    ).chunk(3, dim=-1)
    mixed = torch.softmax(query @ key.T / 16**0.5, dim=-1) @ value
    a = t + layer.self_attn.out_proj(mixed)
    h = tower.layers.norm(a + layer.linear2(functional.gelu(layer.linear1(layer.norm2(a)))))
    expected = functional.normalize(tower.output(h.mean(dim=0)), dim=0)
    torch.testing.assert_close(tower(batch).global_vector[0], expected, atol=1e-5, rtol=1e-4)


def test_a_drawn_smiles_is_another_view_of_the_same_molecule():
    tower = model(n_random_smiles=4).structure_encoder
    features = tower.featuriser([s.mol() for s in STRUCTURES[:3]])
    drawn = features.augmented(SimpleNamespace(random_smiles=True), np.random.default_rng(1))
    assert len(drawn) == 3
    again = features.augmented(SimpleNamespace(random_smiles=True), np.random.default_rng(1))
    np.testing.assert_array_equal(drawn.own.ids, again.own.ids)
    plain, other = tower(tower.collate(features)), tower(tower.collate(drawn))
    assert (plain.global_vector - other.global_vector).abs().max() > 1e-4


def test_a_saved_tower_answers_the_same(tmp_path):
    embedding = model(ions=True)
    embedding.save(tmp_path / "model")
    loaded = JointEmbedding.load(tmp_path / "model")
    assert loaded.config["structure"] == embedding.config["structure"]
    np.testing.assert_allclose(loaded.encode_structures(STRUCTURES), embedding.encode_structures(STRUCTURES), atol=2e-3)


def test_impossible_options_are_named():
    for options, message in [
        ({"n_heads": 3}, "n_heads is 3; expected a divisor of hidden_dim, 16"),
        ({"pooling": "max"}, "pooling is 'max'"),
    ]:
        with pytest.raises(ConfigError, match=message):
            build_encoder(STRUCTURE_ENCODERS, {**SMALL, **options}, embedding_dim=8, ion_table=None)
