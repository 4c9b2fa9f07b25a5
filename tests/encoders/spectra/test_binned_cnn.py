import math

import numpy as np
import pytest
import torch

from diptych.encoders.spectra.binned_cnn import ConvolutionalSpectrumEncoder, peak_and_loss_channels
from diptych.encoders.spectra.peak_batch import PeakBatch
from diptych.errors import ConfigError
from diptych.spectra import Spectrum

PEAKS = PeakBatch.from_spectra(
    [Spectrum.from_peaks([100.04, 100.08, 250.01, 1200.0], [25.0, 1.0, 16.0, 100.0], precursor_mz=300.0)]
)


def test_the_channels_hold_roots_of_intensities_at_the_peaks_and_at_the_losses():
    peaks, losses = peak_and_loss_channels(PEAKS, bins_per_da=10)[0]
    # 100.04 and 100.08 share a bin of m/z; their losses 199.96 and 199.92 share one too; 1200 is out of range.
    assert {bin_: round(peaks[bin_].item(), 5) for bin_ in peaks.nonzero().ravel().tolist()} == {1000: 0.6, 2500: 0.4}
    assert {bin_: round(losses[bin_].item(), 5) for bin_ in losses.nonzero().ravel().tolist()} == {499: 0.4, 1999: 0.6}


def test_without_a_precursor_there_are_no_losses():
    unknown = PeakBatch.from_spectra([Spectrum.from_peaks([100.0, 200.0], [1.0, 2.0])])
    assert peak_and_loss_channels(unknown, bins_per_da=1)[0, 1].count_nonzero() == 0


def test_a_layer_equals_its_equation():
    torch.manual_seed(0)
    tower = ConvolutionalSpectrumEncoder(
        embedding_dim=4, bins_per_da=1, channels=(2,), kernel_size=3, pooling=5, segments=4, hidden_dim=8
    )
    x = peak_and_loss_channels(PEAKS, bins_per_da=1)
    kernel, bias = tower.layers[0].weight.detach().double().numpy(), tower.layers[0].bias.detach().double().numpy()
    padded = np.pad(x[0].double().numpy(), ((0, 0), (1, 1)))
    shifted = np.stack([padded[:, k : k + 1000] for k in range(3)])  # (kernel, channel, position)
    y = np.einsum("kcp,ock->op", shifted, kernel) + bias[:, None]
    y = y.reshape(2, 200, 5).max(axis=2)
    y = (y - y.mean()) / np.sqrt(y.var() + 1e-5)
    y = y * np.vectorize(lambda v: (1 + math.erf(v / 2**0.5)) / 2)(y)
    expected = y.reshape(2, 4, 50).max(axis=2).ravel()
    np.testing.assert_allclose(tower.layers(x)[0].detach().numpy(), expected, atol=1e-4)


def test_many_spectra_have_the_vectors_that_each_has_alone():
    torch.manual_seed(0)
    tower = ConvolutionalSpectrumEncoder(embedding_dim=4, bins_per_da=1, channels=(2,), hidden_dim=8).eval()
    spectra = [Spectrum.from_peaks([100.0 + n, 250.0], [1.0, 2.0], precursor_mz=300.0 + n) for n in range(19)]
    alone = [tower(PeakBatch.from_spectra([spectrum])).global_vector for spectrum in spectra]
    together = tower(PeakBatch.from_spectra(spectra)).global_vector
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=0)
    assert len(tower._pooled(torch.empty(0, 2, 1000))) == 0


def test_impossible_layers_are_refused():
    with pytest.raises(ConfigError, match="kernel_size is 4; expected an odd number"):
        ConvolutionalSpectrumEncoder(embedding_dim=4, kernel_size=4)
    with pytest.raises(ConfigError, match="3 layers that pool by 10 leave 1 of 1000 bins; expected at least as many"):
        ConvolutionalSpectrumEncoder(embedding_dim=4, bins_per_da=1, pooling=10)
