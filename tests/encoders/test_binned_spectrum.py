import torch

from diptych.encoders.binned_spectrum import BinnedSpectrumEncoder
from diptych.encoders.ion_table import IonTable
from diptych.spectra import Adduct, Spectrum

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
