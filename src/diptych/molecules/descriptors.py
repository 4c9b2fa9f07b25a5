"""Numbers that describe whole molecules: size, polarity, flexibility."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem import Descriptors

from diptych.errors import StructureError

DESCRIPTORS = (
    "HeavyAtomCount",
    "NumHeteroatoms",
    "NumHDonors",
    "NumHAcceptors",
    "NumRotatableBonds",
    "RingCount",
    "NumAromaticRings",
    "FractionCSP3",
    "TPSA",
    "MolLogP",
    "MolMR",
    "BertzCT",
)


@dataclass(frozen=True, kw_only=True, eq=False)
class DescriptorRows:
    """Descriptors of molecules.

    Attributes
    ----------
    values
        Float32, of shape (n, n_descriptors), in the unit of each.
    """

    values: NDArray[np.float32]

    def __len__(self) -> int:
        """Return the number of molecules."""
        return len(self.values)

    def take(self, rows: NDArray[np.int64]) -> Self:
        """Return the given rows, in the given order."""
        return type(self)(values=self.values[rows])

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Return the rows of all parts, one after the other."""
        return cls(values=np.concatenate([part.values for part in parts]))


@dataclass(frozen=True, kw_only=True)
class DescriptorFeaturiser:
    """Descriptors by RDKit's names.

    Attributes
    ----------
    names
        Of the descriptors, as ``rdkit.Chem.Descriptors`` has them.

    Raises
    ------
    StructureError
        RDKit has no such descriptor.

    Notes
    -----
    TPSA: Ertl et al. 2000, doi:10.1021/jm000942e; MolLogP and MolMR: Wildman and Crippen 1999, doi:10.1021/ci990307l;
    BertzCT: Bertz 1981, doi:10.1021/ja00402a001; FractionCSP3: Lovering et al. 2009, doi:10.1021/jm901241e. The rest
    are counts.
    """

    names: tuple[str, ...] = DESCRIPTORS

    def __post_init__(self) -> None:
        for name in self.names:
            if not callable(getattr(Descriptors, name, None)):
                raise StructureError(f"unknown descriptor {name!r}; expected names of rdkit.Chem.Descriptors")

    def __call__(self, mols: Sequence[Chem.Mol]) -> DescriptorRows:
        """Return one row per molecule."""
        functions = [getattr(Descriptors, name) for name in self.names]
        values = np.array([[function(mol) for function in functions] for mol in mols], dtype=np.float32)
        return DescriptorRows(values=values.reshape(len(mols), len(self.names)))
