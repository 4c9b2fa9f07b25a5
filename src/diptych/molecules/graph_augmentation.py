"""Graphs varied at random: atoms masked, connected parts dropped. Formula, mass and fragments are kept elsewhere.

Notes
-----
Atom masking and subgraph removal are those of MolCLR: Wang et al., Nat. Mach. Intell. 4, 279 (2022),
doi:10.1038/s42256-022-00447-x; masking of atoms to be predicted: Hu et al., doi:10.48550/arXiv.1905.12265.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from diptych.molecules.graphs import MASKED, MoleculeGraphs


def mask_atoms(graphs: MoleculeGraphs, *, share: float, rng: np.random.Generator) -> MoleculeGraphs:
    """Return the graphs with a share of each molecule's atoms hidden: all their columns are `MASKED`, their mass 0.

    Parameters
    ----------
    graphs
        Left as they are.
    share
        In [0, 1]; of a molecule of n atoms, ``share * n`` are hidden, rounded up or down at random.
    rng
        Decides which; nothing else does.
    """
    if share <= 0:
        return graphs
    return with_masked(graphs, draw_atoms(graphs, share=share, rng=rng))


def with_masked(graphs: MoleculeGraphs, chosen: NDArray[np.bool_]) -> MoleculeGraphs:
    """Return the graphs with the chosen atoms hidden; ``chosen`` is of shape (n_atoms,)."""
    atoms = np.where(chosen[:, None], np.uint8(MASKED), graphs.atoms)
    return replace(graphs, atoms=atoms, atom_mass=np.where(chosen, np.float32(0), graphs.atom_mass))


def draw_atoms(
    graphs: MoleculeGraphs, *, share: float, rng: np.random.Generator, at_least: int = 0
) -> NDArray[np.bool_]:
    """Return which atoms a draw of a share of each molecule's atoms takes, bool of shape (n_atoms,).

    Parameters
    ----------
    graphs
        Where the atoms are.
    share
        In [0, 1], rounded for each molecule up or down at random.
    rng
        Decides which.
    at_least
        Atoms taken of every molecule that has as many.
    """
    wanted = np.maximum(_rounded(graphs.n_atoms * share, rng), np.minimum(at_least, graphs.n_atoms))
    return _first(graphs, rng.random(len(graphs.atoms)), wanted=wanted)


def drop_subgraph(graphs: MoleculeGraphs, *, share: float, rng: np.random.Generator) -> MoleculeGraphs:
    """Return the graphs without a connected part of each molecule, and without the bonds to it.

    Parameters
    ----------
    graphs
        Left as they are.
    share
        In [0, 1]; of a molecule of n atoms, ``share * n`` are dropped, rounded up or down at random; one always stays.
    rng
        Decides where the part lies: the atoms nearest to one drawn at random.
    """
    if share <= 0:
        return graphs
    n_dropped = np.minimum(_rounded(graphs.n_atoms * share, rng), graphs.n_atoms - 1)
    centre = _first(graphs, rng.random(len(graphs.atoms)), wanted=np.ones(len(graphs), dtype=np.int64))
    distance = _distances(graphs, centre, enough=int(n_dropped.max(initial=0)))
    near = distance + rng.random(len(graphs.atoms))  # a draw among those that are equally far
    return without_atoms(graphs, _first(graphs, near, wanted=n_dropped))


def without_atoms(graphs: MoleculeGraphs, dropped: NDArray[np.bool_]) -> MoleculeGraphs:
    """Return the graphs without some atoms and their bonds; ``dropped`` is of shape (n_atoms,)."""
    kept = ~dropped
    is_bond_kept = kept[graphs.flat_ends].all(axis=1)
    n_kept_before = np.concatenate([[0], np.cumsum(kept)])
    n_bonds_before = np.concatenate([[0], np.cumsum(is_bond_kept)])
    atom_start = n_kept_before[graphs.atom_start]
    bond_start = n_bonds_before[graphs.bond_start]
    ends = n_kept_before[graphs.flat_ends[is_bond_kept]]
    first = np.repeat(atom_start[:-1], np.diff(bond_start))
    return MoleculeGraphs(
        atom_start=atom_start,
        atoms=graphs.atoms[kept],
        atom_mass=graphs.atom_mass[kept],
        bond_start=bond_start,
        ends=(ends - first[:, None]).astype(np.int16),
        bonds=graphs.bonds[is_bond_kept],
    )


def _rounded(expected: NDArray[np.floating], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return whole numbers whose mean over many draws is the number given."""
    return np.floor(expected + rng.random(len(expected))).astype(np.int64)


def _first(graphs: MoleculeGraphs, key: NDArray[np.float64], *, wanted: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which atoms are among the ``wanted`` ones of their molecule with the smallest key."""
    molecule = graphs.molecule_of_atom
    order = np.lexsort((key, molecule))  # molecules stay where they are
    chosen = np.empty(len(key), dtype=np.bool_)
    chosen[order] = np.arange(len(key)) - graphs.atom_start[molecule] < wanted[molecule]
    return chosen


def _distances(graphs: MoleculeGraphs, start: NDArray[np.bool_], *, enough: int) -> NDArray[np.float64]:
    """Return the bonds between each atom and the start of its molecule; infinite beyond ``enough``."""
    distance = np.where(start, 0.0, np.inf)
    a, b = graphs.flat_ends.T
    for _ in range(enough):
        before = distance.copy()
        np.minimum.at(distance, a, before[b] + 1)
        np.minimum.at(distance, b, before[a] + 1)
        if np.array_equal(before, distance):
            break
    return distance
