"""Molecules as token ids: written as SMILES, canonical first and then at random, and cut into tokens."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from rdkit import Chem

from diptych.molecules.smiles_tokens import SEP, VOCABULARY, random_smiles, token_ids
from diptych.molecules.token_sequences import TokenSequences

if TYPE_CHECKING:
    from tokenizers import Tokenizer


@dataclass(frozen=True, kw_only=True)
class SmilesFeaturiser:
    """Token ids of `diptych.molecules.smiles_tokens`.

    Attributes
    ----------
    max_tokens
        Longer sequences are cut, those of start and end included.
    n_random_smiles
        Random SMILES of each molecule beside the canonical one; they follow from the molecule alone.
    """

    max_tokens: int = 256
    n_random_smiles: int = 0

    def __call__(self, mols: Sequence[Chem.Mol]) -> TokenSequences:
        """Return the sequences of each molecule, the canonical one first."""
        texts = _spellings(mols, n_random=self.n_random_smiles)
        sequences = [_cut(token_ids(text), self.max_tokens) for text in texts]
        return TokenSequences.from_lists(sequences, n_variants=1 + self.n_random_smiles)


@dataclass(frozen=True, kw_only=True)
class TokenizerFeaturiser:
    """Token ids of a tokenizer of the ``tokenizers`` library.

    Attributes
    ----------
    tokenizer
        The tokenizer as JSON; it adds start and end itself.
    max_tokens, n_random_smiles
        As in `SmilesFeaturiser`.
    """

    tokenizer: str
    max_tokens: int = 256
    n_random_smiles: int = 0

    def __call__(self, mols: Sequence[Chem.Mol]) -> TokenSequences:
        """Return the sequences of each molecule, the canonical one first."""
        texts = _spellings(mols, n_random=self.n_random_smiles)
        encodings = _tokenizer(self.tokenizer, self.max_tokens).encode_batch(texts)
        return TokenSequences.from_lists([encoding.ids for encoding in encodings], n_variants=1 + self.n_random_smiles)


@lru_cache(maxsize=4)
def _tokenizer(text: str, max_tokens: int) -> Tokenizer:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(text)
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def _spellings(mols: Sequence[Chem.Mol], *, n_random: int) -> list[str]:
    """Return for each molecule its canonical SMILES and then random ones, one after the other."""
    texts = []
    for mol in mols:
        canonical = Chem.MolToSmiles(mol)
        # The seed is the molecule's own, so that no row depends on its neighbours.
        texts += [canonical, *random_smiles(mol, n=n_random, seed=zlib.crc32(canonical.encode()) >> 1)]
    return texts


def _cut(ids: list[int], max_tokens: int) -> list[int]:
    return ids if len(ids) <= max_tokens else [*ids[: max_tokens - 1], VOCABULARY[SEP]]
