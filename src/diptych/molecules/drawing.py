"""Structures as pictures."""

from __future__ import annotations

from typing import Any

from rdkit import Chem
from rdkit.Chem import rdDepictor
from rdkit.Chem.Draw import rdMolDraw2D

from diptych.molecules.structure import mol_from_smiles


def drawn(smiles: str, *, width: int = 260, height: int = 190) -> str:
    """Return a structure as an SVG element (no XML declaration), black on nothing, to stand inside a page.

    Parameters
    ----------
    smiles
        Of the molecule.
    width, height
        Of the picture, px.

    Raises
    ------
    StructureError
        The SMILES cannot be parsed.
    """
    mol = mol_from_smiles(smiles)
    rdDepictor.SetPreferCoordGen(True)
    rdDepictor.Compute2DCoords(mol)
    drawing = rdMolDraw2D.MolDraw2DSVG(width, height)
    options: Any = drawing.drawOptions()
    options.useBWAtomPalette()
    options.clearBackground = False
    options.bondLineWidth = 1.2
    options.fixedBondLength = 24
    options.padding = 0.06
    rdMolDraw2D.PrepareAndDrawMolecule(drawing, Chem.Mol(mol))
    drawing.FinishDrawing()
    text: str = drawing.GetDrawingText()
    return text[text.index("<svg") :].strip()
