"""One molecule as pretraining sees it: written at random, cut into tokens, and described."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem

from diptych.molecules.descriptors import DescriptorFeaturiser
from diptych.molecules.fingerprints import MorganFeaturiser
from diptych.molecules.smiles_tokens import random_smiles, token_ids
from diptych.molecules.structure import mol_from_smiles, standardise
from diptych.molecules.substructures import substructure_of_tokens

FINGERPRINT_WIDTH = 2048
DESCRIPTORS = (
    *("HeavyAtomCount", "NumHeteroatoms", "NumHDonors", "NumHAcceptors", "NumRotatableBonds", "RingCount"),
    *("NumAromaticRings", "FractionCSP3", "TPSA", "MolLogP", "MolMR", "ExactMolWt"),
)


class MoleculeView(NamedTuple):
    """A molecule, written one way.

    Attributes
    ----------
    ids
        int64, of shape (n_tokens,), with start and end.
    pieces
        int64, of shape (n_tokens - 2,): the piece of the molecule that each token between them writes; None where they
        are not wanted.
    fingerprint
        int32, of shape (n_bits,): the Morgan bits that are set, of `FINGERPRINT_WIDTH`.
    descriptors
        Float32, of shape (n_descriptors,), in the unit of each.
    """

    ids: NDArray[np.int64]
    pieces: NDArray[np.int64] | None
    fingerprint: NDArray[np.int32]
    descriptors: NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class ViewMaker:
    """Makes views of molecules.

    Attributes
    ----------
    describe
        Whether fingerprint and descriptors are wanted; they are empty otherwise.
    find_pieces
        Whether the pieces are wanted.
    """

    describe: bool
    find_pieces: bool

    def __call__(self, smiles: str, *, seed: int | None) -> MoleculeView:
        """Return the view of a molecule, written at random by the seed; canonically without one.

        Raises
        ------
        StructureError
            The SMILES cannot be parsed or standardised.
        """
        mol = standardise(mol_from_smiles(smiles))
        text = random_smiles(mol, n=1, seed=seed)[0] if seed is not None else str(Chem.MolToSmiles(mol))
        bits, values = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32)
        if self.describe:
            bits = MorganFeaturiser(radius=2, width=FINGERPRINT_WIDTH, use_counts=False)([mol]).indices
            values = DescriptorFeaturiser(names=DESCRIPTORS)([mol]).values[0]
        return MoleculeView(
            ids=np.array(token_ids(text), dtype=np.int64),
            pieces=substructure_of_tokens(text) if self.find_pieces else None,
            fingerprint=bits,
            descriptors=values,
        )
