"""Which peaks of a spectrum a structure can explain by breaking at most two bonds or ring bond pairs."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from diptych.molecules.fragmentation import HYDROGEN_SHIFTS, fragment_masses
from diptych.molecules.structure import mol_from_smiles
from diptych.spectra.masses import MONOISOTOPIC_MASS, PROTON_MASS

_LARGEST_MOLECULE = 256


def explained_peaks(
    mz: NDArray[np.float64], smiles: str, *, polarity: Literal["positive", "negative"] = "positive", ppm: float = 10.0
) -> NDArray[np.bool_]:
    """Return which peaks have the mass of a fragment with up to two hydrogens more or less, as a singly charged ion.

    Parameters
    ----------
    mz
        float64, of shape (n_peaks,), Th.
    smiles
        The structure; of one of more than 256 heavy atoms nothing is explained.
    polarity
        Whether ions carry a proton more or less.
    ppm
        Half width of the window around a fragment's m/z.

    Raises
    ------
    StructureError
        The SMILES cannot be parsed.
    """
    mol = mol_from_smiles(smiles)
    if mol.GetNumHeavyAtoms() > _LARGEST_MOLECULE or not mz.size:
        return np.zeros(mz.shape, dtype=bool)
    shifts = np.array(HYDROGEN_SHIFTS) * MONOISOTOPIC_MASS["H"] + (
        PROTON_MASS if polarity == "positive" else -PROTON_MASS
    )
    ions = np.sort((fragment_masses(mol)[:, None] + shifts[None, :]).ravel())
    above = np.minimum(np.searchsorted(ions, mz), ions.size - 1)
    below = np.maximum(above - 1, 0)
    distance = np.minimum(np.abs(ions[above] - mz), np.abs(ions[below] - mz))
    return np.asarray(distance <= mz * ppm * 1e-6)
