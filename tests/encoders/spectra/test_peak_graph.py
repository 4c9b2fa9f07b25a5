import numpy as np
import pytest
import torch

from diptych.encoders.spectra.loss_edges import LOSSES, LossEdges, loss_edges, loss_masses
from diptych.encoders.spectra.peak_graph import LossGraphLayer, PeakGraphEncoder
from diptych.errors import ConfigError
from diptych.spectra import Adduct, Spectrum

WATER = LOSSES.index("H2O")


def tower(**options) -> PeakGraphEncoder:
    torch.manual_seed(0)
    return PeakGraphEncoder(embedding_dim=12, hidden_dim=16, n_layers=2, n_waves=12, **options).eval()


def spectrum(*mz: float, precursor: float | None = 300.0) -> Spectrum:
    adduct = Adduct.parse("[M+H]+")
    return Spectrum.from_peaks(mz, np.arange(1, len(mz) + 1), precursor_mz=precursor, adduct=adduct)


def edges_of(*spectra: Spectrum, ppm: float = 10.0) -> set[tuple[int, int, int]]:
    found = loss_edges(tower().collate(spectra), loss_masses(), tolerance_ppm=ppm)
    return set(zip(found.heavy.tolist(), found.light.tolist(), found.kind.tolist(), strict=True))


def test_losses_are_told_apart_and_have_the_masses_of_the_textbook():
    masses = loss_masses()
    assert len(set(LOSSES)) == len(LOSSES) == len(masses)
    assert masses[WATER].item() == pytest.approx(18.010565, abs=1e-6)
    assert masses[LOSSES.index("CO2")].item() == pytest.approx(43.989829, abs=1e-6)
    assert masses[LOSSES.index("HPO3")].item() == pytest.approx(79.966331, abs=1e-6)


def test_peaks_are_joined_where_they_are_a_known_loss_apart():
    # Nodes: 0 the precursor, 1 to 3 the peaks. 281.989435 is the precursor less water, 253.994520 that less CO.
    nothing = len(LOSSES)
    assert edges_of(spectrum(111.0, 253.994520, 281.989435)) == {
        (0, 1, nothing),
        (0, 2, LOSSES.index("CH2O2")),
        (0, 3, WATER),
        (3, 2, LOSSES.index("CO")),
    }


def test_a_loss_that_is_wrong_by_more_than_the_tolerance_is_none():
    assert (0, 1, WATER) in edges_of(spectrum(300 - 18.010565 + 0.0029))
    assert (0, 1, WATER) not in edges_of(spectrum(300 - 18.010565 + 0.0031))
    assert (0, 1, WATER) in edges_of(spectrum(300 - 18.010565 + 0.0031), ppm=20.0)


def test_at_low_masses_two_millidalton_are_allowed():
    assert (2, 1, WATER) in edges_of(spectrum(60.0, 78.0120))
    assert (2, 1, WATER) not in edges_of(spectrum(60.0, 78.0130))


def test_padding_has_no_edges_and_spectra_have_none_between_them():
    # Three slots in each: the nodes of the second spectrum begin at 4.
    found = edges_of(spectrum(60.0, 80.0, 111.0), spectrum(63.0))
    assert {(heavy, light) for heavy, light, _ in found} == {(0, 1), (0, 2), (0, 3), (4, 5)}


def test_without_a_precursor_each_peak_is_joined_to_its_place_all_the_same():
    assert edges_of(spectrum(60.0, precursor=None)) == {(0, 1, len(LOSSES))}


def test_a_layer_computes_its_equation():
    layer = LossGraphLayer(dim=2, dropout=0.0).eval()
    x = torch.tensor([[1.0, 3.0], [2.0, 0.0], [0.0, 5.0]])
    edges = LossEdges(heavy=torch.tensor([0, 0]), light=torch.tensor([1, 2]), kind=torch.tensor([WATER, 3]))
    with torch.no_grad():
        result = layer(x, edges)
        # Of two numbers the normalised are -1 and 1, but for an epsilon of 1e-5 on the variance.
        u = [torch.tensor([-1.0, 1.0]), torch.tensor([1.0, -1.0]), torch.tensor([-1.0, 1.0])]
        value = [layer.value.weight @ one + layer.value.bias for one in u]
        e = layer.kinds.weight
        back = len(LOSSES) + 1
        heard = [
            ((value[1] + e[WATER]).clamp(min=0) + (value[2] + e[3]).clamp(min=0)) / 2**0.5,
            (value[0] + e[WATER + back]).clamp(min=0),
            (value[0] + e[3 + back]).clamp(min=0),
        ]
        expected = [x[i] + layer.update(torch.cat([u[i], heard[i]])) for i in range(3)]
    torch.testing.assert_close(result, torch.stack(expected), atol=1e-4, rtol=0)


@torch.no_grad()
def test_a_loss_between_peaks_changes_the_vector():
    # A millidalton more or less moves the waves a little, an edge much more; without edges the difference is small.
    encoder = tower()
    joined, apart = spectrum(60.0, 78.0106), spectrum(60.0, 78.0136)
    edges = [loss_edges(encoder.collate([one]), encoder.loss_masses, tolerance_ppm=10.0) for one in (joined, apart)]
    assert [len(one) for one in edges] == [3, 2]
    vectors = encoder(encoder.collate([joined, apart])).global_vector
    assert (vectors[0] - vectors[1]).abs().max() > 1e-3


@torch.no_grad()
def test_every_peak_has_a_unit_vector_and_padding_has_none():
    encoder = tower()
    output = encoder(encoder.collate([spectrum(60.0, 90.0), spectrum(60.0)]))
    assert output.token_mask.tolist() == [[True, True], [True, False]]
    torch.testing.assert_close(output.token_vectors.norm(dim=-1), output.token_mask.float())


def test_an_impossible_tolerance_is_refused():
    with pytest.raises(ConfigError, match="tolerance_ppm is 0; expected a number above 0"):
        tower(tolerance_ppm=0)
