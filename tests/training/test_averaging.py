import pytest
import torch
from torch import nn

from diptych.training.averaging import AveragedModel


def layer(value: float) -> nn.Linear:
    linear = nn.Linear(1, 1, bias=False)
    nn.init.constant_(linear.weight, value)
    return linear


def test_the_first_updates_forget_quickly_and_later_ones_follow_the_decay():
    model, average = layer(0.0), AveragedModel(layer(0.0), decay=0.15)
    nn.init.constant_(model.weight, 1.0)
    average.update(model)
    assert average.model.weight.item() == pytest.approx(0.9)  # (1 + 0) / (10 + 0) of the old 0 stays
    average.update(model)
    assert average.model.weight.item() == pytest.approx(1 - 0.1 * 0.15)  # 2 / 11 is above the decay of 0.15


def test_the_average_has_no_gradient_and_buffers_are_copied():
    model = nn.BatchNorm1d(2)
    average = AveragedModel(model, decay=0.9)
    assert not any(parameter.requires_grad for parameter in average.parameters())
    model(torch.randn(8, 2))
    average.update(model)
    assert torch.equal(average.model.running_mean, model.running_mean)
