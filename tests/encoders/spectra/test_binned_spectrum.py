import math

import numpy as np
import torch

from diptych.encoders.ion_table import IonTable
from diptych.encoders.spectra.binned_spectrum import BinnedSpectrumEncoder
from diptych.encoders.spectra.mass_bins import COARSE_WIDTH
from diptych.encoders.spectra.peak_batch import PeakBatch
from diptych.spectra import Adduct, Spectrum
from diptych.spectra.binning import hash_bins

SPECTRA = [
    Spectrum.from_peaks(
        [58.0651, 110.0600, 152.0706],
        [20.0, 100.0, 45.0],
        precursor_mz=152.0706,
        adduct=Adduct.parse("[M+H]+"),
        collision_energy=20.0,
    ),
    Spectrum.from_peaks([71.0139, 119.0350], [80.0, 10.0], precursor_mz=179.0561, adduct=Adduct.parse("[M-H]-")),
]


def vectors(*, ion_table: IonTable | None) -> torch.Tensor:
    torch.manual_seed(3)
    tower = BinnedSpectrumEncoder(
        embedding_dim=10, ion_table=ion_table, fine_width=64, bin_dim=4, hidden_dim=8, dropout=0.3
    ).eval()
    with torch.no_grad():
        for number, parameter in enumerate(tower.parameters()):
            waves = torch.arange(parameter.numel(), dtype=torch.float64) * (0.7 + 0.1 * number)
            parameter.copy_(torch.sin(waves).view(parameter.shape))
        return tower(tower.collate(SPECTRA)).global_vector


# The vectors of the tower before anything was shared with other towers: saved models depend on every one of them.
def test_the_vectors_are_those_that_saved_models_were_trained_with():
    expected = torch.tensor(
        [
            [0.213675, 0.242702, -0.462503, 0.213104, 0.256442, -0.467620, 0.205588, 0.259736, -0.454350, 0.188473],
            [0.296432, 0.127948, -0.434369, 0.295863, 0.154047, -0.452303, 0.287487, 0.172740, -0.454160, 0.269237],
        ]
    )
    torch.testing.assert_close(vectors(ion_table=None), expected, atol=2e-6, rtol=0)


def test_the_vectors_with_an_ion_table_are_too():
    expected = torch.tensor(
        [
            [0.185021, 0.270033, -0.082637, -0.231419, -0.116356, 0.137575, -0.308542, 0.180074, 0.559459, 0.599484],
            [0.176726, 0.279796, -0.071794, -0.229515, -0.128802, 0.126730, 0.612594, 0.332849, -0.148797, -0.540185],
        ]
    )
    torch.testing.assert_close(vectors(ion_table=IonTable(width=32, dim=4)), expected, atol=2e-6, rtol=0)


def test_the_settings_and_the_names_of_the_weights_are_those_of_saved_models():
    tower = BinnedSpectrumEncoder(embedding_dim=10, fine_width=64, bin_dim=4, hidden_dim=8)
    assert list(tower.settings()) == [
        *("ion_weight", "fine_bins_per_da", "fine_width", "bin_dim", "hidden_dim", "dropout", "cleaning")
    ]
    assert {name.split(".")[0] for name in tower.state_dict()} == {
        *("bins", "adducts", "instruments", "conditions", "peaks", "mlp")
    }


def gelu(x: np.ndarray) -> np.ndarray:
    return x * np.array([(1 + math.erf(value / 2**0.5)) / 2 for value in x])


def linear(x: np.ndarray, w: dict[str, np.ndarray], layer: str) -> np.ndarray:
    return w[f"{layer}.weight"] @ x + w[f"{layer}.bias"]


def layer_norm(x: np.ndarray, w: dict[str, np.ndarray], layer: str) -> np.ndarray:
    return (x - x.mean()) / np.sqrt(x.var() + 1e-5) * w[f"{layer}.weight"] + w[f"{layer}.bias"]


def test_the_tower_equals_its_equation():
    torch.manual_seed(1)
    tower = BinnedSpectrumEncoder(embedding_dim=3, fine_bins_per_da=2, fine_width=32, bin_dim=2, hidden_dim=4).eval()
    w = {name: tensor.detach().double().numpy() for name, tensor in tower.named_parameters()}
    # The second peak lies above the precursor: it has no loss. Adduct, energy, polarity and instrument are unknown.
    batch = PeakBatch.from_spectra([Spectrum.from_peaks([100.2, 210.0], [25.0, 100.0], precursor_mz=150.3)])
    column = hash_bins(torch.arange(1 << 10), width=32)
    loss_column = hash_bins(torch.arange(1 << 10) + (1 << 24), width=32)
    t, coarse_peaks, coarse_losses = w["bins"], 32, 32 + COARSE_WIDTH
    s = 0.5 * (0.6 * t[column[200]] + 0.4 * t[column[201]] + t[coarse_peaks + 400])  # 100.2: 200.4 fine bins
    s = s + 0.5 * (0.8 * t[loss_column[100]] + 0.2 * t[loss_column[101]] + t[coarse_losses + 200])  # 50.1 Da lost
    s = s + 1.0 * (t[column[420]] + t[coarse_peaks + 840])
    numbers = [0.0, 150.3 / 500, 0.0, 0.0]
    for length in (1.0, 0.5, 0.25, 0.125, 0.0625, 6.4, 25.6, 102.4, 409.6, 1638.4):
        numbers += [math.sin(2 * math.pi * 150.3 / length), math.cos(2 * math.pi * 150.3 / length)]
    names = [w["adducts.weight"][batch.adduct[0]], w["instruments.weight"][batch.instrument[0]]]
    told = linear(gelu(linear(np.concatenate([numbers, *names]), w, "conditions.0")), w, "conditions.2")
    h = gelu(layer_norm(w["peaks.weight"] @ s + told, w, "mlp.input_norm"))
    h = h + gelu(layer_norm(linear(h, w, "mlp.hidden"), w, "mlp.hidden_norm"))
    z = linear(h, w, "mlp.output")
    np.testing.assert_allclose(tower(batch).global_vector[0].detach().numpy(), z / np.linalg.norm(z), atol=1e-5)
