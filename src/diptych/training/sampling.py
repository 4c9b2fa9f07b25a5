"""Which spectra, molecules and hard negatives make up each batch of an epoch; numpy alone, every draw from a seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from diptych.errors import TrainingError


@dataclass(frozen=True, kw_only=True, eq=False)
class Ragged:
    """Lists of whole numbers, one per owner, laid end to end.

    Attributes
    ----------
    values
        int64, of shape (n_values,).
    offsets
        int64, of shape (n_owners + 1,), ascending from 0: list i is ``values[offsets[i]:offsets[i + 1]]``.
    """

    values: NDArray[np.int64]
    offsets: NDArray[np.int64]

    @classmethod
    def from_lists(cls, lists: Sequence[Sequence[int] | NDArray[np.int64]]) -> Ragged:
        """Return the lists laid end to end."""
        lengths = [len(items) for items in lists]
        values = (
            np.concatenate([np.asarray(items, dtype=np.int64) for items in lists]) if lists else np.empty(0, np.int64)
        )
        return cls(values=values, offsets=np.cumsum([0, *lengths], dtype=np.int64))

    @classmethod
    def from_owners(cls, owners: NDArray[np.int64], *, n_owners: int) -> Ragged:
        """Return, for each owner, the ascending positions at which it stands in ``owners``."""
        counts = np.bincount(owners, minlength=n_owners)
        return cls(values=np.argsort(owners, kind="stable"), offsets=np.concatenate([[0], np.cumsum(counts)]))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, owner: int) -> NDArray[np.int64]:
        return self.values[self.offsets[owner] : self.offsets[owner + 1]]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """int64, of shape (n_owners,)."""
        return np.diff(self.offsets)

    def shuffled(self, rng: np.random.Generator) -> Ragged:
        """Return the same lists, each in a random order."""
        owners = np.repeat(np.arange(len(self)), self.lengths)
        return Ragged(values=self.values[np.lexsort((rng.random(len(owners)), owners))], offsets=self.offsets)


@dataclass(frozen=True, kw_only=True, eq=False)
class BatchPlan:
    """The rows that one batch is made of.

    Attributes
    ----------
    molecules
        int64, of shape (n,): distinct molecules.
    spectra
        int64, of shape (n,): one spectrum of each.
    negatives
        int64, of shape (n_negatives,): rows of the structure table; none is a molecule of this batch.
    owner
        int64, of shape (n_negatives,): position in ``molecules`` for which each negative was drawn.
    seed
        Of whatever else is random about the batch.
    """

    molecules: NDArray[np.int64]
    spectra: NDArray[np.int64]
    negatives: NDArray[np.int64]
    owner: NDArray[np.int64]
    seed: tuple[int, ...]


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
            negatives=drawn.values,
            owner=np.repeat(np.arange(len(molecules)), drawn.lengths),
            seed=seed,
        )

    @cached_property
    def _n_structures(self) -> int:
        return max(len(self.spectra_of), int(self.negatives_of.values.max(initial=-1)) + 1)


def negatives_by_formula(
    formulas: Sequence[str],
    exact_masses: NDArray[np.float64],
    *,
    n_molecules: int,
    wanted: int,
    fill: Literal["mass", "none"],
) -> Ragged:
    """Return for each molecule the other structures of its formula, topped up by mass where there are too few.

    Parameters
    ----------
    formulas, exact_masses
        Of all structures (Da), distinct by first block; the first ``n_molecules`` are the training molecules.
    n_molecules
        Number of training molecules.
    wanted
        Fewer than this many are topped up to it.
    fill
        ``"mass"`` tops up with the structures nearest in exact mass, ``"none"`` does not.
    """
    by_formula: dict[str, list[int]] = {}
    for row, formula in enumerate(formulas):
        by_formula.setdefault(formula, []).append(row)
    by_mass = np.argsort(exact_masses, kind="stable")
    masses = exact_masses[by_mass]
    lists = []
    for molecule in range(n_molecules):
        same = [row for row in by_formula[formulas[molecule]] if row != molecule]
        if fill == "mass" and len(same) < wanted:
            near = by_mass[_nearest(masses, mass=exact_masses[molecule], n=wanted + len(same) + 1)]
            taken = {molecule, *same}
            same += [int(row) for row in near if int(row) not in taken][: wanted - len(same)]
        lists.append(same)
    return Ragged.from_lists(lists)


def _nearest(ascending: NDArray[np.float64], *, mass: float, n: int) -> NDArray[np.int64]:
    """Return the positions of the n masses nearest to one, nearest first."""
    middle = int(np.searchsorted(ascending, mass))
    start = max(middle - n, 0)
    distances = np.abs(ascending[start : middle + n] - mass)
    return start + np.argsort(distances, kind="stable")[:n]
