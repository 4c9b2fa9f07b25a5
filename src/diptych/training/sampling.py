"""Which spectra, molecules and hard negatives make up each batch of an epoch; numpy alone, every draw from a seed."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from diptych.errors import TrainingError
from diptych.training.ragged import Ragged


@dataclass(frozen=True, kw_only=True, eq=False)
class BatchPlan:
    """The rows that one batch is made of.

    Attributes
    ----------
    molecules
        int64, of shape (n,): distinct molecules.
    spectra
        int64, of shape (n_spectra,): K spectra of each, one molecule after the other.
    molecule
        int64, of shape (n_spectra,), ascending: position in ``molecules`` of each spectrum's molecule.
    negatives
        int64, of shape (n_negatives,): rows of the structure table; none is a molecule of this batch.
    owner
        int64, of shape (n_negatives,): position in ``molecules`` for which each negative was drawn.
    seed
        Of whatever else is random about the batch.
    unlabelled
        int64, of shape (n_unlabelled,): rows of the pool of spectra without a structure.
    """

    molecules: NDArray[np.int64]
    spectra: NDArray[np.int64]
    molecule: NDArray[np.int64]
    negatives: NDArray[np.int64]
    owner: NDArray[np.int64]
    seed: tuple[int, ...]
    unlabelled: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))


@dataclass(frozen=True, kw_only=True)
class EpochSampler:
    """Draws epochs: one spectrum of every molecule, in batches of distinct molecules with fresh hard negatives.

    Attributes
    ----------
    spectra_of
        For each molecule its spectra. Molecules are rows 0 to n - 1 of the structure table.
    negatives_of
        For each molecule the rows of the structure table that may be its hard negatives.
    batch_size
        Most molecules in a batch; batches of one epoch differ by at most one molecule.
    n_negatives
        Hard negatives drawn for each molecule, fewer where it has fewer.
    seed
        An epoch is a function of this and its number.
    """

    spectra_of: Ragged
    negatives_of: Ragged
    batch_size: int
    n_negatives: int
    seed: int

    def __post_init__(self) -> None:
        if len(self.spectra_of) < 2:
            raise TrainingError(f"{len(self.spectra_of)} molecules to train on; expected at least 2 distinct ones")

    @property
    def n_batches(self) -> int:
        """Number of batches in an epoch."""
        n_molecules = len(self.spectra_of)
        return min(-(-n_molecules // self.batch_size), n_molecules // 2)

    def epoch(self, number: int) -> list[BatchPlan]:
        """Return the batches of one epoch."""
        rng = np.random.default_rng([self.seed, number])
        order = rng.permutation(len(self.spectra_of))
        chosen = self.spectra_of.offsets[:-1] + np.floor(rng.random(len(order)) * self.spectra_of.lengths).astype(
            np.int64
        )
        spectra = self.spectra_of.values[chosen]
        negatives = self.negatives_of.shuffled(rng)
        return [
            self._batch(molecules, spectra[molecules], negatives=negatives, seed=(self.seed, number, index))
            for index, molecules in enumerate(np.array_split(order, self.n_batches))
        ]

    def _batch(
        self,
        molecules: NDArray[np.int64],
        spectra: NDArray[np.int64],
        *,
        negatives: Ragged,
        seed: tuple[int, ...],
    ) -> BatchPlan:
        in_batch = np.zeros(self._n_structures, dtype=bool)
        in_batch[molecules] = True
        lists = [negatives[molecule] for molecule in molecules]
        drawn = Ragged.from_lists([rows[~in_batch[rows]][: self.n_negatives] for rows in lists])
        return BatchPlan(
            molecules=molecules,
            spectra=spectra,
            molecule=np.arange(len(molecules)),
            negatives=drawn.values,
            owner=np.repeat(np.arange(len(molecules)), drawn.lengths),
            seed=seed,
        )

    @cached_property
    def _n_structures(self) -> int:
        return max(len(self.spectra_of), int(self.negatives_of.values.max(initial=-1)) + 1)
