"""Morgan fingerprints in bulk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator

from diptych.molecules.sparse import SparseFeatures


@lru_cache(maxsize=8)
def _generator(radius: int, width: int) -> Any:  # noqa: ANN401 - RDKit's own
    return rdFingerprintGenerator.GetMorganGenerator(radius=radius, fpSize=width)


@dataclass(frozen=True, kw_only=True)
class MorganFeaturiser:
    """Morgan fingerprints (extended connectivity) of molecules, as sparse rows.

    Attributes
    ----------
    radius
        Bonds around each atom.
    width
        Number of columns that the environments are folded to.
    use_counts
        Whether a value is log(1 + number of environments in that column), or 1 where there is any.

    Notes
    -----
    Rogers and Hahn, J. Chem. Inf. Model. 50, 742 (2010), doi:10.1021/ci100050t.
    """

    radius: int = 2
    width: int = 4096
    use_counts: bool = True

    def __call__(self, mols: Sequence[Chem.Mol]) -> SparseFeatures:
        """Return one row per molecule."""
        return SparseFeatures.from_rows([self._row(mol) for mol in mols], width=self.width)

    def _row(self, mol: Chem.Mol) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        counts = _generator(self.radius, self.width).GetCountFingerprint(mol).GetNonzeroElements()
        values = np.fromiter(counts.values(), dtype=np.float32, count=len(counts))
        indices = np.fromiter(counts.keys(), dtype=np.int32, count=len(counts))
        return indices, np.log1p(values) if self.use_counts else np.ones_like(values)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings."""
        return asdict(self)

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> Self:
        """Return the featuriser of the given settings."""
        return cls(**settings)
