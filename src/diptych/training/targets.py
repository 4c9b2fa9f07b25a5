"""What auxiliary losses predict: fingerprints, masses and descriptors of structures, bins of spectra."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from diptych.molecules.descriptors import DescriptorFeaturiser
from diptych.molecules.similarity import packed_fingerprints
from diptych.training.feature_cache import Described, FeatureCache

if TYPE_CHECKING:
    from diptych.molecules.structure import Structure
    from diptych.spectra.spectrum import Spectrum

FINGERPRINT, EXACT_MASS, DESCRIPTORS, BINNED_SPECTRUM = "fingerprint", "exact_mass", "descriptors", "binned_spectrum"
FINGERPRINT_WIDTH = 2048
N_BINS = 1000


@dataclass(frozen=True, kw_only=True, eq=False)
class StructureTargets:
    """Targets of all structures of a run, only those that a loss asks for.

    Attributes
    ----------
    fingerprint
        uint64, of shape (n, 32): 2048 Morgan bits of radius 2, packed; None where not asked for.
    exact_mass
        Float32, of shape (n,), standardised; None where not asked for.
    descriptors
        Float32, of shape (n, n_descriptors), standardised; None where not asked for.
    """

    fingerprint: NDArray[np.uint64] | None = None
    exact_mass: NDArray[np.float32] | None = None
    descriptors: NDArray[np.float32] | None = None

    @classmethod
    def of(
        cls, structures: Sequence[Structure], needs: frozenset[str], *, n_molecules: int, cache: Path | None = None
    ) -> StructureTargets:
        """Return the targets of structures.

        Parameters
        ----------
        structures
            Training molecules first.
        needs
            Names of the targets wanted; other names are passed over.
        n_molecules
            Number of training molecules: over these, targets get mean 0 and standard deviation 1.
        cache
            Folder in which descriptors are kept for the next run; None for none.
        """
        masses = np.array([structure.exact_mass for structure in structures])
        smiles = [structure.smiles for structure in structures]
        return cls(
            fingerprint=packed_fingerprints(smiles, width=FINGERPRINT_WIDTH) if FINGERPRINT in needs else None,
            exact_mass=standardised(masses, n_reference=n_molecules) if EXACT_MASS in needs else None,
            descriptors=standardised(_descriptors(structures, cache), n_reference=n_molecules)
            if DESCRIPTORS in needs
            else None,
        )

    def take(self, rows: NDArray[np.int64]) -> dict[str, Tensor]:
        """Return name -> float32 tensor of the given structures."""
        targets = {}
        if self.fingerprint is not None:
            bits = np.unpackbits(self.fingerprint[rows].view(np.uint8), axis=1, bitorder="little")
            targets[FINGERPRINT] = torch.from_numpy(bits.astype(np.float32))
        for name, values in ((EXACT_MASS, self.exact_mass), (DESCRIPTORS, self.descriptors)):
            if values is not None:
                targets[name] = torch.from_numpy(values[rows])
        return targets


def standardised(values: NDArray[np.floating], *, n_reference: int) -> NDArray[np.float32]:
    """Return values less the mean, divided by the standard deviation, both of the first ``n_reference`` rows.

    A column that does not vary there is only centred.

    >>> standardised(np.array([1.0, 3.0, 7.0]), n_reference=2)
    array([-1.,  1.,  5.], dtype=float32)
    """
    reference = values[:n_reference]
    deviation = reference.std(axis=0)
    scaled = (values - reference.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
    result: NDArray[np.float32] = scaled.astype(np.float32)
    return result


def _descriptors(structures: Sequence[Structure], cache: Path | None) -> NDArray[np.float32]:
    featuriser, texts = DescriptorFeaturiser(), [structure.smiles for structure in structures]
    store = FeatureCache(cache) if cache else None
    described = store.get(texts, featuriser) if store else None
    if described is None:
        features = featuriser([structure.mol() for structure in structures])
        described = Described(texts=texts, structures=structures, features=features)
        if store:
            store.put(texts, featuriser, described)
    values: NDArray[np.float32] = described.features.values
    return values


def binned_spectra(spectra: Sequence[Spectrum], *, n_bins: int = N_BINS) -> NDArray[np.float32]:
    """Return spectra in bins of 1 Th, float32 of shape (n, n_bins), in [0, 1], 1 in the fullest bin.

    Bin b holds the square root of the summed intensity of the peaks with b <= m/z < b + 1; peaks beyond are left out.
    """
    binned = np.zeros((len(spectra), n_bins))
    for row, spectrum in enumerate(spectra):
        bins = spectrum.mz.astype(np.int64)
        inside = (bins >= 0) & (bins < n_bins)
        binned[row] = np.bincount(bins[inside], weights=spectrum.intensity[inside], minlength=n_bins)
    fullest = np.maximum(binned.max(axis=1, keepdims=True, initial=0.0), np.finfo(np.float32).tiny)
    roots: NDArray[np.float32] = np.sqrt(binned / fullest).astype(np.float32)
    return roots
