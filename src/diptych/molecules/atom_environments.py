"""What surrounds each atom, as the numbers of its circular neighbourhoods."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem
from rdkit.Chem import rdFingerprintGenerator

RADIUS = 2
_SPREAD, _PRIME = 2654435761, 4294967291


def atom_environments(mol: Chem.Mol, *, width: int) -> NDArray[np.int16]:
    """Return the hashed neighbourhoods of each atom, int16 of shape (n_atoms, RADIUS + 1), 0 <= number < width.

    Parameters
    ----------
    mol
        Without explicit hydrogens.
    width
        How many numbers there are, at most 32767.

    Notes
    -----
    Column r is the identifier of the Morgan algorithm after r rounds (Rogers and Hahn 2010, doi:10.1021/ci100050t).
    Where a round adds no bond that a smaller neighbourhood lacks, RDKit leaves it out; the smaller one stands again.
    """
    output = rdFingerprintGenerator.AdditionalOutput()
    output.AllocateBitInfoMap()
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS)
    generator.GetSparseCountFingerprint(mol, additionalOutput=output)
    found = np.full((mol.GetNumAtoms(), RADIUS + 1), -1, dtype=np.int64)
    for identifier, places in output.GetBitInfoMap().items():
        for atom, radius in places:
            found[atom, radius] = identifier * _SPREAD % _PRIME % width
    for radius in range(1, RADIUS + 1):
        absent = found[:, radius] < 0
        found[absent, radius] = found[absent, radius - 1]
    return found.astype(np.int16)
