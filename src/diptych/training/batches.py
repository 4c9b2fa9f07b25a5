"""Batches as the towers take them, and the loader that hands them to Lightning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import lightning
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from diptych.errors import TrainingError
from diptych.training.augmentation import augmented

if TYPE_CHECKING:
    from diptych.spectra.spectrum import Spectrum
    from diptych.training.config import AugmentationConfig
    from diptych.training.sampling import BatchPlan, EpochSampler


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingBatch:
    """What one step learns from.

    Attributes
    ----------
    spectra
        Collated by the spectrum tower: n spectra of n distinct molecules.
    structures
        Collated by the structure tower: those n molecules, then the hard negatives.
    owner
        int64, of shape (n_negatives,): the molecule for which each negative was drawn.
    n_molecules
        n.
    """

    spectra: Any
    structures: Any
    owner: Tensor
    n_molecules: int

    def to(self, device: torch.device) -> TrainingBatch:
        """Return the batch on a device."""
        return TrainingBatch(
            spectra=self.spectra.to(device),
            structures=self.structures.to(device),
            owner=self.owner.to(device),
            n_molecules=self.n_molecules,
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
    collate_spectra, collate_structures
        Of the two towers.
    """

    spectra: Sequence[Spectrum]
    features: Any
    augmentation: AugmentationConfig
    collate_spectra: Any
    collate_structures: Any

    def __call__(self, plan: BatchPlan) -> TrainingBatch:
        """Return the batch that a plan describes."""
        rows = np.concatenate([plan.molecules, plan.negatives])
        rng = np.random.default_rng(plan.seed)
        spectra = [augmented(self.spectra[row], self.augmentation, rng=rng) for row in plan.spectra]
        return TrainingBatch(
            spectra=self.collate_spectra(spectra),
            structures=self.collate_structures(self.features.take(rows)),
            owner=torch.from_numpy(plan.owner),
            n_molecules=len(plan.molecules),
        )


class _EpochBatches(Dataset[TrainingBatch]):
    def __init__(self, plans: Sequence[BatchPlan], make: BatchMaker) -> None:
        self.plans, self.make = plans, make

    def __len__(self) -> int:
        return len(self.plans)

    def __getitem__(self, index: int) -> TrainingBatch:
        return self.make(self.plans[index])


class TrainingData(lightning.LightningDataModule):
    """Lightning's view of the data: a new loader for every epoch, each process its share of the batches.

    Parameters
    ----------
    sampler
        Plans the epochs.
    make
        Makes batches of plans.
    workers
        Processes that prepare batches ahead; 0 prepares them in the training process.
    """

    def __init__(self, sampler: EpochSampler, make: BatchMaker, *, workers: int) -> None:
        super().__init__()
        self.sampler, self.make, self.workers = sampler, make, workers

    def steps_per_epoch(self, *, world_size: int) -> int:
        """Return how many steps each process makes in an epoch.

        Raises
        ------
        TrainingError
            There are more processes than batches.
        """
        steps = self.sampler.n_batches // world_size
        if not steps:
            raise TrainingError(
                f"{self.sampler.n_batches} batches an epoch cannot be shared by {world_size} devices; "
                "lower training.batch_size or training.devices"
            )
        return steps

    def train_dataloader(self) -> DataLoader[TrainingBatch]:
        """Return the loader of the current epoch."""
        trainer = self.trainer
        if trainer is None:
            raise TrainingError("the training data has no trainer; expected to be handed to one")
        steps = self.steps_per_epoch(world_size=trainer.world_size)
        plans = self.sampler.epoch(trainer.current_epoch)[trainer.global_rank :: trainer.world_size][:steps]
        return DataLoader(_EpochBatches(plans, self.make), batch_size=None, shuffle=False, num_workers=self.workers)
