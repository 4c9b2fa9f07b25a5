import math

import numpy as np
import pytest
import torch

from diptych.encoders.spectra.binned_jestr import JestrSpectrumEncoder, jestr_bins
from diptych.encoders.spectra.peak_batch import PeakBatch
from diptych.errors import ConfigError
from diptych.spectra import Spectrum


def batch(*peaks: tuple[float, float]) -> PeakBatch:
    mz, intensity = zip(*peaks, strict=True)
    return PeakBatch.from_spectra([Spectrum.from_peaks(mz, intensity)])


def test_bins_hold_the_logarithm_of_summed_intensities_scaled_to_999():
    bins = jestr_bins(batch((100.2, 4.0), (100.9, 6.0), (101.0, 20.0)))[0]
    # 4 and 6 of 20 are 199.8 and 299.7 of 999; together 499.5.
    assert bins[99].item() == pytest.approx(math.log10(500.5) / 3, abs=1e-6)
    assert bins[100].item() == pytest.approx(1.0, abs=1e-6)
    assert bins.count_nonzero() == 2


def test_the_bins_reach_from_m_z_0_to_1001():
    bins = jestr_bins(batch((0.5, 1.0), (1.5, 1.0), (1000.99, 2.0), (1001.0, 2.0)))[0]
    assert bins.nonzero().ravel().tolist() == [0, 999]
    assert bins[0].item() == pytest.approx(1.0)


def test_peaks_beyond_the_bins_still_set_the_scale():
    bins = jestr_bins(batch((50.5, 1.0), (1500.0, 9.0)))[0]
    assert bins[49].item() == pytest.approx(math.log10(112) / 3)


def test_the_tower_equals_its_equation():
    torch.manual_seed(0)
    tower = JestrSpectrumEncoder(embedding_dim=6).eval()
    peaks = batch((77.04, 3.0), (105.03, 10.0))
    weights = {name: tensor.detach().double().numpy() for name, tensor in tower.named_parameters()}
    x = np.zeros(1000)
    x[76], x[104] = np.log10(1 + 299.7) / 3, 1.0
    for layer in ("layers.0", "layers.3"):
        x = np.maximum(weights[f"{layer}.weight"] @ x + weights[f"{layer}.bias"], 0)
    z = weights["layers.6.weight"] @ x + weights["layers.6.bias"]
    np.testing.assert_allclose(tower(peaks).global_vector[0].detach().numpy(), z / np.linalg.norm(z), atol=1e-6)


def test_the_hidden_layers_are_twice_as_long_as_the_vector():
    shapes = [tuple(p.shape) for p in JestrSpectrumEncoder(embedding_dim=512).parameters() if p.ndim == 2]
    assert shapes == [(1024, 1000), (1024, 1024), (512, 1024)]


def test_an_unknown_cleaning_setting_is_named():
    with pytest.raises(ConfigError, match="unknown cleaning setting 'max_peak'"):
        JestrSpectrumEncoder(embedding_dim=6, cleaning={"max_peak": 3})
