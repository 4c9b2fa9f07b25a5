from pathlib import Path

import numpy as np
import pytest
import torch
from rdkit import Chem

from diptych.embedding import JointEmbedding
from diptych.encoders import STRUCTURE_ENCODERS, build_encoder, encoding
from diptych.encoders.structures.graph_layers import ResidualLayers
from diptych.encoders.structures.graph_pretrained import save_pretrained
from diptych.errors import ConfigError
from diptych.molecules import Structure

SMALL = {
    "gcn": {"channels": [6, 8], "hidden_dim": 12, "atom_vectors": True},
    "gin": {"hidden_dim": 8, "n_layers": 2},
    "gat": {"hidden_dim": 8, "n_layers": 2, "n_heads": 2},
    "graphsage": {"hidden_dim": 8, "n_layers": 2},
}
SPECTRUM = {"fine_width": 64, "bin_dim": 4, "hidden_dim": 8}
SMILES = ["CCO", "C", "CC(=O)Nc1ccc(O)cc1", "CSCCC(N)C(=O)NCC1CCCC1", "C[N+](C)(C)CCO"]
IONS = {"width": 256, "dim": 8}


def model(name: str, *, ions: dict | None = None, **options) -> JointEmbedding:
    torch.manual_seed(0)
    structure = {"name": name, **SMALL[name], **options}
    embedding = JointEmbedding.from_config(spectrum=SPECTRUM, structure=structure, ions=ions, embedding_dim=24)
    with torch.no_grad():
        for buffer in embedding.structure_encoder.layers.buffers():
            buffer.copy_(torch.rand_like(buffer) + 0.5)  # the state of a norm that has seen atoms
    return embedding.eval()


def structures() -> list[Structure]:
    return [Structure.from_smiles(text) for text in SMILES]


def output(embedding: JointEmbedding, mols: list[Chem.Mol]):
    tower = embedding.structure_encoder
    with torch.no_grad():
        return tower(tower.collate(tower.featuriser(mols)))


@pytest.mark.parametrize("name", list(SMALL))
@pytest.mark.parametrize("ions", [None, IONS], ids=["no ions", "ions"])
def test_vectors_do_not_depend_on_the_batch_and_have_unit_norm(name: str, ions: dict | None):
    embedding = model(name, ions=ions)
    together = embedding.encode_structures(structures())
    alone = np.vstack([embedding.encode_structures([one]) for one in structures()])
    assert together.shape == (5, 24)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert len(np.unique(together.round(4), axis=0)) == 5


