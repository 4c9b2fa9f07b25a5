"""Both towers of the preset `jestr`, computed again in numpy from the published equations on the same weights."""

import numpy as np
import pytest
import torch
from rdkit import Chem

from diptych.embedding import JointEmbedding
from diptych.molecules import Structure
from diptych.presets import read_preset
from diptych.spectra import Spectrum

SMILES = ["CC(=O)Nc1ccc(O)cc1", "C[N+](C)(C)CCO", "O", "Clc1ccccc1C(=O)NCCSC"]


@pytest.fixture(scope="module")
def model() -> JointEmbedding:
    torch.manual_seed(3)
    config = read_preset("jestr")["model"]
    embedding = JointEmbedding.from_config(**config).eval()
    for norm in embedding.structure_encoder.layers.norms:  # as if trained: no statistic is left at 0 or 1
        norm.mean.normal_()
        norm.variance.uniform_(0.5, 2.0)
        torch.nn.init.normal_(norm.bias)
    return embedding


@pytest.fixture(scope="module")
def weights(model: JointEmbedding) -> dict[str, np.ndarray]:
    return {name: tensor.detach().double().numpy() for name, tensor in model.state_dict().items()}


def unit(z: np.ndarray) -> np.ndarray:
    return z / np.linalg.norm(z)


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def test_spectra_are_log_scaled_bins_through_three_linear_layers(model: JointEmbedding, weights: dict[str, np.ndarray]):
    rng = np.random.default_rng(0)
    spectra = [Spectrum.from_peaks(rng.uniform(20, 990, n), rng.uniform(1, 1000, n)) for n in (1, 12, 300)]
    for spectrum, vector in zip(spectra, model.encode_spectra(spectra), strict=True):
        bins = np.zeros(1000)
        for mz, intensity in zip(spectrum.mz, spectrum.intensity.astype(float), strict=True):
            bins[int(mz) - 1] += 999 * intensity / float(spectrum.intensity.max())
        h = np.log10(1 + bins) / 3
        for layer in ("0", "3"):
            name = f"spectrum_encoder.layers.{layer}"
            h = relu(weights[f"{name}.weight"] @ h + weights[f"{name}.bias"])
        z = weights["spectrum_encoder.layers.6.weight"] @ h + weights["spectrum_encoder.layers.6.bias"]
        np.testing.assert_allclose(vector, unit(z), atol=1e-5)


def test_structures_are_three_graph_convolutions_the_largest_value_and_two_linear_layers(
    model: JointEmbedding, weights: dict[str, np.ndarray]
):
    tower = model.structure_encoder
    structures = [Structure.from_smiles(smiles) for smiles in SMILES]
    for structure, vector in zip(structures, model.encode_structures(structures), strict=True):
        mol = structure.mol()
        h = tower.collate(tower.featuriser([mol])).own.atom_features.double().numpy()
        neighbours_and_self = Chem.GetAdjacencyMatrix(mol) + np.eye(mol.GetNumAtoms())
        for layer in range(3):
            of = {
                part: weights[f"structure_encoder.layers.{part}.{layer}.{name}"]
                for part, name in (("convolutions", "lin.weight"), ("skips", "weight"), ("norms", "weight"))
            }
            bias = {
                part: weights[f"structure_encoder.layers.{part}.{layer}.bias"]
                for part in ("convolutions", "skips", "norms")
            }
            mean = weights[f"structure_encoder.layers.norms.{layer}.mean"]
            variance = weights[f"structure_encoder.layers.norms.{layer}.variance"]
            message = relu(neighbours_and_self @ h @ of["convolutions"].T + bias["convolutions"])
            h = message + relu(h @ of["skips"].T + bias["skips"])
            h = (h - mean) / np.sqrt(variance + 1e-5) * of["norms"] + bias["norms"]
        h = relu(weights["structure_encoder.head.0.weight"] @ h.max(axis=0) + weights["structure_encoder.head.0.bias"])
        z = weights["structure_encoder.head.3.weight"] @ h + weights["structure_encoder.head.3.bias"]
        np.testing.assert_allclose(vector, unit(z), atol=1e-5)


def test_the_sizes_are_the_published_ones(weights: dict[str, np.ndarray]):
    shapes = {
        name: weights[f"{name}.weight"].shape for name in ("spectrum_encoder.layers.0", "structure_encoder.head.3")
    }
    assert shapes == {"spectrum_encoder.layers.0": (1024, 1000), "structure_encoder.head.3": (512, 1024)}
    widths = [weights[f"structure_encoder.layers.skips.{layer}.weight"].shape[0] for layer in range(3)]
    assert widths == [64, 128, 256]
