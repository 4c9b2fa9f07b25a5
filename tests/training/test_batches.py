from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from diptych.errors import TrainingError
from diptych.spectra.spectrum import Spectrum
from diptych.training.batches import BatchMaker, TrainingData, part_of
from diptych.training.config import AugmentationConfig
from diptych.training.sampling import BatchPlan
from diptych.training.targets import StructureTargets

PLAN = BatchPlan(
    molecules=np.array([4, 7, 2]),
    spectra=np.array([40, 41, 70, 71, 20, 21]),
    molecule=np.array([0, 0, 1, 1, 2, 2]),
    negatives=np.array([9, 8, 6]),
    owner=np.array([0, 1, 2]),
    seed=(1, 0, 0),
    unlabelled=np.array([5, 3]),
)


class Rows:
    def take(self, rows: np.ndarray) -> np.ndarray:
        return rows


def spectrum(row: int) -> Spectrum:
    return Spectrum.from_peaks([50.0 + i for i in range(30)], [1.0 + row] * 30, precursor_mz=200.0, charge=1)


def maker(**options: Any) -> BatchMaker:
    return BatchMaker(
        spectra=[spectrum(row) for row in range(72)],
        features=Rows(),
        augmentation=AugmentationConfig(peak_dropout=0.25),
        collate_spectra=lambda spectra: torch.tensor([float(s.n_peaks) for s in spectra]),
        collate_structures=torch.from_numpy,
        **options,
    )


def test_a_batch_holds_what_its_plan_names_and_nothing_that_no_loss_asks_for():
    batch = maker()(PLAN)
    assert batch.structures.tolist() == batch.rows.tolist() == [4, 7, 2, 9, 8, 6]
    assert batch.molecule.tolist() == [0, 0, 1, 1, 2, 2]
    assert batch.owner.tolist() == [0, 1, 2]
    assert batch.n_molecules == 3
    assert len(batch.spectra) == 6
    assert (batch.second_view, batch.unlabelled, batch.targets) == (None, None, {})


def test_further_views_are_other_draws_and_leave_the_first_as_it_was():
    plain = maker()(PLAN)
    needs = frozenset({"second_view", "unlabelled", "binned_spectrum"})
    batch = maker(needs=needs, unlabelled=[spectrum(row) for row in range(6)])(PLAN)
    assert torch.equal(batch.spectra, plain.spectra)
    assert not torch.equal(batch.second_view, batch.spectra)
    assert [len(view) for view in batch.unlabelled] == [2, 2]
    assert not torch.equal(*batch.unlabelled)
    # not augmented: all thirty peaks are there
    assert (batch.targets["binned_spectrum"] > 0).sum(dim=1).tolist() == [30] * 6


def test_targets_are_rows_of_the_structures():
    targets = StructureTargets(exact_mass=np.arange(10, dtype=np.float32))
    assert maker(targets=targets)(PLAN).targets["exact_mass"].tolist() == [4, 7, 2, 9, 8, 6]


def test_a_batch_moves_with_all_its_parts():
    needs = frozenset({"second_view", "unlabelled", "binned_spectrum"})
    moved = maker(needs=needs, unlabelled=[spectrum(0)] * 6)(PLAN).to(torch.device("meta"))
    parts = [moved.spectra, moved.molecule, moved.structures, moved.rows, moved.owner, moved.second_view]
    assert {part.device.type for part in (*parts, *moved.unlabelled, *moved.targets.values())} == {"meta"}


def test_the_shares_of_a_batch_are_the_batch():
    parts = [part_of(PLAN, index=index, n_parts=2) for index in range(2)]
    for name in ("molecules", "spectra", "negatives", "unlabelled"):
        assert np.concatenate([getattr(part, name) for part in parts]).tolist() == getattr(PLAN, name).tolist()
    # the first has one molecule, the second two, each counted from 0
    assert [part.molecule.tolist() for part in parts] == [[0, 0], [0, 0, 1, 1]]
    assert [part.owner.tolist() for part in parts] == [[0], [0, 1]]
    assert parts[0].seed != parts[1].seed
    assert part_of(PLAN, index=0, n_parts=1) is PLAN


def test_data_without_a_trainer_is_refused():
    data: Any = TrainingData(SimpleNamespace(), maker(), workers=0)
    data.trainer = None
    with pytest.raises(TrainingError, match=r"the training data has no trainer"):
        data.train_dataloader()