@pytest.mark.parametrize("name", list(SMALL))
def test_the_order_of_the_atoms_changes_nothing_but_the_order_of_their_vectors(name: str):
    embedding = model(name, ions=IONS)
    mol = Structure.from_smiles(SMILES[3]).mol()
    order = np.random.default_rng(0).permutation(mol.GetNumAtoms())
    shuffled = Chem.RenumberAtoms(mol, order.tolist())
    first, second = output(embedding, [mol]), output(embedding, [shuffled])
    torch.testing.assert_close(first.global_vector, second.global_vector, atol=1e-5, rtol=0)
    torch.testing.assert_close(first.token_vectors[0, order], second.token_vectors[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", list(SMALL))
def test_every_atom_has_a_unit_vector_in_the_learned_space(name: str):
    embedding = model(name, ions=IONS)
    result = output(embedding, [s.mol() for s in structures()])
    assert result.block_sizes == (16, 8)
    assert result.token_vectors.shape == (5, 15, 16)
    assert result.token_mask.sum(dim=1).tolist() == [3, 1, 11, 15, 7]
    norms = result.token_vectors.norm(dim=-1)
    torch.testing.assert_close(norms, result.token_mask.float(), atol=1e-5, rtol=0)
    # A molecule of one atom is that atom.
    block = torch.nn.functional.normalize(result.global_vector[1, :16], dim=0)
    torch.testing.assert_close(block, result.token_vectors[1, 0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", list(SMALL))
def test_atom_vectors_can_be_left_out(name: str):
    result = output(model(name, atom_vectors=False), [structures()[0].mol()])
    assert result.token_vectors is None
    assert result.token_mask is None


@pytest.mark.parametrize("name", list(SMALL))
def test_a_saved_model_gives_the_same_vectors(name: str, tmp_path: Path):
    embedding = model(name, ions=IONS)
    embedding.save(tmp_path / "model")
    again = JointEmbedding.load(tmp_path / "model")
    assert again.config == embedding.config
    np.testing.assert_allclose(
        again.encode_structures(structures()), embedding.encode_structures(structures()), atol=5e-3
    )


def test_vectors_of_structures_are_made_without_those_of_atoms_few_at_a_time(monkeypatch: pytest.MonkeyPatch):
    embedding = model("gin", ions=IONS)
    tower, seen = embedding.structure_encoder, []
    monkeypatch.setattr(encoding, "_CPU_BATCH", 2)
    head = tower.head.forward
    monkeypatch.setattr(tower.head, "forward", lambda x: seen.append(len(x)) or head(x))
    embedding.encode_structures(structures())
    assert seen == [2, 2, 1]
    assert tower.atom_vectors


def test_jestr_is_its_published_equations():
    torch.manual_seed(1)
    tower = build_encoder(STRUCTURE_ENCODERS, {"name": "gcn"}, embedding_dim=512, ion_table=None).eval()
    with torch.no_grad():
        for buffer in tower.layers.buffers():
            buffer.copy_(torch.rand_like(buffer) + 0.5)
    w = {name: tensor.double().numpy() for name, tensor in tower.state_dict().items()}
    mol = Structure.from_smiles("CC(=O)Nc1ccc(O)cc1").mol()
    h = tower.collate(tower.featuriser([mol])).own.atom_features.double().numpy()
    neighbours_and_self = Chem.GetAdjacencyMatrix(mol) + np.eye(mol.GetNumAtoms())
    for at, width in enumerate((64, 128, 256)):
        convolved = neighbours_and_self @ h @ w[f"layers.convolutions.{at}.lin.weight"].T
        convolved = np.maximum(convolved + w[f"layers.convolutions.{at}.bias"], 0)
        skip = np.maximum(h @ w[f"layers.skips.{at}.weight"].T + w[f"layers.skips.{at}.bias"], 0)
        variance = w[f"layers.norms.{at}.variance"] + 1e-5
        h = (convolved + skip - w[f"layers.norms.{at}.mean"]) / np.sqrt(variance)
        h = h * w[f"layers.norms.{at}.weight"] + w[f"layers.norms.{at}.bias"]
        assert h.shape == (11, width)
    hidden = np.maximum(w["head.0.weight"] @ h.max(axis=0) + w["head.0.bias"], 0)
    assert hidden.shape == (1024,)
    z = w["head.3.weight"] @ hidden + w["head.3.bias"]
    with torch.no_grad():
        got = tower(tower.collate(tower.featuriser([mol]))).global_vector[0].numpy()
    np.testing.assert_allclose(got, z / np.linalg.norm(z), atol=1e-5)


@pytest.mark.parametrize("name", list(SMALL))
def test_training_reaches_every_weight(name: str):
    embedding = model(name, ions=IONS).train()
    tower = embedding.structure_encoder
    result = tower(tower.collate(tower.featuriser([s.mol() for s in structures()])))
    (result.global_vector.pow(3).sum() + result.token_vectors.sum()).backward()
    assert [n for n, p in tower.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()] == []


def layers(hidden_dim: int = 8, kind: str = "gin", n_layers: int = 2) -> ResidualLayers:
    torch.manual_seed(7)
    return ResidualLayers(kind, hidden_dim=hidden_dim, n_layers=n_layers, dropout=0.0)


def test_a_tower_starts_from_pretrained_layers_and_is_loaded_without_their_folder(tmp_path: Path):
    trained = layers()
    save_pretrained(trained, tmp_path / "start", tower="gin", report={"accuracy": 0.9})
    embedding = model("gin", pretrained=str(tmp_path / "start"))
    for name, tensor in trained.state_dict().items():
        assert torch.equal(embedding.structure_encoder.layers.state_dict()[name], tensor) or "eps" in name
    embedding.save(tmp_path / "model")
    for path in (tmp_path / "start").iterdir():
        path.unlink()
    again = JointEmbedding.load(tmp_path / "model")
    np.testing.assert_allclose(
        again.encode_structures(structures()), embedding.encode_structures(structures()), atol=5e-3
    )


def test_a_folder_that_cannot_be_the_start_is_refused_with_its_reason(tmp_path: Path):
    save_pretrained(layers(), tmp_path / "gin", tower="gin", report={})
    save_pretrained(layers(n_layers=3), tmp_path / "deep", tower="gin", report={})
    for folder, options, message in [
        (
            "none",
            {},
            r"tower 'gin', pretrained = '.*none': no tower.json there; expected a folder of `diptych pretrain",
        ),
        (
            "gin",
            {"name": "graphsage"},
            r"tower 'graphsage', .*: holds the layers of tower 'gin'; expected those of 'gra",
        ),
        ("deep", {}, r"tower 'gin', .*: was trained with n_layers = 3; expected 2, as the tower has it"),
    ]:
        config = {"name": "gin", "hidden_dim": 8, "n_layers": 2, "pretrained": str(tmp_path / folder), **options}
        with pytest.raises(ConfigError, match=message):
            build_encoder(STRUCTURE_ENCODERS, config, embedding_dim=24, ion_table=None)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("tower.json", "{", r"tower.json is damaged"),
        ("tower.json", "[]", r"tower.json describes no graph layers; expected format_version, tower, settings"),
        ("tower.json", '{"format_version": 9, "tower": "gin", "settings": {}}', r"format version 9; expected 1"),
        ("weights.safetensors", "nothing", r"weights.safetensors is missing or damaged"),
    ],
)
def test_damaged_pretrained_layers_are_one_clear_error(tmp_path: Path, name: str, content: str, message: str):
    save_pretrained(layers(), tmp_path / "gin", tower="gin", report={})
    (tmp_path / "gin" / name).write_text(content)
    with pytest.raises(ConfigError, match=message):
        model("gin", pretrained=str(tmp_path / "gin"))


def test_pretrained_weights_of_other_shapes_are_refused(tmp_path: Path):
    save_pretrained(layers(), tmp_path / "gin", tower="gin", report={})
    save_pretrained(layers(hidden_dim=4), tmp_path / "small", tower="gin", report={})
    (tmp_path / "small" / "weights.safetensors").replace(tmp_path / "gin" / "weights.safetensors")
    with pytest.raises(ConfigError, match=r"convolutions.0.eps|atoms.weight: got \(4, 80\); expected shape \(8, 80\)"):
        model("gin", pretrained=str(tmp_path / "gin"))
