"""A coarse class of a structure, for colours and tables: by skeleton and group, in a fixed order."""

from __future__ import annotations

from functools import cache, lru_cache

from rdkit import Chem

from diptych.errors import StructureError

# The first that is found decides. Any bond and ring size where "~" stands, so that steroids may be aromatic.
_PATTERNS = (
    ("peptide", ("[NX3][CX4][CX3](=O)[NX3][CX4][CX3](=O)",)),
    (
        "steroid",
        ("[#6]1~[#6]~[#6]~[#6]2~[#6](~[#6]~1)~[#6]~[#6]~[#6]1~[#6]~2~[#6]~[#6]~[#6]2~[#6]~1~[#6]~[#6]~[#6]~2",),
    ),
    (
        "flavonoid",
        ("c1ccccc1-[#6]1~[#6]~[#6]~c2ccccc2~[#8]~1", "c1ccccc1-[#6]1~[#6]~[#8]~c2ccccc2~[#6]~1"),
    ),
    (
        "sugar or glycoside",
        (
            "[OX2][CX4;R]1[OX2;R][CX4;R][CX4;R]([OX2])[CX4;R]([OX2])[CX4;R]1",
            "[OX2;R]1[CX4;R][CX4;R]([OX2])[CX4;R]([OX2])[CX4;R]1",
        ),
    ),
    ("fatty chain", ("[CX4;!R;H2]" + "~[CX4,CX3;!R;H1,H2]" * 6 + "~[CX4,CX3;!R;H1,H2,H3]",)),
    ("organophosphorus", ("[#15]",)),
    ("sulfonyl", ("[#6,#7,#8][SX4](=O)(=O)[#6,#7,#8]",)),
    ("N-heteroaromatic", ("[n]",)),
    ("benzenoid", ("c1ccccc1",)),
    ("aliphatic", ("[#6]",)),
)
STRUCTURAL_CLASSES = (*(name for name, _ in _PATTERNS), "other")
"""All classes, in the order in which they are tried."""


@lru_cache(maxsize=100_000)
def structural_class(smiles: str) -> str:
    """Return the class of a structure: the first of `STRUCTURAL_CLASSES` whose pattern it holds.

    The classes are drawn for a legend, not for chemotaxonomy: each is one or two SMARTS patterns of this package.

    Raises
    ------
    StructureError
        RDKit cannot read the SMILES.

    Examples
    --------
    >>> structural_class("CC(=O)Oc1ccccc1C(=O)O")
    'benzenoid'
    >>> structural_class("Cn1c(=O)c2c(ncn2C)n(C)c1=O")
    'N-heteroaromatic'
    """
    molecule = Chem.MolFromSmiles(smiles)
    if molecule is None:
        raise StructureError(f"{smiles!r}: RDKit cannot read it; expected SMILES")
    found = (name for name, patterns in _queries() if any(map(molecule.HasSubstructMatch, patterns)))
    return next(found, STRUCTURAL_CLASSES[-1])


@cache
def _queries() -> list[tuple[str, list[Chem.Mol]]]:
    return [(name, [Chem.MolFromSmarts(pattern) for pattern in patterns]) for name, patterns in _PATTERNS]
