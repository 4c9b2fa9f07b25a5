from dataclasses import replace

import pytest
import torch

from diptych.encoders import SPECTRUM_ENCODERS, build_encoder
from diptych.encoders.ion_table import IonTable
from diptych.encoders.spectra.peak_transformer import PeakTransformerEncoder
from diptych.errors import ConfigError
from diptych.spectra import Adduct, Spectrum

SMALL = {"hidden_dim": 16, "n_layers": 2, "n_heads": 2, "n_waves": 12, "n_difference_waves": 4}


def tower(*, ion_table: IonTable | None = None) -> PeakTransformerEncoder:
    torch.manual_seed(0)
    return PeakTransformerEncoder(embedding_dim=12, ion_table=ion_table, **SMALL).eval()


def spectrum(*mz: float, **fields) -> Spectrum:
    defaults = {"precursor_mz": 300.1, "adduct": Adduct.parse("[M+H]+"), "collision_energy": 20.0}
    return Spectrum.from_peaks(mz, range(1, len(mz) + 1), **{**defaults, **fields})


@torch.no_grad()
def test_every_peak_has_a_unit_vector_and_padding_has_none():
    encoder = tower(ion_table=IonTable(width=64, dim=4))
    output = encoder(encoder.collate([spectrum(60.0, 90.0, 120.0), spectrum(60.0)]))
    assert output.token_vectors.shape == (2, 3, 8)
    assert output.token_mask.tolist() == [[True, True, True], [True, False, False]]
    torch.testing.assert_close(output.token_vectors.norm(dim=-1), output.token_mask.float())


@torch.no_grad()
def test_the_vectors_of_peaks_follow_the_order_of_the_peaks():
    encoder = tower()
    batch = encoder.collate([spectrum(60.0, 90.0, 120.0)])
    order = torch.tensor([2, 0, 1])
    turned = replace(batch, mz=batch.mz[:, order], intensity=batch.intensity[:, order])
    before, after = encoder(batch), encoder(turned)
    torch.testing.assert_close(after.token_vectors, before.token_vectors[:, order], atol=1e-5, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize(
    "changed",
    [
        {"adduct": Adduct.parse("[M+Na]+")},
        {"adduct": Adduct.parse("[M-H]-")},
        {"collision_energy": 60.0},
        {"collision_energy": None},
        {"instrument_type": "LC-ESI-QTOF"},
        {"precursor_mz": 301.1},
        {"precursor_mz": None},
    ],
    ids=str,
)
def test_acquisition_conditions_are_seen(changed: dict):
    encoder = tower()
    spectra = [spectrum(60.0, 90.0), spectrum(60.0, 90.0, **changed)]
    vectors = encoder(encoder.collate(spectra)).global_vector
    assert (vectors[0] - vectors[1]).abs().max() > 1e-4


@torch.no_grad()
def test_a_millidalton_is_seen():
    encoder = tower()
    vectors = encoder(encoder.collate([spectrum(60.0, 90.0), spectrum(60.0, 90.001)])).global_vector
    assert (vectors[0] - vectors[1]).abs().max() > 1e-4


@torch.no_grad()
def test_only_the_differences_of_masses_reach_the_attention():
    encoder = tower()
    batch = encoder.collate([spectrum(60.0, 90.0)])
    waves = encoder._token_differences(batch)
    assert waves.shape == (1, 7, 8)
    assert waves[0, 1:5].count_nonzero() == 0
    attention = encoder.layers[0].attention
    torch.nn.init.normal_(attention.even)
    torch.nn.init.normal_(attention.odd)
    left, right = attention.difference_factors(waves)
    shifted = replace(batch, mz=batch.mz + 7.3, precursor_mz=batch.precursor_mz + 7.3)
    left_shifted, right_shifted = attention.difference_factors(encoder._token_differences(shifted))
    torch.testing.assert_close(
        left_shifted @ right_shifted.transpose(-1, -2), left @ right.transpose(-1, -2), atol=1e-4, rtol=0
    )


def test_impossible_options_are_refused():
    fixed = {"embedding_dim": 12, "ion_table": None}
    with pytest.raises(ConfigError, match="the hidden dimension is 16; expected a multiple of the number of heads, 3"):
        build_encoder(SPECTRUM_ENCODERS, {"name": "peak-transformer", **SMALL, "n_heads": 3}, **fixed)
    with pytest.raises(ConfigError, match=r"wavelengths from 0\.001 to 0\.0001 Da"):
        build_encoder(SPECTRUM_ENCODERS, {"name": "peak-transformer", **SMALL, "longest_wave": 1e-4}, **fixed)
