import math
from typing import Any

import pytest
import torch
from torch import nn

from diptych.encoders import EncoderOutput
from diptych.errors import TrainingError
from diptych.training.batches import TrainingBatch
from diptych.training.config import RunConfig
from diptych.training.losses import ContrastiveBatch, LossSettings, symmetric_info_nce
from diptych.training.module import ContrastiveModule, parameter_count


class Tower(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 5)

    def forward(self, batch: torch.Tensor) -> EncoderOutput:
        return EncoderOutput(global_vector=nn.functional.normalize(self.linear(batch), dim=1), block_sizes=(2, 3))


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.spectrum_encoder, self.structure_encoder = Tower(), Tower()
        self.log_temperature = nn.Parameter(torch.tensor(0.0))
        self.projection, self.interaction, self.loss_dim = None, None, 5

    def projected(self, output: EncoderOutput, *, side: str) -> EncoderOutput:
        return output


def module(**sections: dict[str, Any]) -> ContrastiveModule:
    torch.manual_seed(0)
    return ContrastiveModule(Pair(), RunConfig.from_dict(sections), steps_per_epoch=10)


def batch() -> TrainingBatch:
    generator = torch.Generator().manual_seed(1)
    return TrainingBatch(
        spectra=torch.randn(4, 3, generator=generator),
        structures=torch.randn(6, 3, generator=generator),
        molecule=torch.arange(4),
        rows=torch.arange(6),
        owner=torch.tensor([0, 2]),
        n_molecules=4,
    )


def contrast(x: torch.Tensor, y: torch.Tensor, temperature: float) -> float:
    x, y = nn.functional.normalize(x, dim=1), nn.functional.normalize(y, dim=1)
    vectors = ContrastiveBatch(spectra=x, structures=y[:4], negatives=y[4:], owner=batch().owner)
    return symmetric_info_nce(vectors, torch.tensor(temperature), settings=LossSettings()).item()


def vectors(trained: ContrastiveModule) -> tuple[torch.Tensor, torch.Tensor]:
    x = trained.model.spectrum_encoder(batch().spectra).global_vector
    return x, trained.model.structure_encoder(batch().structures).global_vector


def test_the_loss_is_that_of_the_towers_vectors():
    trained = module(loss={"temperature": 0.1})
    assert trained.training_step(batch(), 0).item() == pytest.approx(contrast(*vectors(trained), 0.1), rel=1e-5)


def test_each_block_adds_its_own_loss():
    trained = module(loss={"temperature": 0.1, "block_weight": 0.5})
    x, y = vectors(trained)
    blocks = contrast(x[:, :2], y[:, :2], 0.1) + contrast(x[:, 2:], y[:, 2:], 0.1)
    assert trained.training_step(batch(), 0).item() == pytest.approx(contrast(x, y, 0.1) + 0.5 * blocks, rel=1e-5)


def test_the_temperature_is_learned_or_fixed_and_stays_in_bounds():
    assert module(loss={"temperature": 0.1}).model.log_temperature.item() == pytest.approx(math.log(0.1))
    assert module().model.log_temperature.requires_grad
    assert not module(loss={"learn_temperature": False}).model.log_temperature.requires_grad
    trained = module()
    with torch.no_grad():
        trained.model.log_temperature.fill_(math.log(1e-6))
    assert trained.training_step(batch(), 0).item() == pytest.approx(contrast(*vectors(trained), 0.005), rel=1e-4)


def test_only_matrices_decay():
    groups = module(training={"weight_decay": 0.3}).configure_optimizers().param_groups
    assert [group["weight_decay"] for group in groups] == [0.3, 0.0]
    assert {p.ndim for p in groups[0]["params"]} == {2}
    assert sorted(p.ndim for p in groups[1]["params"]) == [0, 1, 1]


def test_a_long_gradient_is_clipped_and_a_short_one_is_not():
    trained = module(training={"gradient_clip": 1.0})
    optimizer = trained.configure_optimizers()
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for scale, norm in ((100.0, 1.0), (1e-3, 1e-3)):
        for p in parameters:
            p.grad = torch.zeros_like(p)
        parameters[0].grad[0, 0] = scale
        trained.on_before_optimizer_step(optimizer)
        assert torch.stack([p.grad.norm() for p in parameters]).norm().item() == pytest.approx(norm, rel=1e-4)


@pytest.mark.parametrize("clip", [0.0, 1.0])
def test_a_gradient_that_is_not_finite_makes_no_step(clip: float):
    trained = module(training={"gradient_clip": clip})
    optimizer = trained.configure_optimizers()
    trained.model.spectrum_encoder.linear.bias.grad = torch.full((5,), math.inf)
    with pytest.raises(TrainingError, match=r"the norm of the gradient is inf in epoch 1, batch 1; no epoch was fini"):
        trained.on_before_optimizer_step(optimizer)


@pytest.mark.parametrize("value", [math.nan, -math.inf, 7e4])
def test_weights_that_half_precision_cannot_hold_are_refused(value: float):
    trained = module(training={"ema_decay": 0.5})
    trained.check_weights()
    with torch.no_grad():
        trained.judged.structure_encoder.linear.weight[1, 2] = value
    with pytest.raises(TrainingError, match=r"average\.model\.structure_encoder\.linear\.weight holds .* batch 10;"):
        trained.check_weights()


def test_the_average_is_what_is_judged():
    trained = module(training={"ema_decay": 0.9})
    assert trained.judged is not trained.model
    untouched = module()
    assert untouched.judged is untouched.model


def test_weights_are_counted_once():
    assert parameter_count(Pair()) == 2 * (3 * 5 + 5) + 1
