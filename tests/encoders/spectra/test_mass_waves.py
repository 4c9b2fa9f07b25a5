import math

import pytest
import torch

from diptych.encoders.spectra.mass_waves import mass_waves, wavelengths
from diptych.errors import ConfigError


def waves(*masses: float, lengths: list[float]) -> torch.Tensor:
    return mass_waves(torch.tensor(masses, dtype=torch.float64), torch.tensor(lengths, dtype=torch.float64))


def test_wavelengths_are_evenly_spaced_in_their_logarithm():
    torch.testing.assert_close(
        wavelengths(0.001, 1000.0, count=3), torch.tensor([0.001, 1.0, 1000.0], dtype=torch.float64)
    )


def test_waves_are_sines_then_cosines_of_whole_turns():
    # 10.25 is 10 and a quarter turns of 1 Da, and 2 turns and 9 sixteenths of 4 Da.
    angle = 2 * math.pi * 9 / 16
    expected = torch.tensor([[1.0, math.sin(angle), 0.0, math.cos(angle)]])
    torch.testing.assert_close(waves(10.25, lengths=[1.0, 4.0]), expected, atol=1e-6, rtol=0)


def test_a_tenth_of_a_millidalton_is_seen_at_a_thousand():
    first, second = waves(1000.0, 1000.0001, lengths=[0.001])
    torch.testing.assert_close(first, torch.tensor([0.0, 1.0]), atol=1e-5, rtol=0)
    torch.testing.assert_close(second[0].item(), math.sin(0.2 * math.pi), atol=1e-5, rtol=0)


def test_an_unknown_mass_has_no_waves():
    assert waves(math.nan, math.inf, lengths=[1.0, 2.0]).count_nonzero() == 0


def test_wavelengths_in_the_wrong_order_are_refused():
    with pytest.raises(ConfigError, match=r"wavelengths from 5.0 to 1.0 Da; expected 0 < shortest < longest"):
        wavelengths(5.0, 1.0, count=3)
