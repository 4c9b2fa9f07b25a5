"""Bemis-Murcko scaffolds, which group molecules that share their rings and linkers."""

from __future__ import annotations

from rdkit import Chem, rdBase
from rdkit.Chem.Scaffolds import MurckoScaffold

from diptych.molecules.structure import Structure


def murcko_scaffold(structure: Structure) -> str:
    """Return the canonical SMILES of the rings and the linkers between them; empty for a molecule without rings.

    Notes
    -----
    G. W. Bemis and M. A. Murcko, J. Med. Chem. 1996, 39, 2887, DOI 10.1021/jm9602928. Atoms bound by a double bond to a
    ring or linker are kept, as RDKit does.

    Examples
    --------
    >>> murcko_scaffold(Structure.from_smiles("CCc1ccc(CCN)cc1"))
    'c1ccccc1'
    >>> murcko_scaffold(Structure.from_smiles("CCO"))
    ''
    """
    return scaffold_smiles(structure.mol())


def scaffold_smiles(mol: Chem.Mol) -> str:
    """Return the same of an RDKit molecule, which is not changed."""
    with rdBase.BlockLogs():
        scaffold = MurckoScaffold.GetScaffoldForMol(mol)  # type: ignore[no-untyped-call]  # RDKit's Python
        return Chem.MolToSmiles(scaffold)
