"""What every spectrum tower promises, whatever it is made of."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from diptych.embedding import JointEmbedding
from diptych.encoders import SPECTRUM_ENCODERS, build_encoder
from diptych.encoders.spectra.peak_batch import PeakBatch
from diptych.errors import ConfigError
from diptych.spectra import Adduct, Spectrum

SMALL = {
    "binned-mlp": {"fine_width": 256, "bin_dim": 8, "hidden_dim": 16},
    "binned-jestr": {},
    "binned-cnn": {"bins_per_da": 2, "channels": [8, 16], "hidden_dim": 32},
    "peak-transformer": {"hidden_dim": 32, "n_layers": 2, "n_heads": 4, "n_waves": 24, "n_difference_waves": 8},
    "formula-transformer": {"hidden_dim": 32, "n_layers": 2, "n_heads": 4, "n_waves": 24, "formula_width": 64},
    "peak-graph": {"hidden_dim": 32, "n_layers": 2, "n_waves": 24},
    "multi-scale": {"fine_width": 256, "bin_dim": 16, "hidden_dim": 32},
}
IONS = {"width": 512, "dim": 8}
ALL = pytest.mark.parametrize("name", list(SPECTRUM_ENCODERS))
WITH_AND_WITHOUT_IONS = pytest.mark.parametrize("ions", [None, IONS], ids=["alone", "with-ions"])


def model(name: str, *, ions: dict | None = None) -> JointEmbedding:
    torch.manual_seed(0)
    spectrum = {"name": name, **SMALL[name]}
    structure = {"width": 64, "hidden_dim": 16}
    return JointEmbedding.from_config(spectrum=spectrum, structure=structure, ions=ions, embedding_dim=24).eval()


def spectrum(n_peaks: int = 12, *, seed: int = 0, **fields) -> Spectrum:
    rng = np.random.default_rng(seed)
    defaults = {"precursor_mz": 300.1, "adduct": Adduct.parse("[M+H]+"), "collision_energy": 20.0}
    return Spectrum.from_peaks(rng.uniform(50, 290, n_peaks), rng.uniform(1, 100, n_peaks), **{**defaults, **fields})


def reordered(batch: PeakBatch, order: torch.Tensor) -> PeakBatch:
    values = {field.name: getattr(batch, field.name) for field in fields(batch)}
    of_peaks = {name: value for name, value in values.items() if value.shape[:2] == batch.mask.shape}
    return replace(batch, **{name: value[:, order] for name, value in of_peaks.items()})


@WITH_AND_WITHOUT_IONS
@ALL
def test_vectors_are_finite_and_of_unit_norm(name: str, ions: dict | None):
    vectors = model(name, ions=ions).encode_spectra([spectrum(1), spectrum(40), Spectrum.from_peaks([], [])])
    assert vectors.shape == (3, 24)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


@WITH_AND_WITHOUT_IONS
@ALL
@torch.no_grad()
def test_the_order_of_the_peaks_changes_nothing(name: str, ions: dict | None):
    tower = model(name, ions=ions).spectrum_encoder
    batch = tower.collate([spectrum(9, seed=1), spectrum(12, seed=2)])
    order = torch.randperm(12, generator=torch.Generator().manual_seed(5))
    before, after = tower(batch), tower(reordered(batch, order))
    torch.testing.assert_close(after.global_vector, before.global_vector, atol=1e-5, rtol=0)


@WITH_AND_WITHOUT_IONS
@ALL
def test_padding_and_the_order_of_the_batch_change_nothing(name: str, ions: dict | None):
    embedding = model(name, ions=ions)
    spectra = [spectrum(n, seed=n) for n in (3, 40, 7)]
    together = embedding.encode_spectra(spectra)
    alone = np.vstack([embedding.encode_spectra([one]) for one in spectra])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(embedding.encode_spectra(spectra[::-1])[::-1], together, atol=1e-5)


@ALL
@torch.no_grad()
def test_what_stands_in_the_padding_changes_nothing(name: str):
    tower = model(name, ions=IONS).spectrum_encoder
    batch = tower.collate([spectrum(3), spectrum(9, seed=1)])
    filled = replace(
        batch,
        mz=torch.where(batch.mask, batch.mz, 123.456),
        intensity=torch.where(batch.mask, batch.intensity, 0.9),
    )
    torch.testing.assert_close(tower(filled).global_vector, tower(batch).global_vector, atol=1e-5, rtol=0)


@ALL
def test_the_scale_of_the_intensities_changes_nothing(name: str):
    embedding, one = model(name), spectrum()
    louder = one.with_changes(intensity=one.intensity * 1000)
    np.testing.assert_allclose(embedding.encode_spectra([one]), embedding.encode_spectra([louder]), atol=1e-5)


@ALL
def test_peaks_are_seen_and_withheld_when_asked(name: str):
    embedding = model(name)
    spectra = [spectrum(seed=1), spectrum(seed=2)]
    seeing, blind = embedding.encode_spectra(spectra), embedding.encode_spectra(spectra, blind=True)
    assert np.abs(seeing[0] - seeing[1]).max() > 1e-3
    np.testing.assert_allclose(blind[0], blind[1], atol=1e-6)


@WITH_AND_WITHOUT_IONS
@ALL
def test_a_saved_tower_is_loaded_as_it_was(name: str, ions: dict | None, tmp_path: Path):
    model(name, ions=ions).save(tmp_path / "model")
    loaded = JointEmbedding.load(tmp_path / "model")
    loaded.save(tmp_path / "again")
    again = JointEmbedding.load(tmp_path / "again")
    assert again.digest == loaded.digest
    assert again.config == model(name, ions=ions).config
    spectra = [spectrum(seed=seed) for seed in range(3)]
    np.testing.assert_array_equal(again.encode_spectra(spectra), loaded.encode_spectra(spectra))
    np.testing.assert_allclose(
        loaded.encode_spectra(spectra), model(name, ions=ions).encode_spectra(spectra), atol=5e-3
    )


@WITH_AND_WITHOUT_IONS
@ALL
def test_every_weight_gets_a_gradient(name: str, ions: dict | None):
    tower = model(name, ions=ions).spectrum_encoder.train()
    spectra = [spectrum(seed=seed) for seed in range(4)]
    output = tower(tower.collate(spectra)).global_vector
    (output * torch.linspace(-1, 1, 24)).sum().backward()
    assert [name for name, weight in tower.named_parameters() if weight.grad is None] == []


@ALL
def test_a_tower_computes_in_bfloat16_too(name: str):
    tower = model(name, ions=IONS).spectrum_encoder
    batch = tower.collate([spectrum(seed=seed) for seed in range(4)])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        coarse = tower(batch).global_vector
    coarse.sum().backward()
    cosines = (coarse * tower(batch).global_vector).sum(dim=1)
    assert coarse.dtype == torch.float32
    assert cosines.min() > 0.99


@pytest.mark.parametrize(
    "options",
    [
        {"name": "binned-jestr", "dropout": 2.0},
        {"name": "binned-cnn", "pooling": 0},
        {"name": "binned-cnn", "channels": 32},
        {"name": "peak-transformer", "n_heads": 0},
        {"name": "peak-transformer", "hidden_dim": "wide"},
        {"name": "formula-transformer", "formula_width": "wide"},
        {"name": "peak-graph", "n_layers": "many"},
        {"name": "multi-scale", "boundaries": "wide"},
    ],
    ids=str,
)
def test_impossible_values_give_one_clear_error(options: dict):
    with pytest.raises(ConfigError, match=r"must be (a|at) "):
        build_encoder(SPECTRUM_ENCODERS, options, embedding_dim=24, ion_table=None)
