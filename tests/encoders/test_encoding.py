import numpy as np
import pytest
import torch

from diptych.embedding import JointEmbedding
from diptych.encoders import encoding, precision
from diptych.encoders.encoding import encoding_batch_size, encoding_order
from diptych.errors import ConfigError
from diptych.spectra import Adduct, Spectrum

SMALL = {"hidden_dim": 32, "n_layers": 2, "n_heads": 4, "n_waves": 24, "n_difference_waves": 8}
CPU, GPU = torch.device("cpu"), torch.device("cuda")


def model(name: str = "peak-transformer") -> JointEmbedding:
    torch.manual_seed(0)
    spectrum = {"name": name, **SMALL} if name == "peak-transformer" else {"name": name, "hidden_dim": 16}
    structure = {"width": 64, "hidden_dim": 16}
    return JointEmbedding.from_config(spectrum=spectrum, structure=structure, embedding_dim=24).eval()


def spectrum(n_peaks: int) -> Spectrum:
    rng = np.random.default_rng(n_peaks)
    mz, intensity = rng.uniform(50, 290, n_peaks), rng.uniform(1, 9, n_peaks)
    return Spectrum.from_peaks(mz, intensity, precursor_mz=300.1, adduct=Adduct.parse("[M+H]+"))


def test_spectra_of_like_length_are_encoded_together_where_padding_costs():
    spectra = [spectrum(n) for n in (5, 1, 9, 1)]
    assert encoding_order(model().spectrum_encoder, spectra).tolist() == [1, 3, 0, 2]
    assert encoding_order(model("binned-mlp").spectrum_encoder, spectra).tolist() == [0, 1, 2, 3]


def test_a_processor_takes_fewer_at_a_time_where_peaks_are_tokens():
    assert encoding_batch_size(model().spectrum_encoder, 1024, device=CPU) == 64
    assert encoding_batch_size(model().spectrum_encoder, 16, device=CPU) == 16
    assert encoding_batch_size(model().spectrum_encoder, 1024, device=GPU) == 1024
    assert encoding_batch_size(model("binned-mlp").spectrum_encoder, 1024, device=CPU) == 1024


def test_vectors_come_back_in_the_order_of_the_spectra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(encoding, "_CPU_BATCH", 2)
    embedding, spectra = model(), [spectrum(n) for n in (12, 3, 40, 7, 21)]
    alone = np.vstack([embedding.encode_spectra([one]) for one in spectra])
    np.testing.assert_allclose(embedding.encode_spectra(spectra), alone, atol=1e-5)


def test_coarse_vectors_are_near_those_in_float32(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(encoding, "has_bfloat16", lambda device: True)
    spectra = [spectrum(n) for n in range(1, 40)]
    fine, coarse = (model().encode_spectra(spectra, precision=p) for p in ("float32", "auto"))
    assert fine.dtype == coarse.dtype == np.float32
    assert np.abs(fine - coarse).max() > 0
    assert (fine * coarse).sum(axis=1).min() >= 0.999


@pytest.mark.parametrize(("name", "has"), [("binned-mlp", True), ("peak-transformer", False)])
def test_float32_stays_where_nothing_is_gained(name: str, has: bool, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(encoding, "has_bfloat16", lambda device: has)
    fine, automatic = (model(name).encode_spectra([spectrum(9)], precision=p) for p in ("float32", "auto"))
    np.testing.assert_array_equal(fine, automatic)


def test_another_precision_is_refused():
    with pytest.raises(ConfigError, match="encoding precision is 'half'; expected one of float32, auto"):
        model().encode_spectra([spectrum(3)], precision="half")


def test_the_device_is_asked_what_it_can_do(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False, raising=False)
    assert precision.has_bfloat16()
    assert precision.has_bfloat16(GPU)
    assert not precision.has_bfloat16(CPU)


def test_a_torch_without_the_probes_counts_as_without_bfloat16(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported", raising=False)
    monkeypatch.delattr(torch.cpu, "_is_amx_tile_supported", raising=False)
    assert not precision.has_bfloat16(CPU)
