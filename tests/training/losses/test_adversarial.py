from dataclasses import dataclass, fields
from math import exp, sqrt

import pytest
import torch
from torch import Tensor

from diptych.embedding import JointEmbedding
from diptych.encoders import SPECTRUM_ENCODERS, EncoderOutput
from diptych.errors import ConfigError
from diptych.spectra.adduct import Adduct
from diptych.spectra.spectrum import Spectrum
from diptych.training.losses.adversarial import Adversarial

PAIRS = torch.eye(2)


@dataclass(frozen=True)
class Peaks:
    intensity: Tensor


class IntensityTower(torch.nn.Module):
    """A spectrum of two peaks points where the stronger one stands."""

    def forward(self, peaks: Peaks) -> EncoderOutput:
        return EncoderOutput(global_vector=peaks.intensity, block_sizes=(2,))


@pytest.fixture
def given(context, model):
    model.spectrum_encoder = IntensityTower()
    return context(Peaks(torch.tensor([[1.0, 1.0], [1.0, 1.0]])), PAIRS, model=model)


def test_each_intensity_moves_a_step_against_its_structure(given):
    # the first structure lies along the first peak: that falls by e^-eps, the other rises by e^eps
    perturbed = Adversarial(epsilon=0.2).perturbed(given).intensity
    assert perturbed.flatten().tolist() == pytest.approx([exp(-0.4), 1.0, 1.0, exp(-0.4)])


def test_consistency_is_the_cosine_that_the_step_costs(given):
    a = exp(-0.4)
    cosine = (1 + a) / (sqrt(2) * sqrt(1 + a * a))
    assert Adversarial(epsilon=0.2, kind="consistency")(given).item() == pytest.approx(1 - cosine, rel=1e-4)


def test_contrast_is_that_of_the_perturbed_spectra(given):
    # cosines with the own structure a / n and with the other 1 / n, symmetric in both directions
    a = exp(-0.4)
    n = sqrt(1 + a * a)
    expected = torch.logsumexp(torch.tensor([a / n, 1 / n]), dim=0).item() - a / n
    assert Adversarial(epsilon=0.2, kind="contrast")(given).item() == pytest.approx(expected)


def test_intensities_are_found_inside_another_batch(context, model):
    @dataclass(frozen=True)
    class Wrapped:
        peaks: Peaks

    class Unwrapping(IntensityTower):
        def forward(self, wrapped: Wrapped) -> EncoderOutput:
            return super().forward(wrapped.peaks)

    model.spectrum_encoder = Unwrapping()
    given = context(Wrapped(Peaks(torch.tensor([[1.0, 1.0], [1.0, 1.0]]))), PAIRS, model=model)
    assert Adversarial(epsilon=0.2).perturbed(given).peaks.intensity[0].tolist() == pytest.approx([exp(-0.4), 1.0])


def test_a_tower_without_intensities_is_one_clear_error(context):
    with pytest.raises(ConfigError, match=r"the spectrum tower is not given intensities"):
        Adversarial()(context(PAIRS, PAIRS))


def test_a_tower_that_hides_intensities_from_the_gradient_is_one_clear_error(context, model):
    class Deaf(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.vector = torch.nn.Parameter(torch.eye(2))

        def forward(self, peaks: Peaks) -> EncoderOutput:
            return EncoderOutput(global_vector=self.vector, block_sizes=(2,))

    model.spectrum_encoder = Deaf()
    with pytest.raises(ConfigError, match=r"the spectrum tower has no gradient with respect to intensities"):
        Adversarial()(context(Peaks(torch.ones(2, 2)), PAIRS, model=model))


def test_an_unknown_kind_is_refused():
    with pytest.raises(ConfigError, match=r"kind 'x'; expected 'contrast' or 'consistency'"):
        Adversarial(kind="x")


def spectrum(*mz: float) -> Spectrum:
    return Spectrum.from_peaks(
        mz, [10.0 + 7 * i for i in range(len(mz))], precursor_mz=195.0877, charge=1, adduct=Adduct.parse("[M+H]+")
    )


@pytest.mark.parametrize("name", list(SPECTRUM_ENCODERS))
def test_every_spectrum_tower_lets_gradients_through_to_intensities(name: str, context):
    torch.manual_seed(0)
    model = JointEmbedding.from_config(
        spectrum={"name": name},
        structure={"width": 64, "hidden_dim": 8},
        ions={"width": 64, "dim": 4},
        embedding_dim=36,
    )
    model.eval()
    collated = model.spectrum_encoder.collate([spectrum(81.0447, 110.0712, 138.0661), spectrum(69.0447, 95.0491)])
    vectors = torch.nn.functional.normalize(torch.randn(2, 36), dim=1)
    model.structure_encoder = torch.nn.Module()
    model.structure_encoder.forward = lambda _: EncoderOutput(global_vector=vectors, block_sizes=(36,))
    given = context(collated, vectors, n_molecules=2, model=model)
    changed = Adversarial(epsilon=0.1).perturbed(given)
    peaks, before = (
        part
        if hasattr(part, "intensity")
        else next(p for f in fields(part) if hasattr(p := getattr(part, f.name), "intensity"))
        for part in (changed, collated)
    )
    moved = (peaks.intensity / before.intensity)[before.mask]
    assert torch.isfinite(peaks.intensity).all()
    assert (peaks.intensity[~before.mask] == 0).all()
    assert moved.min() < moved.max()
    assert torch.isfinite(Adversarial(epsilon=0.1)(given))
