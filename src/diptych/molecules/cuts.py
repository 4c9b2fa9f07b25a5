"""The compiled part of fragmentation: cuts of a molecular graph, and the masses between them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

WORDS = 4  # 64 atoms to the word
# Cuts that are paired, acyclic bonds first: a large cage has tens of thousands, and their pairs would fill the memory.
MAX_PAIRED_CUTS = 512
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


class _Neighbours(NamedTuple):
    start: Integers  # (n_atoms + 1,)
    atoms: Integers  # (2 n_bonds,), neighbours of atom a: atoms[start[a]:start[a + 1]]
    bonds: Integers  # (2 n_bonds,), the bonds to them


class _Cuts(NamedTuple):
    side: NDArray[np.uint64]  # (n_cuts, WORDS), one bit per atom of the side that is without atom 0
    mass: Floats  # (n_cuts,), Da, of that side
    kind: Integers  # (n_cuts,)
    ring: Integers  # (n_cuts,), the ring that is cut, -1 for a bridge
    ends: Integers  # (n_cuts, 4), atoms of each cut bond, the one on that side first; -1 where one bond is cut


class CutFragments(NamedTuple):
    """Fragments of at most two cuts, and the cuts that set them free.

    A *directed* cut says which side is kept: ``2 i`` keeps the side of cut i that is without atom 0, ``2 i + 1`` the
    other.
    """

    mass: Floats  # (n_fragments,), Da
    kind: Integers  # (n_fragments,)
    cost: Floats  # (n_fragments,)
    first: Integers  # (n_fragments,), directed cut, -1 for none
    second: Integers  # (n_fragments,), likewise
    cut_mass: Floats  # (n_cuts,), Da, of the side that is without atom 0
    cut_kind: Integers  # (n_cuts,)
    cut_ends: Integers  # (n_cuts, 4), atoms of the cut bonds, on that side and across; -1 where one bond is cut


@njit(cache=True)
def fragments(
    atom_mass: Floats,
    bonds: Integers,
    bond_kind: Integers,
    ring_start: Integers,
    ring_bonds: Integers,
    cut_cost: Floats,
) -> tuple[Floats, Integers, Floats]:
    """Return mass (Da), kind and cost of every fragment of at most two cuts; masses may repeat.

    Parameters
    ----------
    atom_mass, bonds, bond_kind, ring_start, ring_bonds
        Fields of a `MolecularGraph`.
    cut_cost
        float64, of shape (n_kinds,): cost of a cut of each kind.
    """
    found = fragments_and_cuts(atom_mass, bonds, bond_kind, ring_start, ring_bonds, cut_cost)
    return found.mass, found.kind, found.cost


@njit(cache=True)
def fragments_and_cuts(
    atom_mass: Floats,
    bonds: Integers,
    bond_kind: Integers,
    ring_start: Integers,
    ring_bonds: Integers,
    cut_cost: Floats,
) -> CutFragments:
    """Return the fragments that `fragments` gives, with the cuts behind each."""
    total = atom_mass.sum()
    cuts = _all_cuts(atom_mass, bonds, bond_kind, ring_start, ring_bonds)
    n = len(cuts.mass)
    n_paired = min(n, MAX_PAIRED_CUTS)
    capacity = 1 + 2 * n + n_paired * (n_paired - 1) // 2
    masses, kinds, costs = np.empty(capacity), np.empty(capacity, np.int64), np.empty(capacity)
    first, second = np.full(capacity, -1, np.int64), np.full(capacity, -1, np.int64)
    masses[0], kinds[0], costs[0] = total, 0, 0.0
    size = 1
    for i in range(n):
        for side in range(2):
            masses[size] = cuts.mass[i] if side == 0 else total - cuts.mass[i]
            kinds[size], costs[size] = 1 + cuts.kind[i], cut_cost[cuts.kind[i]]
            first[size] = 2 * i + side
            size += 1
    for i in range(n_paired):
        for j in range(i + 1, n_paired):
            keeps_i, keeps_j = _between(cuts, i, j)
            if keeps_i < 0:
                continue
            low, high = min(cuts.kind[i], cuts.kind[j]), max(cuts.kind[i], cuts.kind[j])
            masses[size] = _kept(cuts, i, keeps_i, total) + _kept(cuts, j, keeps_j, total) - total
            kinds[size] = 1 + len(cut_cost) + high * (high + 1) // 2 + low
            costs[size] = cut_cost[low] + cut_cost[high]
            first[size], second[size] = 2 * i + keeps_i, 2 * j + keeps_j
            size += 1
    return CutFragments(
        masses[:size], kinds[:size], costs[:size], first[:size], second[:size], cuts.mass, cuts.kind, cuts.ends
    )


@njit(cache=True)
def ion_bins(
    masses: Floats,
    kinds: Integers,
    costs: Floats,
    shifts: Integers,
    hydrogen: float,
    bins_per_da: float,
    min_mass: float,
    shift_cost: float,
) -> tuple[Integers, Integers]:
    """Return the distinct bins that fragments reach with each hydrogen shift, and the class of the cheapest way."""
    distinct = _cheapest(np.rint(masses * 1e4).astype(np.int64), costs)
    n = len(distinct) * len(shifts)
    bins, classes, cost = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n)
    size = 0
    for i in distinct:
        for s in range(len(shifts)):
            mass = masses[i] + shifts[s] * hydrogen
            if mass >= min_mass:
                bins[size] = np.int64(np.rint(mass * bins_per_da))
                classes[size] = kinds[i] * len(shifts) + s
                cost[size] = costs[i] + shift_cost * abs(shifts[s])
                size += 1
    cheapest = _cheapest(bins[:size], cost[:size])
    return bins[cheapest], classes[cheapest]


@njit(cache=True)
def _all_cuts(
    atom_mass: Floats, bonds: Integers, bond_kind: Integers, ring_start: Integers, ring_bonds: Integers
) -> _Cuts:
    neighbours = _neighbours(len(atom_mass), bonds)
    in_ring = np.zeros(len(bonds), np.bool_)
    in_ring[ring_bonds] = True
    ring_size = np.diff(ring_start)
    capacity = len(bonds) + (ring_size * (ring_size - 1) // 2).sum()
    cuts = _Cuts(
        np.zeros((capacity, WORDS), np.uint64),
        np.zeros(capacity),
        np.zeros(capacity, np.int64),
        np.zeros(capacity, np.int64),
        np.full((capacity, 4), -1, np.int64),
    )
    side = np.zeros(len(atom_mass), np.bool_)
    n_cuts = 0
    for bond in np.flatnonzero(~in_ring):
        _fill_side(side, bonds[bond, 0], int(bond), int(bond), neighbours)
        _note_ends(cuts, n_cuts, 0, side, bonds[bond])
        n_cuts = _add_cut(cuts, n_cuts, side, atom_mass, bond_kind[bond], -1)
    for ring in range(len(ring_size)):
        members = ring_bonds[ring_start[ring] : ring_start[ring + 1]]
        for i in range(len(members)):
            for second in members[i + 1 :]:
                first = int(members[i])
                _fill_side(side, bonds[first, 0], first, int(second), neighbours)
                if not side[bonds[first, 1]]:  # fused rings may hold together after two bonds
                    _note_ends(cuts, n_cuts, 0, side, bonds[first])
                    _note_ends(cuts, n_cuts, 1, side, bonds[int(second)])
                    kind = max(bond_kind[first], bond_kind[second])
                    n_cuts = _add_cut(cuts, n_cuts, side, atom_mass, kind, ring)
    return _Cuts(cuts.side[:n_cuts], cuts.mass[:n_cuts], cuts.kind[:n_cuts], cuts.ring[:n_cuts], cuts.ends[:n_cuts])


@njit(cache=True)
def _neighbours(n_atoms: int, bonds: Integers) -> _Neighbours:
    start = np.zeros(n_atoms + 1, np.int64)
    for atom in bonds.ravel():
        start[atom + 1] += 1
    start = np.cumsum(start)
    fill = start.copy()
    atoms, to = np.empty(2 * len(bonds), np.int64), np.empty(2 * len(bonds), np.int64)
    for bond in range(len(bonds)):
        for end in range(2):
            atom = bonds[bond, end]
            atoms[fill[atom]], to[fill[atom]] = bonds[bond, 1 - end], bond
            fill[atom] += 1
    return _Neighbours(start, atoms, to)


@njit(cache=True)
def _fill_side(side: NDArray[np.bool_], start: int, first: int, second: int, neighbours: _Neighbours) -> None:
    """Mark the atoms that are reached from ``start`` without the two bonds."""
    side[:] = False
    side[start] = True
    reached = np.empty(len(side), np.int64)
    reached[0] = start
    size, done = 1, 0
    while done < size:
        atom = reached[done]
        done += 1
        for k in range(neighbours.start[atom], neighbours.start[atom + 1]):
            other, bond = neighbours.atoms[k], neighbours.bonds[k]
            if bond not in (first, second) and not side[other]:
                side[other] = True
                reached[size] = other
                size += 1


@njit(cache=True)
def _add_cut(cuts: _Cuts, n_cuts: int, side: NDArray[np.bool_], atom_mass: Floats, kind: int, ring: int) -> int:
    """Append a cut by the side that is without atom 0, so that no two sides cover the molecule between them."""
    wanted = not side[0]
    for atom in range(len(side)):
        if side[atom] == wanted:
            cuts.side[n_cuts, atom >> 6] |= np.uint64(1) << np.uint64(atom & 63)
            cuts.mass[n_cuts] += atom_mass[atom]
    cuts.kind[n_cuts], cuts.ring[n_cuts] = kind, ring
    return n_cuts + 1


@njit(cache=True)
def _note_ends(cuts: _Cuts, cut: int, which: int, side: NDArray[np.bool_], bond: Integers) -> None:
    """Write down the atoms of a cut bond, the one on the side without atom 0 first."""
    here, across = (bond[0], bond[1]) if side[bond[0]] != side[0] else (bond[1], bond[0])
    cuts.ends[cut, 2 * which], cuts.ends[cut, 2 * which + 1] = here, across


@njit(cache=True)
def _kept(cuts: _Cuts, cut: int, side: int, total: float) -> float:
    return float(cuts.mass[cut] if side == 0 else total - cuts.mass[cut])


@njit(cache=True)
def _between(cuts: _Cuts, i: int, j: int) -> tuple[int, int]:
    """Return which side of each cut bounds the part between them (see `CutFragments`); -1 where there is none.

    Sides that cross have nothing whole between them. Two cuts of one ring leave nothing new between them: two arcs
    apart, or an arc that a single cut gives.
    """
    if cuts.ring[i] == cuts.ring[j] >= 0:
        return -1, -1
    both, only_first, only_second = False, False, False
    for word in range(WORDS):
        first, second = cuts.side[i, word], cuts.side[j, word]
        both |= (first & second) != 0
        only_first |= (first & ~second) != 0
        only_second |= (second & ~first) != 0
    if not both:
        return 1, 1
    if only_first == only_second:
        return -1, -1
    return (0, 1) if only_first else (1, 0)


@njit(cache=True)
def _cheapest(keys: Integers, cost: Floats) -> Integers:
    """Return for each distinct key the position of its cheapest entry, by ascending key."""
    order = np.argsort(keys)
    kept = 0
    for k in order:
        if kept > 0 and keys[k] == keys[order[kept - 1]]:
            if cost[k] < cost[order[kept - 1]]:
                order[kept - 1] = k
        else:
            order[kept] = k
            kept += 1
    return order[:kept]
