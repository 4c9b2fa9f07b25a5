"""Ring systems and what hangs on them: which tokens of a SMILES write the same piece of a molecule."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase

from diptych.molecules.smiles_tokens import atom_of_token, tokenised


def substructure_of_atoms(mol: Chem.Mol) -> NDArray[np.int64]:
    """Return for each atom the number of its piece: a ring system, or a connected group of atoms outside of rings.

    Examples
    --------
    >>> substructure_of_atoms(Chem.MolFromSmiles("CC(=O)Nc1ccccc1O")).tolist()
    [0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2]
    """
    rings = mol.GetRingInfo()
    in_ring = [rings.NumAtomRings(atom) > 0 for atom in range(mol.GetNumAtoms())]
    groups = [set(ring) for ring in rings.AtomRings()]
    ends = ((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in mol.GetBonds())
    groups += [{first, second} for first, second in ends if not (in_ring[first] or in_ring[second])]
    pieces: list[set[int]] = []
    for group in [*groups, *({atom} for atom in range(len(in_ring)))]:
        touching = [piece for piece in pieces if piece & group]
        pieces = [piece for piece in pieces if not piece & group]
        pieces.append(group.union(*touching))
    numbers = np.empty(len(in_ring), dtype=np.int64)
    for number, piece in enumerate(sorted(pieces, key=min)):
        numbers[list(piece)] = number
    return numbers


def substructure_of_tokens(smiles: str) -> NDArray[np.int64]:
    """Return for each token of a SMILES the number of the piece that it writes, int64 of shape (n_tokens,).

    Bonds, brackets and ring closures belong to the atom before them. Where the SMILES cannot be parsed, all tokens are
    one piece.

    Examples
    --------
    >>> substructure_of_tokens("C(Cl)C1CC1").tolist()
    [0, 0, 0, 0, 1, 1, 1, 1, 1]
    """
    tokens = tokenised(smiles)
    atoms = np.maximum.accumulate(np.maximum(atom_of_token(tokens), 0))
    with rdBase.BlockLogs():
        mol = Chem.MolFromSmiles(smiles, _parameters())
    if mol is None or mol.GetNumAtoms() <= atoms.max(initial=0):
        return np.zeros(len(tokens), dtype=np.int64)
    return substructure_of_atoms(mol)[atoms]


def _parameters() -> Chem.SmilesParserParams:
    parameters = Chem.SmilesParserParams()
    parameters.removeHs = False  # type: ignore[assignment]  # RDKit's stubs
    return parameters
