"""Message passing over atoms and bonds: what the graph towers, and their pretraining, are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any, Final, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from diptych.encoders.structures.gathering import gathered, n_processes
from diptych.encoders.structures.graph_batch import N_ATOM_FEATURES, N_BOND_FEATURES, GraphBatch
from diptych.errors import ConfigError

Adjacency = Literal["sum", "symmetric"]
# Of so many molecules the vectors of all edges stay in a processor's cache: up to three times as fast as thousands.
_GROUP_MOLECULES = 128
_MOMENTUM, _LEAST_VARIANCE = 0.1, 1e-5


class AtomNorm(nn.Module):
    """Batch normalisation over atoms; unlike torch's it counts no steps, which half precision could not store.

    Parameters
    ----------
    dim
        Length of the vectors.

    Notes
    -----
    Ioffe and Szegedy, doi:10.48550/arXiv.1502.03167, with a momentum of 0.1. Processes that train together normalise by
    the atoms of all of them: with n_k the number, m_k the mean and s_k the summed squared deviations in process k::

        N = sum_k n_k,   m = sum_k n_k m_k / N,   v = sum_k (s_k + n_k (m_k - m)^2) / N

    (Chan et al., doi:10.1080/00031305.1983.10483115), the gradient of m and v going back to all of them.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(dim)), nn.Parameter(torch.zeros(dim))
        self.mean: Tensor
        self.variance: Tensor
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("variance", torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised vectors, (n_atoms, dim)."""
        if self.training and n_processes() > 1:
            return self._normalised_together(x)
        is_measured = self.training and len(x) > 1  # one atom has no variance
        return functional.batch_norm(x, self.mean, self.variance, self.weight, self.bias, training=is_measured)

    def _normalised_together(self, x: Tensor) -> Tensor:
        total, mean, variance = _moments_everywhere(x.float())
        if total > 1:
            with torch.no_grad():
                self.mean.lerp_(mean, _MOMENTUM)
                self.variance.lerp_(variance * total / (total - 1), _MOMENTUM)
        else:
            mean, variance = self.mean, self.variance
        standard = (x.float() - mean) * (variance + _LEAST_VARIANCE).rsqrt()
        return (standard * self.weight + self.bias).to(x.dtype)


def _moments_everywhere(x: Tensor) -> tuple[int, Tensor, Tensor]:
    """Return the number of rows of all processes, and the mean and variance of each column over them."""
    dim = x.shape[1]
    mean = x.sum(dim=0) / max(len(x), 1)
    deviation = (x - mean).square().sum(dim=0)
    parts = gathered(torch.cat([x.new_tensor([len(x)]), mean, deviation])[None])
    counts, means, deviations = torch.split(parts, [1, dim, dim], dim=1)
    total = counts.sum().clamp(min=1)
    mean = (counts * means).sum(dim=0) / total
    variance = (deviations + counts * (means - mean).square()).sum(dim=0) / total
    return int(total), mean, variance


class JestrLayers(nn.Module):
    """JESTR's graph convolutions; they see no bond features.

    Parameters
    ----------
    channels
        Length of the atom vectors after each layer.
    dropout
        Share left out after each layer.
    adjacency
        How neighbours are added up: ``"sum"``, or ``"symmetric"``, divided by the roots of both degrees.

    Notes
    -----
    With X the atom features, H_0 = X and S the adjacency matrix::

        H_(l+1) = BN(D(relu(S H_l W_l + b_l) + relu(H_l V_l + c_l)))

    BN batch normalisation and D dropout. S = A + I, the neighbours and the atom itself, is what the code published with
    Kalia et al. (doi:10.48550/arXiv.2411.14464) computes; S = D^(-1/2) (A + I) D^(-1/2), D the degrees in A + I, is the
    graph convolution of Kipf and Welling, doi:10.48550/arXiv.1609.02907, equation 2.
    """

    def __init__(self, *, channels: Sequence[int], dropout: float, adjacency: Adjacency) -> None:
        super().__init__()
        if adjacency not in get_args(Adjacency):
            raise ValueError(f"adjacency is {adjacency!r}; expected 'sum' or 'symmetric'")
        convolutions = geometric_layers()
        self.channels, self.dim, self.adjacency = tuple(channels), channels[-1], adjacency
        pairs = list(zip((N_ATOM_FEATURES, *channels), channels, strict=False))
        self.convolutions = nn.ModuleList(
            convolutions.GCNConv(n_in, n_out, normalize=False, add_self_loops=False) for n_in, n_out in pairs
        )
        self.skips = nn.ModuleList(nn.Linear(n_in, n_out) for n_in, n_out in pairs)
        self.norms = nn.ModuleList(AtomNorm(n_out) for _, n_out in pairs)
        self.dropout = nn.Dropout(dropout)

    def settings(self) -> dict[str, Any]:
        """Return what decides the shapes and the meaning of the weights."""
        return {"channels": list(self.channels), "adjacency": self.adjacency}

    def forward(self, batch: GraphBatch) -> Tensor:
        """Return one vector per atom, (n_atoms, channels[-1])."""
        h = batch.atom_features
        edges, weights = _with_loops(batch, self.adjacency)
        for convolution, skip, norm in zip(self.convolutions, self.skips, self.norms, strict=True):
            h = norm(self.dropout(convolution(h, edges, weights).relu() + skip(h).relu()))
        return h


class ResidualLayers(nn.Module):
    """Graph layers that add to the atom vectors, each normalised.

    Parameters
    ----------
    kind
        A key of `CONVOLUTIONS`.
    hidden_dim
        Length of the atom vectors.
    n_layers
        How many bonds away an atom is seen.
    n_heads
        Of the attention, where the kind has one.
    dropout
        Share of what each layer adds that is left out.

    Notes
    -----
    h_0 = W x, h_(l+1) = h_l + D(relu(LN(conv_l(h_l, e)))), x the features of atoms and e those of bonds, LN layer
    normalisation (doi:10.48550/arXiv.1607.06450) and D dropout. Of atom i with neighbours N(i), conv is

    - ``gin`` with bonds, Hu et al., doi:10.48550/arXiv.1905.12265, after Xu et al., doi:10.48550/arXiv.1810.00826:
      M((1 + eps) h_i + sum_(j in N(i)) relu(h_j + U e_ij)), M = two linear layers with relu between, eps learned;
    - ``gat``, Brody et al., doi:10.48550/arXiv.2105.14491: b + sum_(j in N(i) + i) a_ij P h_j in each head, a_ij the
      softmax over j of v . leaky_relu(Q h_i + P h_j + U e_ij), e_ii the mean over the atom's bonds;
    - ``graphsage``, Hamilton et al., doi:10.48550/arXiv.1706.02216: P mean_(j in N(i)) h_j + Q h_i + b, without bonds.
    """

    def __init__(self, kind: str, *, hidden_dim: int, n_layers: int, dropout: float, n_heads: int = 1) -> None:
        super().__init__()
        if hidden_dim % n_heads:
            raise ValueError(f"n_heads is {n_heads}; expected a divisor of hidden_dim, {hidden_dim}")
        convolutions = geometric_layers()
        self.kind, self.dim, self.n_layers, self.n_heads = kind, hidden_dim, n_layers, n_heads
        self.sees_bonds = kind in _SEE_BONDS
        self.atoms = nn.Linear(N_ATOM_FEATURES, hidden_dim)
        self.convolutions = nn.ModuleList(
            CONVOLUTIONS[kind](convolutions, hidden_dim, n_heads) for _ in range(n_layers)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(hidden_dim) for _ in range(n_layers))
        self.dropout = nn.Dropout(dropout)

    def settings(self) -> dict[str, Any]:
        """Return what decides the shapes and the meaning of the weights."""
        heads = {"n_heads": self.n_heads} if self.kind == "gat" else {}
        return {"hidden_dim": self.dim, "n_layers": self.n_layers, **heads}

    def forward(self, batch: GraphBatch) -> Tensor:
        """Return one vector per atom, (n_atoms, hidden_dim)."""
        if batch.edges.is_cuda:
            return self._atoms(batch)
        return torch.cat([self._atoms(group) for group in batch.groups(_GROUP_MOLECULES)])

    def _atoms(self, batch: GraphBatch) -> Tensor:
        bonds = (batch.edge_features,) if self.sees_bonds else ()
        h: Tensor = self.atoms(batch.atom_features)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            h = h + self.dropout(norm(convolution(h, batch.edges, *bonds)).relu())
        return h


GraphLayers = JestrLayers | ResidualLayers
TOWERS: Final = ("gcn", "gin", "gat", "graphsage")


def graph_layers(
    tower: str, *, hidden_dim: int = 256, n_layers: int = 4, n_heads: int = 4, dropout: float = 0.1
) -> GraphLayers:
    """Return new layers of a tower, one of `TOWERS`; those of ``gcn`` are JESTR's, whatever else is given."""
    if tower == "gcn":
        return JestrLayers(channels=(64, 128, 256), dropout=dropout, adjacency="sum")
    heads = n_heads if tower == "gat" else 1
    return ResidualLayers(tower, hidden_dim=hidden_dim, n_layers=n_layers, n_heads=heads, dropout=dropout)


def geometric_layers() -> ModuleType:
    """Return ``torch_geometric.nn``, which takes seconds to import and is not needed by other towers.

    Raises
    ------
    ConfigError
        It is not installed.
    """
    try:
        return import_module("torch_geometric.nn")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "torch_geometric":
            raise
        raise ConfigError("graph towers need the package torch_geometric: pip install 'diptych[graphs]'") from error


def _gin(layers: ModuleType, dim: int, n_heads: int) -> nn.Module:
    mlp = nn.Sequential(nn.Linear(dim, dim), nn.ReLU(), nn.Linear(dim, dim))
    convolution: nn.Module = layers.GINEConv(mlp, train_eps=True, edge_dim=N_BOND_FEATURES)
    return convolution


def _gat(layers: ModuleType, dim: int, n_heads: int) -> nn.Module:
    convolution: nn.Module = layers.GATv2Conv(dim, dim // n_heads, heads=n_heads, edge_dim=N_BOND_FEATURES)
    return convolution


def _graphsage(layers: ModuleType, dim: int, n_heads: int) -> nn.Module:
    convolution: nn.Module = layers.SAGEConv(dim, dim)
    return convolution


CONVOLUTIONS: Final[dict[str, Callable[[ModuleType, int, int], nn.Module]]] = {
    "gin": _gin,
    "gat": _gat,
    "graphsage": _graphsage,
}
_SEE_BONDS = {"gin", "gat"}


def _with_loops(batch: GraphBatch, adjacency: Adjacency) -> tuple[Tensor, Tensor | None]:
    """Return the edges with one from each atom to itself, and their weights."""
    n = len(batch.atom_classes)
    loops = torch.arange(n, device=batch.edges.device).expand(2, -1)
    edges = torch.cat([batch.edges, loops], dim=1)
    if adjacency == "sum":
        return edges, None
    scale = torch.bincount(edges[1], minlength=n).float().rsqrt()
    return edges, scale[edges[0]] * scale[edges[1]]
