import subprocess
import sys

import numpy as np
import pytest
import torch

from diptych.encoders.structures import graph_layers
from diptych.encoders.structures.graph_batch import GraphBatch
from diptych.encoders.structures.graph_layers import AtomNorm, JestrLayers, ResidualLayers
from diptych.errors import ConfigError
from diptych.molecules import Structure
from diptych.molecules.graphs import GraphFeaturiser

# Ethanol: atoms 0 and 2 are each bound to atom 1.
NEIGHBOURS = {0: [1], 1: [0, 2], 2: [1]}
EDGE = {pair: at for at, pair in enumerate([(0, 1), (1, 0), (1, 2), (2, 1)])}


def ethanol() -> GraphBatch:
    return GraphBatch.of(GraphFeaturiser()([Structure.from_smiles("CCO").mol()]))


def numbers(module: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: tensor.detach().double().numpy() for name, tensor in module.state_dict().items()}


def shaken(module: torch.nn.Module) -> torch.nn.Module:
    """Return a module with every weight random, so that none that starts at 0 or 1 is forgotten in the equations."""
    torch.manual_seed(3)
    with torch.no_grad():
        for weight in module.parameters():
            weight.copy_(torch.randn_like(weight) * 0.3)
        for buffer in module.buffers():
            buffer.copy_(torch.rand_like(buffer) + 0.5)
    return module.eval()


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0)


def layer_norm(x: np.ndarray, w: dict[str, np.ndarray], prefix: str) -> np.ndarray:
    standard = (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)
    return standard * w[f"{prefix}.weight"] + w[f"{prefix}.bias"]


@pytest.mark.parametrize("adjacency", ["sum", "symmetric"])
def test_graph_convolutions_are_products_of_matrices(adjacency: str):
    layers = shaken(JestrLayers(channels=(5, 4), dropout=0.2, adjacency=adjacency))
    w = numbers(layers)
    s = np.array([[1.0, 1, 0], [1, 1, 1], [0, 1, 1]])  # A + I
    if adjacency == "symmetric":
        root = np.diag(np.array([2.0, 3.0, 2.0]) ** -0.5)
        s = root @ s @ root
    h = ethanol().atom_features.double().numpy()
    for at in range(2):
        convolved = s @ h @ w[f"convolutions.{at}.lin.weight"].T + w[f"convolutions.{at}.bias"]
        h = relu(convolved) + relu(h @ w[f"skips.{at}.weight"].T + w[f"skips.{at}.bias"])
        scale = w[f"norms.{at}.weight"] / np.sqrt(w[f"norms.{at}.variance"] + 1e-5)
        h = (h - w[f"norms.{at}.mean"]) * scale + w[f"norms.{at}.bias"]
    np.testing.assert_allclose(layers(ethanol()).detach().numpy(), h, atol=1e-4)


