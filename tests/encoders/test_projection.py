from pathlib import Path

import pytest
import torch

from diptych.embedding import JointEmbedding
from diptych.encoders import EncoderOutput
from diptych.encoders.projection import ProjectionHeads, projection_heads
from diptych.errors import ConfigError
from diptych.molecules.structure import Structure

TOWERS = {"spectrum": {"fine_width": 64, "bin_dim": 4, "hidden_dim": 8}, "structure": {"width": 64, "hidden_dim": 8}}
ETHANOL = [Structure.from_smiles("CCO"), Structure.from_smiles("CCN")]


def model(retrieval: str) -> JointEmbedding:
    torch.manual_seed(0)
    head = {"hidden_dim": 6, "dim": 3}
    return JointEmbedding.from_config(**TOWERS, embedding_dim=8, projection=head, retrieval=retrieval).eval()


def test_a_head_is_two_layers_and_a_unit_vector():
    heads = ProjectionHeads(input_dim=2, hidden_dim=2, dim=2)
    with torch.no_grad():
        for layer in (heads.spectrum[0], heads.spectrum[2]):
            layer.weight.copy_(torch.eye(2))
            layer.bias.zero_()
    # GELU(3) = 2.99595 and GELU(-1) = -0.15866, divided by their length 3.00015
    output = heads(EncoderOutput(torch.tensor([[3.0, -1.0]]), (1, 1)), side="spectrum")
    assert output.global_vector[0].tolist() == pytest.approx([0.99860, -0.05288], abs=1e-4)
    assert output.block_sizes == (2,)


def test_retrieval_takes_the_vectors_of_either_side_of_the_head():
    before, after = model("before"), model("after")
    assert (before.embedding_dim, after.embedding_dim) == (8, 3)
    assert before.loss_dim == after.loss_dim == 3
    towers, projected = before.encode_structures(ETHANOL), after.encode_structures(ETHANOL)
    assert (towers.shape, projected.shape) == ((2, 8), (2, 3))
    output = EncoderOutput(torch.from_numpy(towers), (8,))
    torch.testing.assert_close(after.projected(output, side="structure").global_vector.detach().numpy(), projected)


@pytest.mark.parametrize("retrieval", ["before", "after"])
def test_a_saved_model_keeps_its_head(tmp_path: Path, retrieval: str):
    saved = model(retrieval)
    saved.save(tmp_path / "model")
    loaded = JointEmbedding.load(tmp_path / "model")
    assert loaded.config == saved.config
    assert loaded.encode_structures(ETHANOL) == pytest.approx(saved.encode_structures(ETHANOL), abs=2e-3)


def test_without_a_head_the_description_of_a_model_is_what_it_was():
    plain = JointEmbedding.from_config(**TOWERS, embedding_dim=8)
    assert {"projection", "retrieval"}.isdisjoint(plain.config)
    assert plain.loss_dim == plain.embedding_dim == 8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 3}, r"^model\.projection has no option 'width'; expected one of hidden_dim, dim"),
        ({"dim": 0}, r"^model\.projection\.dim must be at least 1, got 0"),
        ({"dim": "x"}, r"^model\.projection\.dim must be a whole number, got 'x'"),
        ({"dim": 10**400}, r"^model\.projection cannot be built from"),
    ],
)
def test_an_impossible_head_is_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        projection_heads(options, input_dim=8)
