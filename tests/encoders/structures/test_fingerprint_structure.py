import math

import numpy as np
import torch

from diptych.encoders.structures.fingerprint_structure import FingerprintEncoder
from diptych.molecules import Structure


def gelu(x: np.ndarray) -> np.ndarray:
    return x * np.array([(1 + math.erf(value / 2**0.5)) / 2 for value in x])


def layer_norm(x: np.ndarray, w: dict[str, np.ndarray], layer: str) -> np.ndarray:
    return (x - x.mean()) / np.sqrt(x.var() + 1e-5) * w[f"{layer}.weight"] + w[f"{layer}.bias"]


def test_the_tower_equals_its_equation():
    torch.manual_seed(1)
    tower = FingerprintEncoder(embedding_dim=3, radius=0, width=64, hidden_dim=4).eval()
    w = {name: tensor.detach().double().numpy() for name, tensor in tower.named_parameters()}
    features = tower.featuriser([Structure.from_smiles("CCCO").mol()])
    # Without surroundings propanol has a methyl, two CH2 and a hydroxyl.
    columns, values = features.own.indices, features.own.values
    assert sorted(np.expm1(values).round(4)) == [1, 1, 2]
    assert len(set(columns.tolist())) == 3
    methylenes = columns[np.argmax(values)]
    singles = [column for column in columns if column != methylenes]
    x = math.log(3) * w["bits"][methylenes] + math.log(2) * w["bits"][singles].sum(axis=0)
    h = gelu(layer_norm(x, w, "mlp.input_norm"))
    h = h + gelu(layer_norm(w["mlp.hidden.weight"] @ h + w["mlp.hidden.bias"], w, "mlp.hidden_norm"))
    z = w["mlp.output.weight"] @ h + w["mlp.output.bias"]
    vector = tower(tower.collate(features)).global_vector[0].detach().numpy()
    np.testing.assert_allclose(vector, z / np.linalg.norm(z), atol=1e-5)