def one_residual_layer(kind: str, **options: int) -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Return what a single layer makes of ethanol, its weights, the atoms that go in, and the bond features."""
    layers = shaken(ResidualLayers(kind, hidden_dim=4, n_layers=1, dropout=0.1, **options))
    w, batch = numbers(layers), ethanol()
    h = batch.atom_features.double().numpy() @ w["atoms.weight"].T + w["atoms.bias"]
    return layers(batch).detach().numpy(), w, h, batch.edge_features.double().numpy()


def after(h: np.ndarray, convolved: list[np.ndarray], w: dict[str, np.ndarray]) -> np.ndarray:
    return h + relu(layer_norm(np.array(convolved), w, "norms.0"))


def test_gin_adds_up_neighbours_with_their_bonds():
    got, w, h, bonds = one_residual_layer("gin")
    prefix = "convolutions.0"
    seen = bonds @ w[f"{prefix}.lin.weight"].T + w[f"{prefix}.lin.bias"]
    convolved = []
    for i in range(3):
        total = (1 + w[f"{prefix}.eps"]) * h[i] + sum(relu(h[j] + seen[EDGE[j, i]]) for j in NEIGHBOURS[i])
        hidden = relu(w[f"{prefix}.nn.0.weight"] @ total + w[f"{prefix}.nn.0.bias"])
        convolved.append(w[f"{prefix}.nn.2.weight"] @ hidden + w[f"{prefix}.nn.2.bias"])
    np.testing.assert_allclose(got, after(h, convolved, w), atol=1e-4)


def test_graphsage_takes_the_mean_of_the_neighbours():
    got, w, h, _ = one_residual_layer("graphsage")
    prefix = "convolutions.0"
    convolved = [
        w[f"{prefix}.lin_l.weight"] @ np.mean([h[j] for j in NEIGHBOURS[i]], axis=0)
        + w[f"{prefix}.lin_l.bias"]
        + w[f"{prefix}.lin_r.weight"] @ h[i]
        for i in range(3)
    ]
    np.testing.assert_allclose(got, after(h, convolved, w), atol=1e-4)


def test_gat_weighs_neighbours_and_the_atom_itself_by_a_softmax_in_each_head():
    got, w, h, bonds = one_residual_layer("gat", n_heads=2)
    prefix = "convolutions.0"
    source = (h @ w[f"{prefix}.lin_l.weight"].T + w[f"{prefix}.lin_l.bias"]).reshape(3, 2, 2)
    target = (h @ w[f"{prefix}.lin_r.weight"].T + w[f"{prefix}.lin_r.bias"]).reshape(3, 2, 2)
    convolved = []
    for i in range(3):
        others = NEIGHBOURS[i]
        loop = np.mean([bonds[EDGE[j, i]] for j in others], axis=0)
        kinds = [bonds[EDGE[j, i]] for j in others] + [loop]
        heads = []
        for head in range(2):
            logits = []
            for j, bond in zip([*others, i], kinds, strict=True):
                edge = (w[f"{prefix}.lin_edge.weight"] @ bond).reshape(2, 2)[head]
                x = target[i, head] + source[j, head] + edge
                logits.append(w[f"{prefix}.att"][0, head] @ np.where(x > 0, x, 0.2 * x))
            share = np.exp(logits) / np.exp(logits).sum()
            heads.append(sum(a * source[j, head] for a, j in zip(share, [*others, i], strict=True)))
        convolved.append(np.concatenate(heads) + w[f"{prefix}.bias"])
    np.testing.assert_allclose(got, after(h, convolved, w), atol=1e-4)


@pytest.mark.parametrize("kind", ["gin", "gat", "graphsage"])
def test_many_molecules_are_worked_on_in_groups_without_a_difference(kind: str, monkeypatch: pytest.MonkeyPatch):
    layers = shaken(ResidualLayers(kind, hidden_dim=4, n_layers=2, dropout=0.1))
    mols = [Structure.from_smiles("C" * n + "O").mol() for n in range(1, 8)]
    batch = GraphBatch.of(GraphFeaturiser()(mols))
    whole = layers(batch)
    monkeypatch.setattr("diptych.encoders.structures.graph_layers._GROUP_MOLECULES", 2)
    torch.testing.assert_close(layers(batch), whole, atol=1e-6, rtol=1e-5)


def test_an_atom_is_seen_as_many_bonds_away_as_there_are_layers():
    far = [GraphFeaturiser()([Structure.from_smiles(text).mol()]) for text in ("CCCCCO", "CCCCCN")]
    for n_layers, seeing in ((1, [4, 5]), (2, [3, 4, 5]), (3, [2, 3, 4, 5])):
        layers = shaken(ResidualLayers("gin", hidden_dim=64, n_layers=n_layers, dropout=0.1))
        oxygen, nitrogen = (layers(GraphBatch.of(graphs)) for graphs in far)
        differences = (oxygen - nitrogen).abs().max(dim=1).values
        assert torch.nonzero(differences > 1e-5).flatten().tolist() == seeing


def test_the_norm_learns_mean_and_variance_of_atoms_and_then_uses_them():
    norm = AtomNorm(1)
    x = torch.tensor([[1.0], [3.0]])
    torch.testing.assert_close(norm(x), torch.tensor([[-1.0], [1.0]]), atol=1e-4, rtol=0)
    np.testing.assert_allclose([norm.mean.item(), norm.variance.item()], [0.2, 0.9 + 0.1 * 2.0], atol=1e-6)
    expected = (x - 0.2) / 1.1**0.5
    torch.testing.assert_close(norm.eval()(x), expected, atol=1e-4, rtol=0)


def test_the_norm_measures_the_atoms_of_all_processes(monkeypatch: pytest.MonkeyPatch):
    x = torch.tensor([[1.0, 5.0], [3.0, -2.0], [8.0, 0.5], [8.5, 0.0], [9.0, 1.0]])
    alone, apart = AtomNorm(2), AtomNorm(2)
    expected = alone(x)
    other = x[2:].mean(dim=0), (x[2:] - x[2:].mean(dim=0)).square().sum(dim=0)
    row = torch.cat([torch.tensor([3.0]), *other])
    monkeypatch.setattr(graph_layers, "n_processes", lambda: 2)
    monkeypatch.setattr(graph_layers, "gathered", lambda rows: torch.cat([rows, row[None]]))
    torch.testing.assert_close(apart(x[:2]), expected[:2], atol=1e-5, rtol=0)
    torch.testing.assert_close(apart.mean, alone.mean)
    torch.testing.assert_close(apart.variance, alone.variance)


def test_one_atom_in_all_processes_is_normalised_by_what_was_learned_before(monkeypatch: pytest.MonkeyPatch):
    norm = AtomNorm(1)
    monkeypatch.setattr(graph_layers, "n_processes", lambda: 2)
    monkeypatch.setattr(graph_layers, "gathered", lambda rows: torch.cat([rows, torch.zeros_like(rows)]))
    torch.testing.assert_close(norm(torch.tensor([[3.0]])), torch.tensor([[3.0]]), atol=1e-4, rtol=0)
    assert norm.mean.item() == 0.0


def test_impossible_options_are_refused():
    with pytest.raises(ValueError, match="n_heads is 3; expected a divisor of hidden_dim, 8"):
        ResidualLayers("gat", hidden_dim=8, n_layers=1, n_heads=3, dropout=0.1)
    with pytest.raises(ValueError, match="adjacency is 'mean'; expected 'sum' or 'symmetric'"):
        JestrLayers(channels=(4,), dropout=0.1, adjacency="mean")


def test_a_missing_package_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "torch_geometric.nn", None)
    with pytest.raises(ConfigError, match=r"need the package torch_geometric: pip install 'diptych\[graphs\]'"):
        ResidualLayers("gin", hidden_dim=8, n_layers=1, dropout=0.1)


def test_towers_without_graphs_do_not_load_the_package():
    code = (
        "import sys; from diptych.embedding import JointEmbedding as J; J.from_config(spectrum={}, structure={});"
        "print('torch_geometric' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"


def test_edges_of_ethanol_are_those_of_the_equations():
    assert [tuple(edge) for edge in ethanol().edges.T.tolist()] == list(EDGE)
