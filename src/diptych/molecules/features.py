"""Several kinds of features of the same molecules, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from diptych.molecules.fingerprints import MorganFeaturiser
from diptych.molecules.fragmentation import FragmentFeaturiser
from diptych.molecules.sparse import SparseFeatures


@dataclass(frozen=True, kw_only=True, eq=False)
class StructureFeatures:
    """Fingerprint and fragment masses of molecules, row by row.

    Attributes
    ----------
    fingerprint
        Of `MorganFeaturiser`.
    fragments
        Of `FragmentFeaturiser`; None where they are not asked for.
    """

    fingerprint: SparseFeatures
    fragments: SparseFeatures | None

    def __len__(self) -> int:
        """Return the number of molecules."""
        return len(self.fingerprint)

    def take(self, rows: NDArray[np.int64]) -> Self:
        """Return the given rows, in the given order."""
        fragments = None if self.fragments is None else self.fragments.take(rows)
        return type(self)(fingerprint=self.fingerprint.take(rows), fragments=fragments)

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Return the rows of all parts, one after the other."""
        fragments = [part.fragments for part in parts if part.fragments is not None]
        return cls(
            fingerprint=SparseFeatures.concatenate([part.fingerprint for part in parts]),
            fragments=SparseFeatures.concatenate(fragments) if fragments else None,
        )


@dataclass(frozen=True, kw_only=True)
class StructureFeaturiser:
    """Fingerprint and, where asked for, fragment masses.

    Attributes
    ----------
    fingerprint, fragments
        The parts; without ``fragments`` there are none.
    """

    fingerprint: MorganFeaturiser
    fragments: FragmentFeaturiser | None = None

    def __call__(self, mols: Sequence[Chem.Mol]) -> StructureFeatures:
        """Return one row per molecule."""
        return StructureFeatures(
            fingerprint=self.fingerprint(mols), fragments=None if self.fragments is None else self.fragments(mols)
        )
