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
from numpy.typing import NDArray
from rdkit import Chem

from diptych.molecules.cuts import WORDS, fragments, ion_bins
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
CUT_COST = np.array([1.0, 1.3, 2.0, 1.8, 2.5])
_SHIFT_COST = 0.4
_MAX_ATOMS = 64 * WORDS


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
            masses, kinds, costs = fragments(*graph, CUT_COST)
        bins, classes = ion_bins(
            masses,
            kinds,
            costs,
            np.array(HYDROGEN_SHIFTS),
            MONOISOTOPIC_MASS["H"],
            float(self.bins_per_da),
            self.min_mass,
            _SHIFT_COST,
        )
        return hash_bins(bins, width=self.width).astype(np.int32), classes.astype(np.float32)

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
    return np.unique(np.round(fragments(*graph, CUT_COST)[0], 6))


# One row per kind of fragment (no cut; one cut of each kind; two cuts, pairs in the order of their numbers), one column
# per number of hydrogens moved. Fitted by `benchmarks/fit_fragment_weights.py`.
_CLASS_WEIGHTS = np.array(
    [
        (1.00, 0.50, 0.53, 0.38, 0.30),
        (0.30, 0.54, 0.55, 0.59, 0.21),
        (0.15, 0.44, 0.37, 0.43, 0.19),
        (0.41, 0.40, 0.35, 0.18, 0.19),
        (0.30, 0.09, 0.36, 0.29, 0.22),
        (0.14, 0.09, 0.28, 0.16, 0.08),
        (0.28, 0.24, 0.32, 0.22, 0.21),
        (0.15, 0.23, 0.30, 0.16, 0.17),
        (0.17, 0.15, 0.24, 0.27, 0.11),
        (0.17, 0.10, 0.15, 0.11, 0.10),
        (0.11, 0.15, 0.14, 0.13, 0.12),
        (0.12, 0.12, 0.19, 0.12, 0.14),
        (0.16, 0.19, 0.17, 0.15, 0.18),
        (0.08, 0.15, 0.19, 0.13, 0.12),
        (0.13, 0.14, 0.10, 0.12, 0.10),
        (0.13, 0.12, 0.13, 0.11, 0.08),
        (0.08, 0.12, 0.10, 0.13, 0.07),
        (0.08, 0.10, 0.11, 0.11, 0.08),
        (0.10, 0.08, 0.12, 0.09, 0.13),
        (0.07, 0.08, 0.05, 0.08, 0.06),
        (0.06, 0.07, 0.09, 0.08, 0.06),
    ],
    dtype=np.float32,
)


def class_weights() -> NDArray[np.float32]:
    """Return the weight of each fragment class, float32 of shape (N_FRAGMENT_CLASSES,), in (0, 1].

    Notes
    -----
    Fitted by the listwise softmax loss over same-formula candidates on the training fold of the peer benchmark alone:
    with them, and no learned vectors, the cosine between peaks and fragments ranks the right structure highest.
    """
    return _CLASS_WEIGHTS.ravel().copy()
