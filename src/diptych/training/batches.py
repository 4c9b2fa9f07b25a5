"""Batches as the towers take them, and the loader that hands them to Lightning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import lightning
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from diptych.errors import TrainingError
from diptych.training.augmentation import Replicates, augmented
from diptych.training.structure_augmentation import StructureAugmentation, augmented_structures
from diptych.training.targets import BINNED_SPECTRUM, StructureTargets, binned_spectra

if TYPE_CHECKING:
    from diptych.encoders.pairs.fragment_matches import FragmentPairs
    from diptych.spectra.spectrum import Spectrum
    from diptych.training.data_config import AugmentationConfig
    from diptych.training.fragments import FragmentSource
    from diptych.training.sampling import BatchPlan, EpochSampler

# Structures are varied by a stream of their own, so that spectra are varied alike with any structure tower.
_STRUCTURES = 14
SECOND_VIEW, UNLABELLED, FRAGMENTS = "second_view", "unlabelled", "fragments"


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingBatch:
    """What one step learns from.

    Attributes
    ----------
    spectra
        Collated by the spectrum tower: spectra of n distinct molecules, grouped by molecule.
    molecule
        int64, of shape (n_spectra,): position of each spectrum's molecule.
    structures
        Collated by the structure tower: those n molecules, then the hard negatives.
    rows
        int64, of shape (n + n_negatives,): rows of the structure table, by which structures are told apart.
    owner
        int64, of shape (n_negatives,): the molecule for which each negative was drawn.
    n_molecules
        n.
    second_view
        The same spectra, augmented by another draw; None unless a loss asks for it.
    unlabelled
        Two augmented views of spectra whose molecules are unknown; None unless a loss asks for them.
    fragments
        Spectra paired with the fragments of their own molecules, then with those of their negatives; None unless a loss
        asks for them.
    targets
        Only what a loss asks for. Of the structures, rows as in ``structures``: ``fingerprint`` float32 (0 or 1) of
        shape (rows, 2048), ``exact_mass`` and ``descriptors`` float32, standardised. Of the spectra:
        ``binned_spectrum`` float32 of shape (n_spectra, 1000).
    """

    spectra: Any
    molecule: Tensor
    structures: Any
    rows: Tensor
    owner: Tensor
    n_molecules: int
    second_view: Any = None
    unlabelled: tuple[Any, Any] | None = None
    fragments: FragmentPairs | None = None
    targets: Mapping[str, Tensor] = field(default_factory=dict)

    def to(self, device: torch.device) -> TrainingBatch:
        """Return the batch on a device."""
        views = self.unlabelled
        return TrainingBatch(
            spectra=self.spectra.to(device),
            molecule=self.molecule.to(device),
            structures=self.structures.to(device),
            rows=self.rows.to(device),
            owner=self.owner.to(device),
            n_molecules=self.n_molecules,
            second_view=None if self.second_view is None else self.second_view.to(device),
            unlabelled=None if views is None else (views[0].to(device), views[1].to(device)),
            fragments=None if self.fragments is None else self.fragments.to(device),
            targets={name: target.to(device) for name, target in self.targets.items()},
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class BatchMaker:
    """Turns planned rows into collated batches.

    Attributes
    ----------
    spectra
        All training spectra.
    features
        Of all structures, as the structure tower's featuriser makes them.
    augmentation
        How each spectrum is varied.
    replicates
        Which spectra may be summed; None where none are.
    structure_augmentation
        How structures are varied; None where they are not.
    collate_spectra, collate_structures
        Of the two towers.
    needs
        What the losses ask for beside spectra and structures: names of `TrainingBatch`'s optional parts and targets.
    targets
        Of all structures; None where no loss asks for any.
    unlabelled
        Spectra whose molecules are unknown.
    fragments
        Makes the pairs that are scored by fragments; None where none are.
    """

    spectra: Sequence[Spectrum]
    features: Any
    augmentation: AugmentationConfig
    collate_spectra: Any
    collate_structures: Any
    needs: frozenset[str] = frozenset()
    targets: StructureTargets | None = None
    unlabelled: Sequence[Spectrum] = ()
    replicates: Replicates | None = None
    structure_augmentation: StructureAugmentation | None = None
    fragments: FragmentSource | None = None

    def __call__(self, plan: BatchPlan) -> TrainingBatch:
        """Return the batch that a plan describes."""
        rows = np.concatenate([plan.molecules, plan.negatives])
        rng = np.random.default_rng(plan.seed)
        spectra = [self.spectra[row] for row in plan.spectra]
        pool = [self.unlabelled[row] for row in plan.unlabelled] if UNLABELLED in self.needs else []
        view = self._augmented(self._drawn(plan.spectra, rng), rng)
        return TrainingBatch(
            spectra=self.collate_spectra(view),
            molecule=torch.from_numpy(plan.molecule),
            structures=self.collate_structures(self._structures(rows, seed=plan.seed)),
            rows=torch.from_numpy(rows),
            owner=torch.from_numpy(plan.owner),
            n_molecules=len(plan.molecules),
            second_view=self._view(self._drawn(plan.spectra, rng), rng) if SECOND_VIEW in self.needs else None,
            unlabelled=(self._view(pool, rng), self._view(pool, rng)) if pool else None,
            fragments=self.fragments.pairs(view, plan) if self.fragments and FRAGMENTS in self.needs else None,
            targets=self._targets(spectra, rows),
        )

    def _drawn(self, rows: NDArray[np.int64], rng: np.random.Generator) -> list[Spectrum]:
        """Return the spectra of some rows as measured, some of them summed with a replicate."""
        if self.replicates is None:
            return [self.spectra[row] for row in rows]
        probability = self.augmentation.replicate_merging_probability
        return [self.replicates.merged(self.spectra, int(row), probability=probability, rng=rng) for row in rows]

    def _structures(self, rows: NDArray[np.int64], *, seed: tuple[int, ...]) -> Any:  # noqa: ANN401 - the tower's own
        rng = np.random.default_rng([*seed, _STRUCTURES])
        return augmented_structures(self.features.take(rows), self.structure_augmentation, rng=rng)

    def _view(self, spectra: Sequence[Spectrum], rng: np.random.Generator) -> Any:  # noqa: ANN401 - the tower's own
        return self.collate_spectra(self._augmented(spectra, rng))

    def _augmented(self, spectra: Sequence[Spectrum], rng: np.random.Generator) -> list[Spectrum]:
        return [augmented(spectrum, self.augmentation, rng=rng) for spectrum in spectra]

    def _targets(self, spectra: Sequence[Spectrum], rows: np.ndarray[Any, Any]) -> dict[str, Tensor]:
        targets = {} if self.targets is None else self.targets.take(rows)
        if BINNED_SPECTRUM in self.needs:
            targets[BINNED_SPECTRUM] = torch.from_numpy(binned_spectra(spectra))
        return targets


def part_of(plan: BatchPlan, *, index: int, n_parts: int) -> BatchPlan:
    """Return the share of a batch that one of several processes works on: neighbouring molecules with all they own.

    The shares of one batch put together are the batch, so that several processes that gather their vectors see the
    same loss as one process that works on the whole.
    """
    if n_parts == 1:
        return plan
    bounds = np.linspace(0, len(plan.molecules), n_parts + 1).astype(np.int64)
    start, stop = int(bounds[index]), int(bounds[index + 1])
    spectra = (plan.molecule >= start) & (plan.molecule < stop)
    negatives = (plan.owner >= start) & (plan.owner < stop)
    return replace(
        plan,
        molecules=plan.molecules[start:stop],
        spectra=plan.spectra[spectra],
        molecule=plan.molecule[spectra] - start,
        negatives=plan.negatives[negatives],
        owner=plan.owner[negatives] - start,
        unlabelled=np.array_split(plan.unlabelled, n_parts)[index],
        seed=(*plan.seed, index),
    )


class _MadeBatches(Dataset[TrainingBatch]):
    """Makes a batch of each plan that it is indexed by, so that worker processes need no plans of their own."""

    def __init__(self, make: BatchMaker) -> None:
        self.make = make

    def __getitem__(self, plan: BatchPlan) -> TrainingBatch:
        return self.make(plan)


class _CurrentPlans(Sampler[Any]):
    """The plans of the trainer's epoch, drawn whenever an epoch starts."""

    def __init__(self, data: TrainingData, trainer: lightning.Trainer) -> None:
        self.data, self.trainer = data, trainer

    def __len__(self) -> int:
        return self.data.sampler.n_batches

    def __iter__(self) -> Iterator[BatchPlan]:
        for plan in self.data.sampler.epoch(self.trainer.current_epoch):
            yield part_of(plan, index=self.trainer.global_rank, n_parts=self.trainer.world_size)


