"""Molecules as graphs of atoms and bonds, in flat arrays of small numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem


class Column(NamedTuple):
    """One feature of atoms or bonds: a class below ``n_classes``; the last also stands for what is beyond."""

    name: str
    n_classes: int


ELEMENTS: Final = ("H", "C", "O", "N", "P", "S", "Cl", "F", "Br", "I")
ATOM_COLUMNS: Final = (
    Column("element", len(ELEMENTS) + 1),  # in the order of ELEMENTS, then all others
    Column("has_single_bond", 2),
    Column("has_double_bond", 2),
    Column("has_triple_bond", 2),
    Column("has_aromatic_bond", 2),
    Column("degree", 11),  # bonds to atoms of the graph
    Column("total_degree", 7),  # hydrogens counted too
    Column("heavy_valence", 8),  # valence without the hydrogens
    Column("valence", 8),
    Column("hybridisation", 6),  # sp, sp2, sp3, sp3d, sp3d2, another
    Column("n_hydrogens", 5),
    Column("formal_charge", 5),  # -2 to 2
    Column("n_radical_electrons", 5),
    Column("is_aromatic", 2),
    Column("in_ring", 2),
)
BOND_COLUMNS: Final = (
    Column("type", 5),  # single, double, triple, aromatic, another
    Column("is_conjugated", 2),
    Column("in_ring", 2),
)
MASKED: Final = 255
"""Stands in all columns of an atom that is hidden."""

_ELEMENT = {Chem.GetPeriodicTable().GetAtomicNumber(symbol): at for at, symbol in enumerate(ELEMENTS)}
_HYBRIDISATION = {
    Chem.HybridizationType.SP: 0,
    Chem.HybridizationType.SP2: 1,
    Chem.HybridizationType.SP3: 2,
    Chem.HybridizationType.SP3D: 3,
    Chem.HybridizationType.SP3D2: 4,
}
_BOND_TYPE = {
    Chem.BondType.SINGLE: 0,
    Chem.BondType.DOUBLE: 1,
    Chem.BondType.TRIPLE: 2,
    Chem.BondType.AROMATIC: 3,
}
_OTHER_BOND = 4
_LARGEST_ATOM = np.array([column.n_classes - 1 for column in ATOM_COLUMNS])


@dataclass(frozen=True, kw_only=True, eq=False)
class MoleculeGraphs:
    """Graphs of molecules without their implicit hydrogens, one after the other.

    Attributes
    ----------
    atom_start
        int64, of shape (n + 1,): molecule i has the atoms ``atom_start[i]:atom_start[i + 1]``.
    atoms
        uint8, of shape (n_atoms, len(ATOM_COLUMNS)): a class per column, or `MASKED` in all of them.
    atom_mass
        float32, of shape (n_atoms,), Da, hydrogens left out; that of the isotope where it is labelled. 0 where masked.
    bond_start
        int64, of shape (n + 1,): molecule i has the bonds ``bond_start[i]:bond_start[i + 1]``.
    ends
        int16, of shape (n_bonds, 2): the atoms of each bond, counted from the first of the molecule.
    bonds
        uint8, of shape (n_bonds, len(BOND_COLUMNS)): a class per column.
    """

    atom_start: NDArray[np.int64]
    atoms: NDArray[np.uint8]
    atom_mass: NDArray[np.float32]
    bond_start: NDArray[np.int64]
    ends: NDArray[np.int16]
    bonds: NDArray[np.uint8]
    augmentations: ClassVar[frozenset[str]] = frozenset({"atom_masking", "subgraph_dropping"})

    def __len__(self) -> int:
        """Return the number of molecules."""
        return len(self.atom_start) - 1

    @property
    def n_atoms(self) -> NDArray[np.int64]:
        """Atoms of each molecule, int64 of shape (n,)."""
        return np.diff(self.atom_start)

    @property
    def molecule_of_atom(self) -> NDArray[np.int64]:
        """Position of each atom's molecule, int64 of shape (n_atoms,)."""
        return np.repeat(np.arange(len(self)), self.n_atoms)

    @property
    def flat_ends(self) -> NDArray[np.int64]:
        """The atoms of each bond, counted from the first of all, int64 of shape (n_bonds, 2)."""
        first = np.repeat(self.atom_start[:-1], np.diff(self.bond_start))
        return self.ends + first[:, None]

    def take(self, rows: NDArray[np.int64]) -> Self:
        """Return the given molecules, in the given order."""
        atom_start, atoms = _gathered(self.atom_start, rows)
        bond_start, bonds = _gathered(self.bond_start, rows)
        return type(self)(
            atom_start=atom_start,
            atoms=self.atoms[atoms],
            atom_mass=self.atom_mass[atoms],
            bond_start=bond_start,
            ends=self.ends[bonds],
            bonds=self.bonds[bonds],
        )

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Return the molecules of all parts, one after the other."""
        return cls(
            atom_start=_starts(np.concatenate([part.n_atoms for part in parts])),
            atoms=np.concatenate([part.atoms for part in parts]),
            atom_mass=np.concatenate([part.atom_mass for part in parts]),
            bond_start=_starts(np.concatenate([np.diff(part.bond_start) for part in parts])),
            ends=np.concatenate([part.ends for part in parts]),
            bonds=np.concatenate([part.bonds for part in parts]),
        )

    def augmented(self, settings: Any, rng: np.random.Generator) -> MoleculeGraphs:  # noqa: ANN401 - any with both shares
        """Return the graphs with atoms masked and parts dropped at random; see `graph_augmentation`.

        Parameters
        ----------
        settings
            With the attributes ``atom_masking`` and ``subgraph_dropping``: shares of the atoms, 0 for none.
        rng
            Decides which.
        """
        from diptych.molecules.graph_augmentation import drop_subgraph, mask_atoms

        dropped = drop_subgraph(self, share=settings.subgraph_dropping, rng=rng)
        return mask_atoms(dropped, share=settings.atom_masking, rng=rng)


@dataclass(frozen=True, kw_only=True)
class GraphFeaturiser:
    """What makes graphs of molecules.

    Notes
    -----
    Atoms and bonds are described as in JESTR (Kalia et al., doi:10.48550/arXiv.2411.14464) and the code published with
    it (its ``full`` features): ten elements and "another", the kinds of bonds at the atom, degree without and with
    hydrogens, valence, hybridisation, hydrogens, formal charge, radical electrons, aromatic, in a ring, and the mass;
    of bonds the type, conjugated, in a ring. Stereo is left out, because structures have none. JESTR tells explicit
    from implicit valence, which depends on how a hydrogen was written down; here it is the valence without hydrogens
    and the whole one, so that a molecule has one graph.
    """

    def __call__(self, mols: Sequence[Chem.Mol]) -> MoleculeGraphs:
        """Return one graph per molecule."""
        definite = [_resanitised(mol) for mol in mols]
        atoms = [_atom_row(atom) for mol in definite for atom in mol.GetAtoms()]
        masses = [atom.GetMass() for mol in definite for atom in mol.GetAtoms()]
        bonds = [_bond_row(bond) for mol in definite for bond in mol.GetBonds()]
        codes = np.array(atoms, dtype=np.int64).reshape(-1, len(ATOM_COLUMNS))
        rows = np.array(bonds, dtype=np.int16).reshape(-1, 2 + len(BOND_COLUMNS))
        return MoleculeGraphs(
            atom_start=_starts(np.array([mol.GetNumAtoms() for mol in definite], dtype=np.int64)),
            atoms=np.clip(codes, 0, _LARGEST_ATOM).astype(np.uint8),
            atom_mass=np.array(masses, dtype=np.float32),
            bond_start=_starts(np.array([mol.GetNumBonds() for mol in definite], dtype=np.int64)),
            ends=np.ascontiguousarray(rows[:, :2]),
            bonds=rows[:, 2:].astype(np.uint8),
        )


def _resanitised(mol: Chem.Mol) -> Chem.Mol:
    """Return a copy in which conjugation and hybridisation are those of the molecule as it is now.

    Neutralising a molecule changes its charges and hydrogens, but leaves what had been derived from them before. A
    molecule that RDKit would not take again, such as one whose aromatic ring lost its charge, stays as it is.
    """
    copy = Chem.Mol(mol)
    Chem.SanitizeMol(copy, catchErrors=True)
    return copy


def _atom_row(atom: Chem.Atom) -> tuple[int, ...]:
    types = {bond.GetBondType() for bond in atom.GetBonds()}
    n_hydrogens = atom.GetTotalNumHs()
    valence = atom.GetTotalValence()
    return (
        _ELEMENT.get(atom.GetAtomicNum(), len(ELEMENTS)),
        *(int(kind in types) for kind in _BOND_TYPE),
        atom.GetDegree(),
        atom.GetDegree() + n_hydrogens,
        valence - n_hydrogens,
        valence,
        _HYBRIDISATION.get(atom.GetHybridization(), len(_HYBRIDISATION)),
        n_hydrogens,
        atom.GetFormalCharge() + 2,
        atom.GetNumRadicalElectrons(),
        int(atom.GetIsAromatic()),
        int(atom.IsInRing()),
    )


def _bond_row(bond: Chem.Bond) -> tuple[int, ...]:
    return (
        bond.GetBeginAtomIdx(),
        bond.GetEndAtomIdx(),
        _BOND_TYPE.get(bond.GetBondType(), _OTHER_BOND),
        int(bond.GetIsConjugated()),
        int(bond.IsInRing()),
    )


def _starts(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _gathered(start: NDArray[np.int64], rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where the given rows start when they stand one after the other, and the entries that they hold."""
    lengths = start[rows + 1] - start[rows]
    new_start = _starts(lengths)
    return new_start, np.arange(new_start[-1]) + np.repeat(start[rows] - new_start[:-1], lengths)
