import numpy as np
import pyarrow as pa
import pytest

from diptych.data.dataset import Dataset
from diptych.errors import ConfigError
from diptych.molecules import Structure
from diptych.molecules.features import StructureFeaturiser
from diptych.molecules.fingerprints import MorganFeaturiser
from diptych.molecules.graphs import GraphFeaturiser
from diptych.molecules.smiles_features import SmilesFeaturiser
from diptych.spectra.adduct import Adduct
from diptych.spectra.spectrum import Spectrum
from diptych.training.augmentation import MASS_ERROR_PPM, Replicates, augmented, replicates_for
from diptych.training.config import AugmentationConfig
from diptych.training.structure_augmentation import StructureAugmentation, augmented_structures

MANY = Spectrum.from_peaks(np.linspace(50, 500, 2000), np.linspace(1, 100, 2000), precursor_mz=501.0, identifier="x")
EVERYTHING = AugmentationConfig(
    crop_probability=0.5,
    resolution_probability=0.5,
    precursor_removal_probability=0.5,
    peak_dropout=0.2,
    mz_jitter=1.0,
    intensity_power=0.5,
    intensity_noise=0.1,
    noise_peaks=5.0,
)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_augmentation_is_a_function_of_the_seed_and_nothing_by_default():
    first, again, other = (augmented(MANY, EVERYTHING, rng=generator(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first.mz, again.mz)
    assert np.array_equal(first.intensity, again.intensity)
    assert not np.array_equal(first.mz, other.mz)
    assert augmented(MANY, AugmentationConfig(), rng=generator()) is MANY
    assert EVERYTHING.changes_spectra
    assert not AugmentationConfig().changes_spectra


def test_dropout_and_noise_draw_what_they_drew_in_the_first_release():
    # One number for the share, one per peak, one normal one per peak that stays.
    spectrum = Spectrum.from_peaks([100, 200, 300, 400], [4, 3, 2, 1])
    varied = augmented(spectrum, AugmentationConfig(peak_dropout=0.25, intensity_noise=0.1), rng=generator(5))
    rng = generator(5)
    keep = rng.random(1)[0] * 0.5 <= rng.random(4)
    keep[0] = True
    factor = np.exp(rng.normal(0.0, 0.1, keep.sum()))
    assert varied.mz.tolist() == spectrum.mz[keep].tolist()
    assert varied.intensity.tolist() == pytest.approx((spectrum.intensity[keep] * factor).tolist())


def test_an_augmentation_is_applied_as_often_as_it_says():
    config = AugmentationConfig(precursor_removal_probability=0.3)
    spectrum = Spectrum.from_peaks([100, 200], [1, 1], precursor_mz=200.0)
    removed = [augmented(spectrum, config, rng=generator(seed)).n_peaks == 1 for seed in range(2000)]
    assert np.mean(removed) == pytest.approx(0.3, abs=0.03)


def test_mass_errors_follow_the_instrument_class():
    config = AugmentationConfig(mz_jitter=2.0)
    for name, ppm in (("LC-ESI-QFT", 3.0), ("LC-ESI-QTOF", 7.0), ("something", 10.0)):
        spectrum = MANY.with_changes(instrument_type=name)
        errors = [(augmented(spectrum, config, rng=generator(seed)).mz / MANY.mz - 1).std() for seed in range(20)]
        # Half of the variance is shared by all peaks of a spectrum.
        assert np.mean(errors) * 1e6 == pytest.approx(2 * ppm / np.sqrt(2), rel=0.05)
    assert len(MASS_ERROR_PPM) == 5


def test_crops_stay_within_their_limits():
    config = AugmentationConfig(crop_probability=1.0, crop_low=0.3, crop_high=0.2)
    cropped = [augmented(MANY, config, rng=generator(seed)) for seed in range(300)]
    lowest, highest = (np.array([getattr(s.mz, end)() for s in cropped]) for end in ("min", "max"))
    assert lowest.max() == pytest.approx(0.3 * 501, abs=3)
    assert highest.min() == pytest.approx(0.8 * 501, abs=3)
    isotope = Spectrum.from_peaks([100, 502], [1, 1], precursor_mz=501.0)
    kept = augmented(isotope, AugmentationConfig(crop_probability=1.0, crop_high=0.0), rng=generator())
    assert 502 in kept.mz


def dataset(molecules: list[str], adducts: list[str | None]) -> Dataset:
    n = len(molecules)
    columns = pa.table({"inchikey_first_block": molecules, "adduct": pa.array(adducts, pa.string())})
    return Dataset(columns=columns, offsets=np.arange(n + 1), mz=np.full(n, 100.0), intensity=np.ones(n, np.float32))


DATASET = dataset(["A", "B", "A", "A", "B", "A", "B"], ["[M+H]+", "[M+H]+", "[M+H]+", "[M+Na]+", None, "[M+H]+", None])


def test_replicates_are_of_one_molecule_and_one_known_adduct():
    replicates = Replicates.of(DATASET)
    assert [replicates.others(row).tolist() for row in range(7)] == [[2, 5], [], [0, 5], [], [], [0, 2], []]


def test_replicates_are_merged_as_often_as_it_says():
    ion = Adduct.parse("[M+H]+")
    spectra = [Spectrum.from_peaks([100.0 + row], [1.0], adduct=ion, identifier=str(row)) for row in range(7)]
    replicates, rng = replicates_for(AugmentationConfig(replicate_merging_probability=0.4), DATASET), generator()
    drawn = [replicates.merged(spectra, 0, probability=0.4, rng=rng) for _ in range(1000)]
    assert np.mean([spectrum.n_peaks == 2 for spectrum in drawn]) == pytest.approx(0.4, abs=0.05)
    assert {mz for spectrum in drawn for mz in spectrum.mz.tolist()} == {100.0, 102.0, 105.0}
    assert {spectrum.identifier for spectrum in drawn} == {"0"}
    assert replicates.merged(spectra, 1, probability=1.0, rng=rng) is spectra[1]
    assert replicates_for(AugmentationConfig(), DATASET) is None


MOLS = [Structure.from_smiles(smiles).mol() for smiles in ("CC(=O)Nc1ccc(O)cc1", "CCCCCCCC(=O)OCC")]
FINGERPRINTS = StructureFeaturiser(own=MorganFeaturiser(radius=2, width=64))(MOLS)
GRAPHS = StructureFeaturiser(own=GraphFeaturiser())(MOLS)
SMILES = StructureFeaturiser(own=SmilesFeaturiser(n_random_smiles=8))(MOLS)


def test_graphs_are_varied_and_the_features_themselves_stay():
    settings = StructureAugmentation.of(AugmentationConfig(structure_subgraph_drop=0.3), GRAPHS)
    before = GRAPHS.own.atoms.copy()
    varied = augmented_structures(GRAPHS, settings, rng=generator())
    assert (varied.own.n_atoms < GRAPHS.own.n_atoms).all()
    assert np.array_equal(GRAPHS.own.atoms, before)
    hidden = augmented_structures(
        GRAPHS, StructureAugmentation.of(AugmentationConfig(structure_atom_mask=0.5), GRAPHS), rng=generator()
    )
    assert hidden.own.n_atoms.tolist() == GRAPHS.own.n_atoms.tolist()
    assert hidden.fragments is GRAPHS.fragments


def test_random_smiles_are_drawn_unless_they_are_switched_off():
    settings = StructureAugmentation.of(AugmentationConfig(), SMILES)
    drawn = {tuple(augmented_structures(SMILES, settings, rng=generator(seed)).own.ids) for seed in range(20)}
    assert len(drawn) > 5
    assert StructureAugmentation.of(AugmentationConfig(random_smiles=False), SMILES) is None


def test_without_a_wish_nothing_is_varied():
    assert StructureAugmentation.of(AugmentationConfig(), GRAPHS) is None
    assert augmented_structures(FINGERPRINTS, None, rng=generator()) is FINGERPRINTS


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            AugmentationConfig(structure_atom_mask=0.1),
            r"augmentation\.structure_atom_mask is 0\.1, but the structure tower's features know no atom masking",
        ),
        (
            AugmentationConfig(structure_subgraph_drop=0.2),
            r"augmentation\.structure_subgraph_drop is 0\.2, .* no subgraph dropping; expected a tower that reads",
        ),
    ],
)
@pytest.mark.parametrize("features", [FINGERPRINTS, SMILES], ids=["fingerprints", "smiles"])
def test_what_a_tower_cannot_do_is_refused(features: object, config: AugmentationConfig, message: str):
    with pytest.raises(ConfigError, match=message):
        StructureAugmentation.of(config, features)