class TrainingData(lightning.LightningDataModule):
    """Lightning's view of the data: one loader for all epochs, each process its share of every batch.

    Parameters
    ----------
    sampler
        Plans the epochs, in batches of all processes together; another may take its place between epochs.
    make
        Makes batches of plans.
    workers
        Processes that prepare batches ahead, and live as long as the training; 0 prepares them in its own process.
    """

    def __init__(self, sampler: EpochSampler, make: BatchMaker, *, workers: int) -> None:
        super().__init__()
        self.sampler, self.make, self.workers = sampler, make, workers

    def steps_per_epoch(self, *, world_size: int) -> int:
        """Return how many steps each process makes in an epoch.

        Raises
        ------
        TrainingError
            There are too few molecules for every process to have one in every batch.
        """
        smallest = len(self.sampler.spectra_of) // self.sampler.n_batches
        if smallest < world_size:
            raise TrainingError(
                f"batches of {smallest} molecules cannot be shared by {world_size} devices; lower training.devices"
            )
        return self.sampler.n_batches

    def train_dataloader(self) -> DataLoader[TrainingBatch]:
        """Return the loader, which follows the trainer's epoch."""
        trainer = self.trainer
        if trainer is None:
            raise TrainingError("the training data has no trainer; expected to be handed to one")
        return DataLoader(
            _MadeBatches(self.make),
            sampler=_CurrentPlans(self, trainer),
            batch_size=None,
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            worker_init_fn=_one_thread,
        )


def _one_thread(worker: int) -> None:
    """Keep a worker from taking processors away from the training."""
    del worker
    torch.set_num_threads(1)
