import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from diptych.encoders.spectra.mass_attention import MassDifferenceAttention
from diptych.encoders.spectra.mass_waves import mass_waves
from diptych.errors import ConfigError

MZ = torch.tensor([[10.0, 11.0, 14.0]], dtype=torch.float64)
LENGTHS = torch.tensor([4.0], dtype=torch.float64)


def attention(*, even: float, odd: float) -> MassDifferenceAttention:
    torch.manual_seed(0)
    part = MassDifferenceAttention(dim=4, n_heads=1, n_waves=1)
    torch.nn.init.constant_(part.even, even)
    torch.nn.init.constant_(part.odd, odd)
    return part


def biases(part: MassDifferenceAttention) -> torch.Tensor:
    left, right = part.difference_factors(mass_waves(MZ, LENGTHS))
    return (left @ right.transpose(-1, -2))[0, 0]


def test_the_bias_is_a_wave_of_the_difference():
    # Differences of 0, 1, 3 and 4 Da are 0, 1/4, 3/4 and 1 turn: cosines 1, 0, 0, 1, sines 0, 1, -1, 0.
    expected = torch.tensor([[0.5, -0.2, 0.5], [0.2, 0.5, 0.2], [0.5, -0.2, 0.5]])
    torch.testing.assert_close(biases(attention(even=0.5, odd=0.2)), expected, atol=1e-5, rtol=0)


def test_at_the_start_there_is_no_bias():
    assert biases(MassDifferenceAttention(dim=4, n_heads=2, n_waves=1)).count_nonzero() == 0


def test_attention_equals_its_equation_and_leaves_masked_tokens_out():
    part = attention(even=1.5, odd=-0.7)
    x = torch.randn(1, 3, 4, generator=torch.Generator().manual_seed(1))
    mask = torch.tensor([[True, True, False]])
    weights = {name: tensor.detach().double().numpy() for name, tensor in part.named_parameters()}
    q, k, v = np.split(x[0].double().numpy() @ weights["inputs.weight"].T + weights["inputs.bias"], 3, axis=1)
    turns = 2 * np.pi * (MZ[0].numpy()[:, None] - MZ[0].numpy()) / 4
    logits = q @ k.T / 2 + 1.5 * np.cos(turns) - 0.7 * np.sin(turns)
    shares = np.exp(logits[:, :2]) / np.exp(logits[:, :2]).sum(axis=1, keepdims=True)
    expected = shares @ v[:2] @ weights["output.weight"].T + weights["output.bias"]
    result = part(x, mass_waves(MZ, LENGTHS), mask)[0].detach().numpy()
    np.testing.assert_allclose(result, expected, atol=1e-5)


def test_heads_that_do_not_divide_the_dimension_are_refused():
    with pytest.raises(ConfigError, match="the hidden dimension is 10; expected a multiple of the number of heads, 4"):
        MassDifferenceAttention(dim=10, n_heads=4, n_waves=1)


def test_no_table_of_all_pairs_is_held():
    part = attention(even=1.5, odd=-0.7)
    x = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(1), requires_grad=True)
    waves = mass_waves(MZ, LENGTHS).expand(2, -1, -1)
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        part(x, waves, torch.ones(2, 3, dtype=torch.bool)).sum().backward()
    assert x.grad.isfinite().all()
