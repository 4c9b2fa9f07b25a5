"""Heads whose last layer is set to zero predict the same for every input, so that the loss can be told by hand."""

from math import log

import pytest
import torch

from diptych.training.losses.auxiliary import DescriptorHead, ExactMassHead, FingerprintHead
from diptych.training.losses.binned_spectrum import BinnedSpectrumHead

PAIRS = [[1.0, 0.0], [0.0, 1.0]]


def constant(term, bias: float = 0.0):
    torch.nn.init.zeros_(term.head[-1].weight)
    torch.nn.init.constant_(term.head[-1].bias, bias)
    return term


def test_undecided_bits_cost_log_two_and_half_a_cosine(context):
    # all probabilities 1/2; with 512 of 2048 bits the cosine is sqrt(512 / 2048) = 1/2
    bits = (torch.arange(2048) < 512).float().expand(2, -1)
    given = context(PAIRS, PAIRS, targets={"fingerprint": bits})
    assert constant(FingerprintHead(embedding_dim=2))(given).item() == pytest.approx(log(2) + 0.5, rel=1e-5)
    without = constant(FingerprintHead(embedding_dim=2, cosine_weight=0.0))
    assert without(given).item() == pytest.approx(log(2), rel=1e-5)


def test_the_exact_mass_costs_its_squared_error_for_each_spectrum(context):
    # predicted 0.5; three spectra of molecules 1, 1 and -1: 0.25, 0.25, 2.25
    targets = {"exact_mass": torch.tensor([1.0, -1.0])}
    given = context([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], PAIRS, molecule=[0, 0, 1], targets=targets)
    assert constant(ExactMassHead(embedding_dim=2), 0.5)(given).item() == pytest.approx(2.75 / 3)


def test_descriptors_cost_their_mean_squared_error(context):
    values = torch.zeros(2, 12)
    values[0, 0], values[1, 11] = 3.0, -6.0
    given = context(PAIRS, PAIRS, targets={"descriptors": values})
    assert constant(DescriptorHead(embedding_dim=2))(given).item() == pytest.approx((9 + 36) / 24)


def test_an_even_spectrum_is_half_like_one_with_a_quarter_of_the_bins(context):
    # cosine of 1000 equal numbers with 250 ones: sqrt(250 / 1000)
    bins = (torch.arange(1000) < 250).float().expand(2, -1)
    given = context(PAIRS, PAIRS, targets={"binned_spectrum": bins})
    assert constant(BinnedSpectrumHead(embedding_dim=2))(given).item() == pytest.approx(0.5)


@pytest.mark.parametrize("head", [FingerprintHead, ExactMassHead, DescriptorHead])
def test_heads_read_the_vector_of_the_spectrum(context, head):
    targets = {"fingerprint": torch.ones(2, 2048), "exact_mass": torch.ones(2), "descriptors": torch.ones(2, 12)}
    spectra, structures = torch.tensor(PAIRS, requires_grad=True), torch.tensor(PAIRS, requires_grad=True)
    head(embedding_dim=2)(context(spectra, structures, targets=targets)).backward()
    assert spectra.grad.abs().sum() > 0
    assert structures.grad is None


def test_the_forward_model_reads_the_vector_of_the_structure(context):
    spectra, structures = torch.tensor(PAIRS, requires_grad=True), torch.tensor(PAIRS, requires_grad=True)
    given = context(spectra, structures, targets={"binned_spectrum": torch.eye(2, 1000)})
    BinnedSpectrumHead(embedding_dim=2)(given).backward()
    assert structures.grad.abs().sum() > 0
    assert spectra.grad is None
