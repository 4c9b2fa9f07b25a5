"""SMILES as tokens: one for every atom, bond, ring closure and bracket, out of a vocabulary that is fixed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

PAD, CLS, SEP, MASK, UNKNOWN = "[PAD]", "[CLS]", "[SEP]", "[MASK]", "[UNK]"
SPECIAL_TOKENS = (PAD, CLS, SEP, MASK, UNKNOWN)
"""Filling, start, end, withheld, and what no SMILES should hold; the first of the vocabulary, in this order."""

# Bracket atoms that are common among known molecules; the others are spelt out, so that nothing is unknown.
_BRACKET_ATOMS = (
    *(
        "[nH]",
        "[O-]",
        "[N+]",
        "[NH+]",
        "[n+]",
        "[NH2+]",
        "[NH3+]",
        "[nH+]",
        "[N-]",
        "[S+]",
        "[Si]",
        "[O]",
        "[C]",
        "[O+]",
    ),
    *("[PH]", "[CH2]", "[OH+]", "[P+]", "[C-]", "[c]", "[o+]", "[Se]", "[NH2]", "[H]", "[Sn]", "[S-]", "[NH]", "[OH]"),
    *("[se]", "[n-]", "[S]", "[As]", "[CH]", "[Hg]", "[c-]", "[s+]", "[SH+]", "[n]", "[B-]", "[CH3]", "[N]", "[CH-]"),
)
_ORGANIC_ATOMS = ("Br", "Cl", "B", "C", "N", "O", "P", "S", "F", "I", "b", "c", "n", "o", "p", "s")
_ELEMENTS = tuple(Chem.GetPeriodicTable().GetElementSymbol(number) for number in range(1, 119))
_AROMATIC_PAIRS = ("se", "as", "te", "si")
_MARKS = (*"[]()=#$:/\\.~*@+-%", *"0123456789")
_INSIDE_BRACKETS = r"(?=[^\[\]]*\])"

PATTERN = "|".join(
    [
        *map(re.escape, _BRACKET_ATOMS),
        f"(?:[A-Z][a-z]|{'|'.join(_AROMATIC_PAIRS)}){_INSIDE_BRACKETS}",
        "Br",
        "Cl",
        r"[\s\S]",
    ]
)
"""Regular expression that cuts a SMILES into tokens, for Python and for Oniguruma alike."""

TOKENS: tuple[str, ...] = tuple(
    dict.fromkeys([*SPECIAL_TOKENS, *_ORGANIC_ATOMS, *_MARKS, *_BRACKET_ATOMS, *_AROMATIC_PAIRS, *_ELEMENTS])
)
"""The vocabulary: the token of each id."""

VOCABULARY = MappingProxyType({token: number for number, token in enumerate(TOKENS)})
"""Token -> id."""

_CUT = re.compile(PATTERN)
_ATOM = re.compile(r"\[[^\[\]]+\]|[A-Z][a-z]?|[bcnopsat][a-z]?|\*")


def tokenised(smiles: str) -> list[str]:
    """Return the tokens of a SMILES; joined they are the SMILES again.

    Notes
    -----
    Atoms as tokens: Schwaller et al., doi:10.1021/acscentsci.9b00576. A bracket atom that is not in the vocabulary is
    cut into bracket, isotope, element, hydrogens and charge, so that every SMILES can be written.

    Examples
    --------
    >>> tokenised("Clc1c[nH]cc1")
    ['Cl', 'c', '1', 'c', '[nH]', 'c', 'c', '1']
    >>> tokenised("[13CH4]")
    ['[', '1', '3', 'C', 'H', '4', ']']
    """
    return _CUT.findall(smiles)


def token_ids(smiles: str) -> list[int]:
    """Return the ids of the tokens of a SMILES, between those of start and end."""
    unknown = VOCABULARY[UNKNOWN]
    return [VOCABULARY[CLS], *(VOCABULARY.get(token, unknown) for token in tokenised(smiles)), VOCABULARY[SEP]]


def atom_of_token(tokens: Sequence[str]) -> NDArray[np.int64]:
    """Return for each token the atom that it writes, counted in the order of the SMILES, or -1.

    Returns
    -------
    ndarray
        int64, of shape (n_tokens,). All pieces of a bracket atom write the same atom.

    Examples
    --------
    >>> atom_of_token(tokenised("C[13CH2]=O")).tolist()
    [0, 1, 1, 1, 1, 1, 1, 1, -1, 2]
    """
    atoms, atom, inside = np.full(len(tokens), -1, dtype=np.int64), -1, False
    for position, piece in enumerate(tokens):
        if piece == "[":
            atom, inside = atom + 1, True
        if inside:
            atoms[position] = atom
        elif _ATOM.fullmatch(piece):
            atom += 1
            atoms[position] = atom
        inside = inside and piece != "]"
    return atoms


def random_smiles(mol: Chem.Mol, *, n: int, seed: int) -> list[str]:
    """Return ``n`` SMILES of a molecule, each begun at another atom and walked another way; repeats may occur.

    Notes
    -----
    SMILES enumeration as augmentation: Bjerrum, doi:10.48550/arXiv.1703.07076.
    """
    return list(Chem.MolToRandomSmilesVect(mol, n, randomSeed=seed)) if n else []
