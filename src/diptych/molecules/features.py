"""What a structure tower is given of each molecule: features of the tower's own, and fragment masses beside them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from diptych.molecules.fragmentation import FragmentFeaturiser
from diptych.molecules.parallel import Featuriser
from diptych.molecules.sparse import SparseFeatures


class MoleculeRows(Protocol):
    """Features of molecules, one row each: a frozen dataclass of numpy arrays."""

    def __len__(self) -> int:
        """Return the number of molecules."""

    def take(self, rows: NDArray[np.int64]) -> Self:
        """Return the given rows, in the given order."""

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Return the rows of all parts, one after the other."""


@dataclass(frozen=True, kw_only=True, eq=False)
class StructureFeatures:
    """Features of molecules, row by row.

    Attributes
    ----------
    own
        What the tower's own featuriser makes of the molecules: anything that is `MoleculeRows`.
    fragments
        Of `FragmentFeaturiser`; None where they are not asked for.
    """

    own: Any
    fragments: SparseFeatures | None

    def __len__(self) -> int:
        """Return the number of molecules."""
        return len(self.own)

    def take(self, rows: NDArray[np.int64]) -> Self:
        """Return the given rows, in the given order."""
        fragments = None if self.fragments is None else self.fragments.take(rows)
        return type(self)(own=self.own.take(rows), fragments=fragments)

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Return the rows of all parts, one after the other."""
        fragments = [part.fragments for part in parts if part.fragments is not None]
        return cls(
            own=type(parts[0].own).concatenate([part.own for part in parts]),
            fragments=SparseFeatures.concatenate(fragments) if fragments else None,
        )

    def augmented(self, settings: Any, rng: np.random.Generator) -> Self:  # noqa: ANN401 - each kind's own settings
        """Return the features varied at random, where the tower's own features can be; fragments never are."""
        vary = getattr(self.own, "augmented", None)
        return self if vary is None else replace(self, own=vary(settings, rng))


@dataclass(frozen=True, kw_only=True)
class StructureFeaturiser:
    """A tower's own featuriser and, where asked for, that of fragment masses.

    Attributes
    ----------
    own, fragments
        The parts; without ``fragments`` there are none.
    """

    own: Featuriser
    fragments: FragmentFeaturiser | None = None

    def __call__(self, mols: Sequence[Chem.Mol]) -> StructureFeatures:
        """Return one row per molecule."""
        return StructureFeatures(own=self.own(mols), fragments=None if self.fragments is None else self.fragments(mols))
