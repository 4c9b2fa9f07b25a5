"""Masses that a molecule can break into: one or two cuts, each through a bridge or through two bonds of a ring.

A *cut* separates a molecule into two connected parts: removing one acyclic bond does so, and so does removing two bonds
of one ring. One cut gives two fragments. Two cuts that do not cross give a third, the part between them, whose mass
follows from the masses of the sides alone; so all fragments of two cuts cost one comparison of atom sets per pair of
cuts, without building any of them.

Notes
-----
The idea of scoring a structure by the peaks that bond disconnection explains is MetFrag's: Wolf et al., BMC
Bioinformatics 11, 148 (2010), doi:10.1186/1471-2105-11-148; Ruttkies et al., J. Cheminform. 8, 3 (2016),
doi:10.1186/s13321-016-0115-9.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numba import njit
from numpy.typing import NDArray
from rdkit import Chem

from diptych.molecules.sparse import SparseFeatures
from diptych.spectra.binning import hash_bins
from diptych.spectra.masses import MONOISOTOPIC_MASS

HYDROGEN_SHIFTS = (-2, -1, 0, 1, 2)
N_CUT_KINDS = 5
_BRIDGE_HETERO, _BRIDGE_CARBON, _BRIDGE_MULTIPLE, _RING_ALIPHATIC, _RING_AROMATIC = range(N_CUT_KINDS)
# No cut, one cut of each kind, two cuts of each unordered pair of kinds.
N_FRAGMENT_KINDS = 1 + N_CUT_KINDS + N_CUT_KINDS * (N_CUT_KINDS + 1) // 2
N_FRAGMENT_CLASSES = N_FRAGMENT_KINDS * len(HYDROGEN_SHIFTS)
# How hard a cut of each kind is, relative to a single bond to a heteroatom: which of two ways to one mass is counted.
_CUT_COST = np.array([1.0, 1.3, 2.0, 1.8, 2.5])
_SHIFT_COST = 0.4
_MAX_ATOMS = 256
_WORDS = _MAX_ATOMS // 64


class MolecularGraph(NamedTuple):
    """Heavy atoms and bonds of a molecule as arrays."""

    atom_mass: NDArray[np.float64]  # (n_atoms,), Da, attached hydrogens included
    bonds: NDArray[np.int64]  # (n_bonds, 2), atom indices
    bond_kind: NDArray[np.int64]  # (n_bonds,), kind of the cut through it
    ring_start: NDArray[np.int64]  # (n_rings + 1,)
    ring_bonds: NDArray[np.int64]  # bonds of ring r: ring_bonds[ring_start[r]:ring_start[r + 1]]


def molecular_graph(mol: Chem.Mol) -> MolecularGraph:
    """Return the heavy-atom graph of a molecule without explicit hydrogens."""
    hydrogen = MONOISOTOPIC_MASS["H"]
    masses = [MONOISOTOPIC_MASS.get(a.GetSymbol(), a.GetMass()) + hydrogen * a.GetTotalNumHs() for a in mol.GetAtoms()]
    rings = mol.GetRingInfo().BondRings()
    in_ring = {bond for ring in rings for bond in ring}
    bonds, kinds = [], []
    for index, bond in enumerate(mol.GetBonds()):
        bonds.append((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()))
        kinds.append(_cut_kind(bond, in_ring=index in in_ring))
    return MolecularGraph(
        atom_mass=np.array(masses, dtype=np.float64),
        bonds=np.array(bonds, dtype=np.int64).reshape(-1, 2),
        bond_kind=np.array(kinds, dtype=np.int64),
        ring_start=np.cumsum([0, *(len(ring) for ring in rings)], dtype=np.int64),
        ring_bonds=np.array([bond for ring in rings for bond in ring], dtype=np.int64),
    )


def _cut_kind(bond: Chem.Bond, *, in_ring: bool) -> int:
    if in_ring:
        return _RING_AROMATIC if bond.GetIsAromatic() else _RING_ALIPHATIC
    if bond.GetBondType() != Chem.BondType.SINGLE:
        return _BRIDGE_MULTIPLE
    both_carbon = bond.GetBeginAtom().GetAtomicNum() == bond.GetEndAtom().GetAtomicNum() == 6
    return _BRIDGE_CARBON if both_carbon else _BRIDGE_HETERO


@njit(cache=True)  # type: ignore[untyped-decorator]
def _side(  # type: ignore[no-untyped-def] # noqa: ANN202 - compiled
    start, first, second, bonds, neighbour_start, neighbours, neighbour_bonds, stack, side  # noqa: ANN001
):
    """Fill ``side`` with the atoms reached from ``start`` without bonds ``first`` and ``second``; return their number."""
    side[:] = False
    side[start] = True
    stack[0] = start
    size, done = 1, 0
    while done < size:
        atom = stack[done]
        done += 1
        for k in range(neighbour_start[atom], neighbour_start[atom + 1]):
            other = neighbours[k]
            if neighbour_bonds[k] != first and neighbour_bonds[k] != second and not side[other]:
                side[other] = True
                stack[size] = other
                size += 1
    return size


@njit(cache=True)  # type: ignore[untyped-decorator]
def _cuts(atom_mass, bonds, bond_kind, ring_start, ring_bonds):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Return for each cut the atoms of one side (as bits), the mass of that side, and the kind of the cut."""
    n_atoms, n_bonds = len(atom_mass), len(bonds)
    degree = np.zeros(n_atoms + 1, np.int64)
    for bond in range(n_bonds):
        degree[bonds[bond, 0] + 1] += 1
        degree[bonds[bond, 1] + 1] += 1
    neighbour_start = np.cumsum(degree)
    fill = neighbour_start[:-1].copy()
    neighbours, neighbour_bonds = np.empty(2 * n_bonds, np.int64), np.empty(2 * n_bonds, np.int64)
    for bond in range(n_bonds):
        for end in range(2):
            atom = bonds[bond, end]
            neighbours[fill[atom]] = bonds[bond, 1 - end]
            neighbour_bonds[fill[atom]] = bond
            fill[atom] += 1
    ring_size = np.diff(ring_start)
    capacity = n_bonds + (ring_size * (ring_size - 1) // 2).sum()
    bits = np.zeros((capacity, _WORDS), np.uint64)
    mass, kind = np.zeros(capacity), np.zeros(capacity, np.int64)
    stack, side = np.empty(n_atoms, np.int64), np.zeros(n_atoms, np.bool_)
    n_cuts = 0
    for bond in range(n_bonds):
        if bond_kind[bond] > _BRIDGE_MULTIPLE:
            continue
        _side(bonds[bond, 0], bond, -1, bonds, neighbour_start, neighbours, neighbour_bonds, stack, side)
        n_cuts = _add_cut(side, atom_mass, bond_kind[bond], bits, mass, kind, n_cuts)
    for ring in range(len(ring_start) - 1):
        for i in range(ring_start[ring], ring_start[ring + 1]):
            for j in range(i + 1, ring_start[ring + 1]):
                first, second = ring_bonds[i], ring_bonds[j]
                _side(bonds[first, 0], first, second, bonds, neighbour_start, neighbours, neighbour_bonds, stack, side)
                if not side[bonds[first, 1]]:  # fused rings hold together after two bonds
                    cut_kind = max(bond_kind[first], bond_kind[second])
                    n_cuts = _add_cut(side, atom_mass, cut_kind, bits, mass, kind, n_cuts)
    return bits[:n_cuts], mass[:n_cuts], kind[:n_cuts]


@njit(cache=True)  # type: ignore[untyped-decorator]
def _add_cut(side, atom_mass, cut_kind, bits, mass, kind, n_cuts):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Append a cut by the side that is without atom 0, so that no two sides cover the molecule between them."""
    wanted = not side[0]
    for atom in range(len(side)):
        if side[atom] == wanted:
            bits[n_cuts, atom >> 6] |= np.uint64(1) << np.uint64(atom & 63)
            mass[n_cuts] += atom_mass[atom]
    kind[n_cuts] = cut_kind
    return n_cuts + 1


@njit(cache=True)  # type: ignore[untyped-decorator]
def _between(a, b, mass_a, mass_b, total):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Return the mass of the part between two cuts (sides disjoint or nested), or 0 where they cross."""
    both, only_a, only_b = False, False, False
    for word in range(_WORDS):
        both |= (a[word] & b[word]) != 0
        only_a |= (a[word] & ~b[word]) != 0
        only_b |= (b[word] & ~a[word]) != 0
    if not both:
        return total - mass_a - mass_b
    if only_a and only_b:
        return 0.0
    return abs(mass_a - mass_b)


@njit(cache=True)  # type: ignore[untyped-decorator]
def _fragments(atom_mass, bonds, bond_kind, ring_start, ring_bonds, cut_cost):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Return mass, kind and cost of every fragment of at most two cuts; masses may repeat."""
    total = atom_mass.sum()
    bits, mass, kind = _cuts(atom_mass, bonds, bond_kind, ring_start, ring_bonds)
    n = len(mass)
    capacity = 1 + 2 * n + n * (n - 1) // 2
    masses, kinds, costs = np.empty(capacity), np.empty(capacity, np.int64), np.empty(capacity)
    masses[0], kinds[0], costs[0] = total, 0, 0.0
    size = 1
    for i in range(n):
        for part in (mass[i], total - mass[i]):
            masses[size], kinds[size], costs[size] = part, 1 + kind[i], cut_cost[kind[i]]
            size += 1
    for i in range(n):
        for j in range(i + 1, n):
            part = _between(bits[i], bits[j], mass[i], mass[j], total)
            if part > 0.5:
                low, high = min(kind[i], kind[j]), max(kind[i], kind[j])
                masses[size] = part
                kinds[size] = 1 + len(cut_cost) + high * (high + 1) // 2 + low
                costs[size] = cut_cost[low] + cut_cost[high]
                size += 1
    return masses[:size], kinds[:size], costs[:size]


@njit(cache=True)  # type: ignore[untyped-decorator]
def _cheapest(keys, cost):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
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


@njit(cache=True)  # type: ignore[untyped-decorator]
def _ion_bins(masses, kinds, costs, shifts, hydrogen, bins_per_da, min_mass, shift_cost):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - compiled
    """Return the distinct bins that the fragments reach with each hydrogen shift, and the class of the cheapest way."""
    distinct = _cheapest(np.rint(masses * 1e4).astype(np.int64), costs)
    masses, kinds, costs = masses[distinct], kinds[distinct], costs[distinct]
    n = len(masses) * len(shifts)
    bins, classes, cost = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n)
    size = 0
    for i in range(len(masses)):
        for s in range(len(shifts)):
            mass = masses[i] + shifts[s] * hydrogen
            if mass < min_mass:
                continue
            bins[size] = np.int64(np.rint(mass * bins_per_da))
            classes[size] = kinds[i] * len(shifts) + s
            cost[size] = costs[i] + shift_cost * abs(shifts[s])
            size += 1
    cheapest = _cheapest(bins[:size], cost[:size])
    return bins[cheapest], classes[cheapest]


@dataclass(frozen=True, kw_only=True)
class FragmentFeaturiser:
    """The masses of a molecule's fragments, binned and hashed: which peaks the structure can explain.

    Attributes
    ----------
    bins_per_da
        Resolution: bins per Da of neutral fragment mass.
    width
        Number of columns that the bins are hashed to.
    min_mass
        Da; smaller fragments are left out.

    Notes
    -----
    The value of an entry is no weight but its *class*: the kind of the cheapest way to that mass (no, one or two cuts,
    and through what kinds of bonds) and the number of hydrogens moved; 0 <= class < ``N_FRAGMENT_CLASSES``.
    Molecules of more than 256 heavy atoms have no fragments but themselves.
    """

    bins_per_da: int = 200
    width: int = 32768
    min_mass: float = 30.0

    def __call__(self, mols: Sequence[Chem.Mol]) -> SparseFeatures:
        """Return one row per molecule."""
        return SparseFeatures.from_rows([self._row(mol) for mol in mols], width=self.width)

    def _row(self, mol: Chem.Mol) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        graph = molecular_graph(mol)
        if len(graph.atom_mass) > _MAX_ATOMS:
            masses, kinds, costs = graph.atom_mass.sum(keepdims=True), np.zeros(1, dtype=np.int64), np.zeros(1)
        else:
            masses, kinds, costs = _fragments(*graph, _CUT_COST)
        bins, classes = _ion_bins(
            masses,
            kinds,
            costs,
            np.array(HYDROGEN_SHIFTS),
            MONOISOTOPIC_MASS["H"],
            float(self.bins_per_da),
            self.min_mass,
            _SHIFT_COST,
        )
        return hash_bins(bins, width=self.width), classes.astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings."""
        return asdict(self)

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> Self:
        """Return the featuriser of the given settings."""
        return cls(**settings)


def fragment_masses(mol: Chem.Mol) -> NDArray[np.float64]:
    """Return the distinct masses (Da, neutral, no hydrogen moved) of all fragments of at most two cuts, ascending."""
    graph = molecular_graph(mol)
    return np.unique(np.round(_fragments(*graph, _CUT_COST)[0], 6))


def class_weights() -> NDArray[np.float32]:
    """Return the weight of each fragment class, float32 of shape (N_FRAGMENT_CLASSES,), in (0, 1].

    Notes
    -----
    w = exp(-(c_1 + c_2) / 4 - |h| / 5): each cut counts by its cost, each hydrogen moved by a fifth. Chosen by hand, not
    fitted.
    """
    pairs = [_CUT_COST[low] + _CUT_COST[high] for high in range(N_CUT_KINDS) for low in range(high + 1)]
    costs = np.array([0.0, *_CUT_COST, *pairs])
    weights = np.exp(-costs[:, None] / 4 - np.abs(HYDROGEN_SHIFTS) / 5)
    return weights.ravel().astype(np.float32)
