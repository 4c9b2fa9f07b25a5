import numpy as np
import pytest
import torch
from torch.nn import functional

from diptych.embedding import JointEmbedding
from diptych.errors import TrainingError
from diptych.molecules.structure import Structure
from diptych.spectra.spectrum import Spectrum
from diptych.training.influence import Example, influence, last_layer_gradients

STRUCTURES = [Structure.from_smiles(text) for text in ("CCO", "COC", "c1ccccc1O")]
SPECTRA = [Spectrum.from_peaks([45.03 + i, 60.0 + 3 * i], [1.0, 2.0], precursor_mz=100.0 + i) for i in range(3)]


@pytest.fixture
def model() -> JointEmbedding:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    return JointEmbedding.from_config(spectrum={"name": "peak-transformer"}, structure={}, embedding_dim=256).eval()


def example(spectrum: int, *structures: int) -> Example:
    return Example(spectrum=SPECTRA[spectrum], structures=np.array(structures))


def test_the_product_of_two_gradients_is_that_of_the_whole_last_layers_gradients(model: JointEmbedding):
    examples = [example(0, 0, 1, 2), example(1, 1, 0)]
    vectors = torch.from_numpy(model.encode_structures(STRUCTURES))
    found = last_layer_gradients(model, examples, vectors)
    linear = [m for m in model.spectrum_encoder.modules() if isinstance(m, torch.nn.Linear)]
    gradients = []
    for one in examples:
        model.zero_grad()
        row = model.spectrum_encoder(model.spectrum_encoder.collate([one.spectrum])).global_vector[0]
        logits = vectors[one.structures] @ row / model.log_temperature.detach().exp()
        functional.cross_entropy(logits[None], torch.zeros(1, dtype=torch.long)).backward()
        shape = found.error.shape[1], found.activation.shape[1] - 1
        last = [m for m in linear if tuple(m.weight.shape) == shape and m.weight.grad is not None][-1]
        bias = [] if last.bias is None else [last.bias.grad]
        gradients.append(torch.cat([last.weight.grad.ravel(), *bias]).numpy())
    outer = found.error[:, :, None] * found.activation[:, None, :]
    expected = float(gradients[0] @ gradients[1])
    assert float((outer[0] * outer[1]).sum()) == pytest.approx(expected, rel=1e-3)
    assert found.squared_norms[0] == pytest.approx(float(gradients[0] @ gradients[0]), rel=1e-3)


def test_an_example_helps_itself_and_harms_its_contradiction(model: JointEmbedding):
    right, wrong = example(0, 0, 1), example(0, 1, 0)
    found = influence([model, model], training=[right, wrong], queries=[right], structures=STRUCTURES)
    assert found.on_queries[0] > 0 > found.on_queries[1]
    assert found.on_queries[0] == pytest.approx(found.on_itself[0], rel=1e-4)


def test_nothing_to_look_at_is_an_error(model: JointEmbedding):
    with pytest.raises(TrainingError, match="0 checkpoints, 1 training examples, 1 queries; expected at least one"):
        influence([], training=[example(0, 0)], queries=[example(0, 0)], structures=STRUCTURES)


def test_a_tower_without_a_linear_layer_is_refused(model: JointEmbedding):
    model.spectrum_encoder.modules = lambda: iter(())  # type: ignore[method-assign]
    with pytest.raises(TrainingError, match="no linear layer over whole spectra"):
        last_layer_gradients(model, [example(0, 0, 1)], torch.from_numpy(model.encode_structures(STRUCTURES)))
