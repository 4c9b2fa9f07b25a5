import numpy as np
import pytest
import torch

from diptych.embedding import JointEmbedding
from diptych.encoders import SPECTRUM_ENCODERS, build_encoder
from diptych.encoders.output import joined_blocks
from diptych.encoders.spectra.conditions import stated_energy
from diptych.encoders.spectra.peak_batch import PeakBatch
from diptych.errors import ConfigError
from diptych.molecules import Structure
from diptych.spectra import Adduct, Spectrum

SMALL = {"fine_width": 256, "bin_dim": 8, "hidden_dim": 16}


def model(*, ions: dict | None = None, seed: int = 0) -> JointEmbedding:
    torch.manual_seed(seed)
    return JointEmbedding.from_config(
        spectrum=SMALL, structure={"width": 128, "hidden_dim": 16}, ions=ions, embedding_dim=24
    ).eval()


IONS = {"width": 512, "dim": 8}


def spectrum(n_peaks: int = 5, *, seed: int = 0, **fields) -> Spectrum:
    rng = np.random.default_rng(seed)
    defaults = {"precursor_mz": 300.1, "adduct": Adduct.parse("[M+H]+"), "collision_energy": 20.0}
    return Spectrum.from_peaks(rng.uniform(50, 290, n_peaks), rng.uniform(1, 100, n_peaks), **{**defaults, **fields})


@pytest.mark.parametrize("ions", [None, IONS])
def test_vectors_have_unit_norm(ions):
    embedding = model(ions=ions)
    spectra = [spectrum(n, seed=n) for n in (1, 5, 30)]
    structures = [Structure.from_smiles(s) for s in ("CCO", "c1ccccc1O", "CC(=O)Nc1ccc(O)cc1")]
    for vectors in (embedding.encode_spectra(spectra), embedding.encode_structures(structures)):
        assert vectors.shape == (3, 24)
        assert vectors.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_padding_and_the_order_of_the_batch_change_nothing():
    embedding = model(ions=IONS)
    spectra = [spectrum(n, seed=n) for n in (3, 40, 7)]
    together = embedding.encode_spectra(spectra)
    alone = np.vstack([embedding.encode_spectra([one]) for one in spectra])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(embedding.encode_spectra(spectra[::-1])[::-1], together, atol=1e-5)


def test_the_scale_of_the_intensities_changes_nothing():
    embedding = model(ions=IONS)
    one = spectrum(6)
    louder = one.with_changes(intensity=one.intensity * 1000)
    np.testing.assert_allclose(embedding.encode_spectra([one]), embedding.encode_spectra([louder]), atol=1e-5)


def test_a_blind_vector_does_not_depend_on_the_peaks():
    embedding = model(ions=IONS)
    first, second = spectrum(6, seed=1), spectrum(9, seed=2)
    blind = embedding.encode_spectra([first, second], blind=True)
    np.testing.assert_array_equal(blind[0], blind[1])
    seeing = embedding.encode_spectra([first, second])
    assert np.abs(seeing[0] - seeing[1]).max() > 1e-3


def test_acquisition_conditions_are_seen():
    embedding = model()
    changed = [
        spectrum(),
        spectrum(adduct=Adduct.parse("[M+Na]+")),
        spectrum(collision_energy=60.0),
        spectrum(collision_energy=None),
        spectrum(instrument_type="LC-ESI-QTOF"),
        spectrum(precursor_mz=301.1),
        spectrum(adduct=Adduct.parse("[M-H]-")),
    ]
    vectors = embedding.encode_spectra(changed)
    assert all(np.abs(vectors[0] - other).max() > 1e-4 for other in vectors[1:])


def test_a_peak_and_a_fragment_of_one_mass_meet_in_the_ion_table():
    embedding = model(ions={"width": 16384, "dim": 16})
    structure = Structure.from_smiles("CC(=O)Nc1ccc(O)cc1")  # loses ketene: [M+H-C2H2O]+ at 110.0600
    explained = Spectrum.from_peaks([110.0600], [1.0], precursor_mz=152.0706, adduct=Adduct.parse("[M+H]+"))
    foreign = Spectrum.from_peaks([110.4321], [1.0], precursor_mz=152.0706, adduct=Adduct.parse("[M+H]+"))
    block = slice(8, 24)
    ions = embedding.encode_structures([structure])[0, block]
    scores = embedding.encode_spectra([explained, foreign])[:, block] @ ions
    assert scores[0] > scores[1]


def test_a_spectrum_without_peaks_precursor_or_polarity_still_has_a_vector():
    nothing = Spectrum.from_peaks([], [])
    assert np.isfinite(model(ions=IONS).encode_spectra([nothing])).all()


def test_the_mask_says_which_slots_are_peaks():
    batch = PeakBatch.from_spectra([spectrum(2), spectrum(5)])
    assert batch.mask.sum(dim=1).tolist() == [2, 5]
    assert batch.intensity.max(dim=1).values.tolist() == [1.0, 1.0]
    assert batch.adduct.tolist() == [1, 1]


def test_blocks_are_weighted_in_the_score():
    first, second = torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 5.0]])
    output = joined_blocks([first, second], [1.0, 2.0])
    torch.testing.assert_close(output.global_vector, torch.tensor([[1.0, 0.0, 0.0, 2.0]]) / 5**0.5)
    assert output.block_sizes == (2, 2)


def test_an_empty_block_leaves_the_other_alone():
    output = joined_blocks([torch.tensor([[3.0, 4.0]]), torch.zeros(1, 2)], [1.0, 2.0])
    torch.testing.assert_close(output.global_vector, torch.tensor([[0.6, 0.8, 0.0, 0.0]]))


def test_unknown_towers_and_options_are_named():
    with pytest.raises(ConfigError, match=r"unknown tower 'gnn'; expected one of binned-mlp"):
        build_encoder(SPECTRUM_ENCODERS, {"name": "gnn"}, embedding_dim=8, ion_table=None)
    with pytest.raises(ConfigError, match=r"tower 'binned-mlp' has no option 'hiden_dim'; did you mean 'hidden_dim'"):
        build_encoder(SPECTRUM_ENCODERS, {"hiden_dim": 8}, embedding_dim=8, ion_table=None)
    with pytest.raises(ConfigError, match=r"^tower 'binned-mlp': hidden_dim must be a whole number, got 'wide'"):
        build_encoder(SPECTRUM_ENCODERS, {"hidden_dim": "wide"}, embedding_dim=8, ion_table=None)


def test_kilovolts_of_collision_energy_count_as_the_strongest_that_is_common():
    energies = [None, 35.0, 400.0, 20000.0]
    batch = PeakBatch.from_spectra([spectrum(collision_energy=energy) for energy in energies])
    known, energy = stated_energy(batch)
    assert known.tolist() == [False, True, True, True]
    assert energy.tolist() == [0.0, 35.0, 400.0, 400.0]
