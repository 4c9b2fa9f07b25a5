import numpy as np
import torch
from scipy import sparse

from diptych.embedding import JointEmbedding
from diptych.molecules import Structure
from diptych.training.ion_start import right_singular_vectors, start_ion_table

SMILES = ("CCO", "CC(=O)Nc1ccc(O)cc1", "CC(C)Cc1ccc(C(C)C(=O)O)cc1", "O=C(O)c1ccccc1O", "CN1CCCC1c1cccnc1")


def test_the_columns_are_the_leading_right_singular_vectors():
    rng = np.random.default_rng(0)
    values = np.array([10.0, 5.0, 2.0, 0.1, 0.05])
    left = np.linalg.qr(rng.standard_normal((30, 5)))[0]
    right = np.linalg.qr(rng.standard_normal((12, 5)))[0]
    found = right_singular_vectors(sparse.csr_matrix((left * values) @ right.T), n=3, rng=rng)
    np.testing.assert_allclose(np.abs(np.sum(found * right[:, :3], axis=0)), 1, atol=1e-4)


def test_with_fewer_rows_than_directions_the_rest_is_small():
    rows = sparse.csr_matrix(np.eye(2, 50, dtype=np.float32))
    found = right_singular_vectors(rows, n=8, rng=np.random.default_rng(0))
    assert found.shape == (50, 8)
    norms = np.linalg.norm(found, axis=0)
    np.testing.assert_allclose(norms[:2], 1, atol=1e-5)
    assert (norms[2:] < 0.3).all()


def test_the_table_keeps_its_size_and_follows_the_seed():
    def started(seed: int) -> JointEmbedding:
        torch.manual_seed(0)
        model = JointEmbedding.from_config(
            spectrum={"fine_width": 64, "bin_dim": 4, "hidden_dim": 8},
            structure={"width": 64, "hidden_dim": 8},
            ions={"width": 512, "dim": 4},
            embedding_dim=8,
        )
        features = model.structure_encoder.featuriser([Structure.from_smiles(s).mol() for s in SMILES])
        before = model.ion_table.weight.norm().item()
        start_ion_table(model, features.fragments, seed=seed)
        assert abs(model.ion_table.weight.norm().item() - before) < 1e-3
        return model

    assert started(1).digest == started(1).digest
    assert started(1).digest != started(2).digest


def test_without_an_ion_table_nothing_happens():
    model = JointEmbedding.from_config(
        spectrum={"fine_width": 64, "bin_dim": 4, "hidden_dim": 8},
        structure={"width": 64, "hidden_dim": 8},
        embedding_dim=8,
    )
    digest = model.digest
    start_ion_table(model, None, seed=0)
    assert model.digest == digest
