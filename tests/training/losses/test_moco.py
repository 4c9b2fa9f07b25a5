from math import e, log

import pytest
import torch
from torch import nn

from diptych.encoders import EncoderOutput
from diptych.errors import ConfigError
from diptych.training.losses.moco import MomentumContrast


def test_the_queue_holds_earlier_molecules_but_hides_the_own(context, model):
    term = MomentumContrast(model=model, queue_size=4)
    assert term(context([[1.0, 0.0]], [[1.0, 0.0]], rows=[5])).item() == 0.0
    # molecule 5 is a negative of molecule 6
    assert term(context([[0.0, 1.0]], [[0.0, 1.0]], rows=[6])).item() == pytest.approx(log((e + 1) / e))
    # molecule 5 again: its own vector in the queue is hidden, that of 6 is not
    assert term(context([[1.0, 0.0]], [[1.0, 0.0]], rows=[5])).item() == pytest.approx(log((e + 1) / e))


def test_the_oldest_molecules_leave_the_queue(context, model):
    term = MomentumContrast(model=model, queue_size=2)
    for row in range(3):
        term(context([[1.0, 0.0]], [[1.0, 0.0]], rows=[row]))
    assert term.rows.tolist() == [2, 1]


def test_a_learned_temperature_has_a_finite_gradient_while_the_queue_is_not_full(context, model):
    given = context([[1.0, 0.0]], [[1.0, 0.0]], rows=[5])
    given.temperature.requires_grad_()
    MomentumContrast(model=model, queue_size=4)(given).backward()
    assert torch.isfinite(given.temperature.grad)


def test_the_copy_follows_slowly_and_takes_no_gradient(context, model):
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.tensor([1.0, 1.0]))

        def forward(self, collated: torch.Tensor) -> EncoderOutput:
            return EncoderOutput(global_vector=collated * self.scale, block_sizes=(2,))

    model.structure_encoder = Scaled()
    term = MomentumContrast(model=model, momentum=0.5)
    with torch.no_grad():
        model.structure_encoder.scale[:] = torch.tensor([3.0, 1.0])
    spectra = torch.tensor([[1.0, 0.0]], requires_grad=True)
    term(context(spectra, [[1.0, 1.0]], model=model)).backward()
    # the first update keeps a tenth: 0.1 * 1 + 0.9 * 3
    assert term.average.model.encoder.scale.tolist() == pytest.approx([2.8, 1.0])
    assert term.average.model.encoder.scale.grad is None
    assert spectra.grad is not None


@pytest.mark.parametrize("options", [{"queue_size": 0}, {"momentum": 1.0}])
def test_an_impossible_queue_is_refused(model, options):
    with pytest.raises(
        ConfigError, match=r"loss term 'moco': queue_size \d+, momentum .* expected a size of at least 1"
    ):
        MomentumContrast(model=model, **options)
