"""Loss terms are tested on vectors that are given, not learned: the towers hand on what they are handed."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from diptych.encoders import EncoderOutput
from diptych.training.batches import TrainingBatch
from diptych.training.losses import LossContext


class GivenVectors(nn.Module):
    def forward(self, collated: Any) -> EncoderOutput:
        if isinstance(collated, EncoderOutput):
            return collated
        return EncoderOutput(global_vector=collated, block_sizes=(collated.shape[1],))


def given_model() -> Any:
    return SimpleNamespace(
        spectrum_encoder=GivenVectors(),
        structure_encoder=GivenVectors(),
        projection=None,
        loss_dim=2,
        projected=lambda output, side: output,
    )


@pytest.fixture
def model() -> Any:
    return given_model()


@pytest.fixture
def context():
    def build(
        spectra: Any,
        structures: Any,
        *,
        molecule: list[int] | None = None,
        rows: list[int] | None = None,
        owner: tuple[int, ...] = (),
        n_molecules: int | None = None,
        targets: dict[str, Tensor] | None = None,
        second_view: Any = None,
        unlabelled: Any = None,
        model: Any = None,
        epoch: int = 0,
    ) -> LossContext:
        n = n_molecules or (len(structures) - len(owner))
        batch = TrainingBatch(
            spectra=tensor(spectra),
            molecule=torch.tensor(molecule) if molecule else torch.arange(n),
            structures=tensor(structures),
            rows=torch.tensor(rows) if rows else torch.arange(n + len(owner)),
            owner=torch.tensor(owner, dtype=torch.int64),
            n_molecules=n,
            targets=targets or {},
            second_view=tensor(second_view),
            unlabelled=unlabelled and (tensor(unlabelled[0]), tensor(unlabelled[1])),
        )
        return LossContext(batch=batch, model=model or given_model(), temperature=torch.tensor(1.0), epoch=epoch)

    return build


def tensor(value: Any) -> Any:
    return torch.tensor(value) if isinstance(value, list) else value
