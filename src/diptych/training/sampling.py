"""Which spectra, molecules and hard negatives make up each batch of an epoch; numpy alone, every draw from a seed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from diptych.errors import TrainingError
from diptych.training.drawing import draw_spectra, molecule_order
from diptych.training.ragged import Ragged

# Draws that came after the first release have streams of their own, so that its plans stay what they were.
_UNLABELLED, _EASY = 11, 12


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


class NegativeLists(Protocol):
    """Rows of the structure table that may be the hard negatives of each molecule."""

    def shuffled(self, rng: np.random.Generator) -> Ragged:
        """Return for each molecule its list in the order in which negatives are taken from it."""
        ...


@dataclass(frozen=True, kw_only=True)
class HardShare:
    """How many of the wanted negatives are hard ones, epoch by epoch.

    Attributes
    ----------
    start, end
        Share in the first epoch and in the last, in [0, 1]; it changes linearly in between.
    n_epochs
        Of the run.
    from_share
        Share of the epochs, in [0, 1), that pass before any hard negative is drawn.

    Examples
    --------
    >>> share = HardShare(start=0.2, end=1.0, n_epochs=5)
    >>> [round(share.at(epoch), 2) for epoch in range(6)]
    [0.2, 0.4, 0.6, 0.8, 1.0, 1.0]
    """

    start: float = 1.0
    end: float = 1.0
    n_epochs: int = 1
    from_share: float = 0.0

    def at(self, epoch: int) -> float:
        """Return the share of an epoch; epochs count from 0."""
        if epoch < int(self.from_share * self.n_epochs):
            return 0.0
        if self.n_epochs < 2:
            return self.end
        done = min(1.0, epoch / (self.n_epochs - 1))
        return self.start + (self.end - self.start) * done


@dataclass(frozen=True, kw_only=True)
class EpochSampler:
    """Draws epochs: every molecule once, with K of its spectra, in batches of distinct molecules with hard negatives.

    Attributes
    ----------
    spectra_of
        For each molecule its spectra. Molecules are rows 0 to n - 1 of the structure table.
    negatives_of
        For each molecule the rows of the structure table that may be its hard negatives.
    batch_size
        Most molecules in a batch; batches of one epoch differ by at most one molecule.
    n_negatives
        Negatives drawn for each molecule, fewer where it has fewer.
    seed
        An epoch is a function of this and its number.
    spectra_per_molecule
        K.
    weights
        float64, aligned with ``spectra_of.values``: how readily each spectrum is drawn; None for all alike.
    batches, keys
        Which molecules stand together (`diptych.training.drawing.molecule_order`).
    hard_share
        How many of the negatives are hard.
    n_easy
        The negatives that are not hard are drawn from the first so many rows of the structure table; 0 leaves them out.
    n_pool, n_unlabelled
        Size of the pool of unlabelled spectra, and how many of them are in each batch.
    """

    spectra_of: Ragged
    negatives_of: NegativeLists
    batch_size: int
    n_negatives: int
    seed: int
    spectra_per_molecule: int = 1
    weights: NDArray[np.float64] | None = None
    batches: Literal["random", "formula", "mass"] = "random"
    keys: NDArray[np.float64] | None = None
    hard_share: HardShare = HardShare()
    n_easy: int = 0
    n_pool: int = 0
    n_unlabelled: int = 0

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
        order = molecule_order(
            len(self.spectra_of), batches=self.batches, keys=self.keys, n_batches=self.n_batches, rng=rng
        )
        spectra = draw_spectra(self.spectra_of, n=self.spectra_per_molecule, weights=self.weights, rng=rng)
        negatives = self._negatives(number, rng)
        return [
            self._batch(molecules, spectra[molecules], negatives=negatives, seed=(self.seed, number, index))
            for index, molecules in enumerate(order)
        ]

    def _negatives(self, number: int, rng: np.random.Generator) -> _Negatives:
        hard = self.negatives_of.shuffled(rng)
        wanted = np.full(len(self.spectra_of), float(self.n_negatives))
        share = self.hard_share.at(number)
        if share < 1:
            # Rounded at random, so that the mean over the molecules is the share itself.
            wanted = np.floor(share * wanted + rng.random(len(wanted)))
        easy_rng = np.random.default_rng([self.seed, number, _EASY])
        easy = easy_rng.integers(0, max(self.n_easy, 1), (len(wanted), self.n_negatives if self.n_easy else 0))
        n_structures = max(len(self.spectra_of), self.n_easy, int(hard.values.max(initial=-1)) + 1)
        return _Negatives(hard=hard, n_hard=wanted.astype(np.int64), easy=easy, n_structures=n_structures)

    def _batch(
        self,
        molecules: NDArray[np.int64],
        spectra: NDArray[np.int64],
        *,
        negatives: _Negatives,
        seed: tuple[int, ...],
    ) -> BatchPlan:
        drawn = negatives.drawn(molecules, at_most=self.n_negatives)
        return BatchPlan(
            molecules=molecules,
            spectra=spectra.ravel(),
            molecule=np.repeat(np.arange(len(molecules)), spectra.shape[1]),
            negatives=drawn.values,
            owner=np.repeat(np.arange(len(molecules)), drawn.lengths),
            seed=seed,
            unlabelled=self._unlabelled(seed),
        )

    def _unlabelled(self, seed: tuple[int, ...]) -> NDArray[np.int64]:
        rng = np.random.default_rng([*seed, _UNLABELLED])
        rows: NDArray[np.int64] = rng.choice(self.n_pool, min(self.n_unlabelled, self.n_pool), replace=False)
        return rows


@dataclass(frozen=True, kw_only=True, eq=False)
class _Negatives:
    """What the negatives of one epoch are taken from."""

    hard: Ragged
    n_hard: NDArray[np.int64]
    easy: NDArray[np.int64]
    n_structures: int

    def drawn(self, molecules: NDArray[np.int64], *, at_most: int) -> Ragged:
        in_batch = np.zeros(self.n_structures, dtype=bool)
        in_batch[molecules] = True
        lists = []
        for molecule in molecules:
            rows = self.hard[molecule]
            rows = rows[~in_batch[rows]][: self.n_hard[molecule]]
            easy = self.easy[molecule]
            if easy.size and len(rows) < at_most:
                further = easy[~in_batch[easy] & ~np.isin(easy, rows)]
                rows = np.concatenate([rows, np.unique(further[: at_most - len(rows)])])
            lists.append(rows)
        return Ragged.from_lists(lists)
