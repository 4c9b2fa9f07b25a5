"""Fragment masses of a molecule with the cost of the cuts that make them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diptych.molecules.cuts import WORDS, fragments
from diptych.molecules.fragmentation import molecular_graph

if TYPE_CHECKING:
    from diptych.molecules.structure import Structure

# kJ/mol of a typical cut of each kind, in the order of the kinds: carbon to heteroatom, carbon to carbon, multiple
# bond, two bonds of an aliphatic ring, two bonds of an aromatic ring.
BOND_ENERGIES = np.array([320.0, 350.0, 650.0, 690.0, 1040.0])
_MAX_ATOMS = 64 * WORDS
_DECIMALS = 6


@dataclass(frozen=True, kw_only=True, eq=False)
class FragmentCosts:
    """Distinct fragments of at most two cuts.

    Attributes
    ----------
    mass
        float64, of shape (n,), Da, neutral, ascending, with the hydrogens that the atoms carry in the molecule.
    energy
        float64, of shape (n,), kJ/mol: of the cheapest cuts that give this mass; 0 for the whole molecule.
    """

    mass: NDArray[np.float64]
    energy: NDArray[np.float64]


def fragment_costs(structure: Structure) -> FragmentCosts:
    """Return the fragment masses of a structure with the energies of their cuts.

    A molecule of more than 256 heavy atoms has no fragments but itself.

    Notes
    -----
    Bond dissociation energies at 298 K, rounded to 10 kJ/mol: C-N and C-O about 320 to 360, C-C about 350, C=C and C=N
    about 600 to 700 (Y.-R. Luo, Handbook of Bond Dissociation Energies in Organic Compounds, 2003, doi:
    10.1201/9781420039863); an aromatic bond 1.5 times a single one.
    """
    graph = molecular_graph(structure.mol())
    if graph.atom_mass.size > _MAX_ATOMS:
        return FragmentCosts(mass=graph.atom_mass.sum(keepdims=True), energy=np.zeros(1))
    mass, _, energy = fragments(*graph, BOND_ENERGIES)
    order = np.lexsort((energy, mass.round(_DECIMALS)))
    mass, energy = mass[order], energy[order]
    first = np.flatnonzero(np.diff(mass.round(_DECIMALS), prepend=-1.0) > 0)
    return FragmentCosts(mass=mass[first], energy=energy[first])
