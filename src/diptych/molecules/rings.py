"""Ring systems of a molecule."""

from __future__ import annotations

from rdkit import Chem


def n_ring_systems(mol: Chem.Mol) -> int:
    """Return the number of ring systems: rings that share an atom are one.

    Examples
    --------
    >>> n_ring_systems(Chem.MolFromSmiles("c1ccc2ccccc2c1CC1CC1"))
    2
    """
    systems: list[set[int]] = []
    for ring in mol.GetRingInfo().AtomRings():
        joined = set(ring)
        apart = []
        for system in systems:
            if system & joined:
                joined |= system
            else:
                apart.append(system)
        systems = [*apart, joined]
    return len(systems)
