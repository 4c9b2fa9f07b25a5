"""A batch of molecular graphs as tensors, and what is done with all atoms of a molecule."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from diptych.molecules.graphs import ATOM_COLUMNS, BOND_COLUMNS, MASKED, Column, MoleculeGraphs

Pooling = Literal["mean", "max"]
_MASS_UNIT = 100.0  # Da, so that masses are about as large as the other features


def _offsets(columns: tuple[Column, ...]) -> tuple[tuple[int, ...], int]:
    """Return where the classes of each column start when they stand one after the other, and how many there are."""
    sizes = np.array([column.n_classes for column in columns])
    return tuple((np.cumsum(sizes) - sizes).tolist()), int(sizes.sum())


_ATOM_OFFSETS, _N_ATOM_CLASSES = _offsets(ATOM_COLUMNS)
_BOND_OFFSETS, N_BOND_FEATURES = _offsets(BOND_COLUMNS)
N_ATOM_FEATURES = _N_ATOM_CLASSES + 2  # whether it is masked, and its mass


@dataclass(frozen=True, kw_only=True, eq=False)
class GraphBatch:
    """Graphs of one batch; every bond is two edges, one in each direction.

    Attributes
    ----------
    atom_classes
        uint8, of shape (n_atoms, len(ATOM_COLUMNS)).
    atom_mass
        Float32, of shape (n_atoms,), Da.
    edges
        int64, of shape (2, n_edges): from the atoms of the first row to those of the second; molecule by molecule.
    edge_classes
        uint8, of shape (n_edges, len(BOND_COLUMNS)).
    molecule
        int64, of shape (n_atoms,), ascending: the molecule of each atom.
    slot
        int64, of shape (n_atoms,): position of each atom in its molecule.
    n_atoms
        int64, of shape (n_molecules,).
    """

    atom_classes: Tensor
    atom_mass: Tensor
    edges: Tensor
    edge_classes: Tensor
    molecule: Tensor
    slot: Tensor
    n_atoms: Tensor

    @classmethod
    def of(cls, graphs: MoleculeGraphs) -> GraphBatch:
        """Return graphs as tensors."""
        ends = torch.from_numpy(graphs.flat_ends)
        bonds = torch.from_numpy(graphs.bonds)
        molecule = graphs.molecule_of_atom
        return cls(
            atom_classes=torch.from_numpy(graphs.atoms),
            atom_mass=torch.from_numpy(graphs.atom_mass),
            edges=torch.stack([ends, ends.flip(1)], dim=1).view(-1, 2).T.contiguous(),
            edge_classes=bonds.repeat_interleave(2, dim=0),
            molecule=torch.from_numpy(molecule),
            slot=torch.from_numpy(np.arange(len(molecule)) - graphs.atom_start[molecule]),
            n_atoms=torch.from_numpy(graphs.n_atoms),
        )

    def __len__(self) -> int:
        """Return the number of molecules."""
        return len(self.n_atoms)

    def to(self, device: torch.device) -> GraphBatch:
        """Return the batch on a device."""
        return GraphBatch(
            atom_classes=self.atom_classes.to(device),
            atom_mass=self.atom_mass.to(device),
            edges=self.edges.to(device),
            edge_classes=self.edge_classes.to(device),
            molecule=self.molecule.to(device),
            slot=self.slot.to(device),
            n_atoms=self.n_atoms.to(device),
        )

    def groups(self, size: int) -> list[GraphBatch]:
        """Return the batch in parts of so many molecules, the last of fewer; at least one part."""
        first = torch.arange(0, len(self), size, device=self.molecule.device)
        atoms = torch.searchsorted(self.molecule, first).tolist()
        edges = torch.searchsorted(self.molecule[self.edges[0]], first).tolist()
        starts = list(zip(first.tolist(), atoms, edges, strict=True)) or [(0, 0, 0)]
        ends = [*starts[1:], (len(self), len(self.molecule), self.edges.shape[1])]
        return [self._part(start, end) for start, end in zip(starts, ends, strict=True)]

    def _part(self, start: tuple[int, int, int], end: tuple[int, int, int]) -> GraphBatch:
        molecules, atoms, edges = (slice(a, b) for a, b in zip(start, end, strict=True))
        return GraphBatch(
            atom_classes=self.atom_classes[atoms],
            atom_mass=self.atom_mass[atoms],
            edges=self.edges[:, edges] - start[1],
            edge_classes=self.edge_classes[edges],
            molecule=self.molecule[atoms] - start[0],
            slot=self.slot[atoms],
            n_atoms=self.n_atoms[molecules],
        )

    @cached_property
    def atom_features(self) -> Tensor:
        """Float32, of shape (n_atoms, N_ATOM_FEATURES): one 1 per column, or "masked" alone; mass in 100 Da."""
        hot = _one_hot(self.atom_classes, _ATOM_OFFSETS, width=N_ATOM_FEATURES, masked=_N_ATOM_CLASSES)
        hot[:, -1] = self.atom_mass / _MASS_UNIT
        return hot

    @cached_property
    def edge_features(self) -> Tensor:
        """Float32, of shape (n_edges, N_BOND_FEATURES): one 1 per column."""
        return _one_hot(self.edge_classes, _BOND_OFFSETS, width=N_BOND_FEATURES, masked=0)

    def pooled(self, atoms: Tensor, pooling: Pooling) -> Tensor:
        """Return the mean or the largest values of each molecule's atoms, (n_molecules, dim) of (n_atoms, dim)."""
        vectors = atoms.float()
        place = self.molecule[:, None].expand_as(vectors)
        start = vectors.new_zeros(len(self), vectors.shape[1])
        if pooling == "max":
            return start.scatter_reduce(0, place, vectors, reduce="amax", include_self=False)
        return start.scatter_add(0, place, vectors) / self.n_atoms.clamp(min=1)[:, None]

    def padded(self, atoms: Tensor) -> tuple[Tensor, Tensor]:
        """Return each molecule's atoms in a row of its own, (n_molecules, n_slots, dim), and where there is one."""
        n_slots = int(self.n_atoms.max()) if len(self) else 0
        mask = torch.arange(n_slots, device=atoms.device) < self.n_atoms[:, None]
        rows = atoms.new_zeros(len(self), n_slots, atoms.shape[1])
        return rows.index_put((self.molecule, self.slot), atoms), mask


def check_pooling(pooling: str) -> None:
    """Refuse a pooling that is not known.

    Raises
    ------
    ValueError
        It is not.
    """
    if pooling not in get_args(Pooling):
        raise ValueError(f"pooling is {pooling!r}; expected {' or '.join(map(repr, get_args(Pooling)))}")


def _one_hot(classes: Tensor, offsets: tuple[int, ...], *, width: int, masked: int) -> Tensor:
    columns = classes.long() + torch.tensor(offsets, device=classes.device)
    columns = torch.where(classes == MASKED, masked, columns)
    return torch.zeros(len(classes), width, device=classes.device).scatter_(1, columns, 1.0)
