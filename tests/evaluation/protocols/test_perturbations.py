import re
from inspect import signature
from pathlib import Path

import numpy as np
import pytest

from diptych.errors import EvaluationError
from diptych.evaluation.protocols.perturbations import PERTURBATIONS, STRENGTHS, OtherEnergies, Perturbation
from diptych.evaluation.protocols.robustness import energy_robustness
from diptych.spectra.adduct import Adduct
from diptych.spectra.spectrum import Spectrum

MEASURED = Spectrum.from_peaks(
    [50.0, 60.0, 70.0, 80.0],
    [100.0, 25.0, 4.0, 1.0],
    precursor_mz=100.0,
    collision_energy=20.0,
    identifier="s",
    metadata={"normalised_collision_energy": "30"},
)


def spoil(name: str, strength: float, *, seed: int = 0) -> Spectrum:
    return Perturbation(name=name, strength=strength, seed=seed)(MEASURED)


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_strength_zero_and_no_peaks_change_nothing(name: str):
    assert spoil(name, 0.0) is MEASURED
    empty = Spectrum.from_peaks([], [])
    assert Perturbation(name=name, strength=1.0)(empty) is empty


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_a_draw_is_repeatable_and_every_spectrum_stays_sorted(name: str):
    for strength in STRENGTHS[name]:
        first, again = spoil(name, strength), spoil(name, strength)
        np.testing.assert_array_equal(first.mz, again.mz)
        np.testing.assert_array_equal(first.intensity, again.intensity)
        assert np.all(np.diff(first.mz) >= 0)
        assert first.precursor_mz == 100.0


def test_noise_is_added_below_the_precursor_with_weak_intensities():
    found = spoil("noise_peaks", 2.0)
    assert found.n_peaks == 12
    added = ~np.isin(found.mz, MEASURED.mz)
    assert set(found.intensity[added]) <= {1.0, 4.0}
    assert found.mz.min() >= 40
    assert found.mz.max() <= 100


@pytest.mark.parametrize(("precursor_mz", "highest"), [(100.0, 100.0), (None, 80.0), (30.0, 41.0)])
def test_noise_reaches_to_the_precursor_or_else_the_last_peak_but_at_least_to_41(
    precursor_mz: float | None, highest: float
):
    spectrum = MEASURED.with_changes(precursor_mz=precursor_mz)
    added = Perturbation(name="noise_peaks", strength=500.0)(spectrum).mz
    added = added[~np.isin(added, MEASURED.mz)]
    assert added.size == 2000
    assert 40 <= added.min() < 40 + 0.01 * (highest - 40)
    assert highest - 0.01 * (highest - 40) < added.max() <= highest


@pytest.mark.parametrize("n_peaks", [1, 2, 4, 5])
def test_noise_is_as_strong_as_the_weaker_half_of_the_peaks(n_peaks: int):
    heights = np.arange(n_peaks, 0, -1.0)
    spectrum = Spectrum.from_peaks(50.0 + np.arange(n_peaks), heights, precursor_mz=100.0)
    found = Perturbation(name="noise_peaks", strength=50.0)(spectrum)
    added = found.intensity[~np.isin(found.mz, spectrum.mz)]
    assert set(added) == set(range(1, {1: 1, 2: 1, 4: 2, 5: 3}[n_peaks] + 1))


def test_peaks_are_dropped_but_never_all():
    assert spoil("dropped_peaks", 0.5).n_peaks == 2
    assert spoil("dropped_peaks", 1.0).n_peaks == 1
    assert set(spoil("dropped_peaks", 0.25).mz) < set(MEASURED.mz)


def test_all_fragments_are_shifted_alike_or_each_by_its_own_error():
    ratio = spoil("shifted_mz_ppm", 10.0).mz / MEASURED.mz - 1
    np.testing.assert_allclose(np.abs(ratio), 10e-6, rtol=1e-6)
    assert np.ptp(ratio) < 1e-12
    assert np.ptp(spoil("scattered_mz_ppm", 10.0).mz / MEASURED.mz) > 1e-7


def test_fragments_are_scattered_by_errors_of_the_stated_deviation_about_nothing():
    many = Spectrum.from_peaks(np.linspace(50, 900, 4000), np.ones(4000), precursor_mz=1000.0, identifier="many")
    ppm = 1e6 * (Perturbation(name="scattered_mz_ppm", strength=20.0)(many).mz / many.mz - 1)
    # Neighbours are 0.2 apart, so that no error of 20 ppm changes their order.
    assert ppm.std() == pytest.approx(20, rel=0.05)
    assert ppm.mean() == pytest.approx(0, abs=1)
    assert len(np.unique(ppm.round(3))) > 3500


def test_shifts_go_either_way():
    signs = {float(np.sign(spoil("shifted_mz_ppm", 10.0, seed=seed).mz - MEASURED.mz)[0]) for seed in range(10)}
    assert signs == {-1.0, 1.0}


def test_a_part_of_the_intensities_is_permuted():
    found = [spoil("permuted_intensities", 0.5, seed=seed).intensity for seed in range(20)]
    assert {int((one != MEASURED.intensity).sum()) for one in found} == {0, 2}


def test_intensities_are_flattened_by_a_power():
    np.testing.assert_allclose(spoil("flattened_intensities", 0.5).intensity, [1, 0.5, 0.2, 0.1], rtol=1e-6)
    np.testing.assert_array_equal(spoil("flattened_intensities", 1.0).intensity, [1, 1, 1, 1])


def test_permuted_intensities_are_the_same_ones():
    orders = [spoil("permuted_intensities", 1.0, seed=seed).intensity.tolist() for seed in range(5)]
    assert all(sorted(order) == [1, 4, 25, 100] for order in orders)
    assert any(order != [100, 25, 4, 1] for order in orders)


def test_the_range_is_cropped_below_a_part_of_the_precursor():
    assert spoil("cropped_range", 0.65).mz.tolist() == [70, 80]
    unknown = MEASURED.with_changes(precursor_mz=None)
    assert Perturbation(name="cropped_range", strength=0.65)(unknown).n_peaks == 4


def test_the_stated_energy_is_changed_and_no_peak():
    found = spoil("stated_energy", 0.5)
    assert found.collision_energy == 30.0
    assert found.metadata["normalised_collision_energy"] == "45.0"
    assert found.mz is MEASURED.mz
    silent = MEASURED.with_changes(collision_energy=None, metadata={})
    assert Perturbation(name="stated_energy", strength=0.5)(silent).collision_energy is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [("35%", "52.5"), ("20, 35, 50", "52.5"), ("35 NCE", "52.5"), ("stepped", "stepped")],
)
def test_a_stated_energy_is_read_however_it_is_written(text: str, expected: str):
    stated = MEASURED.with_changes(metadata={"normalised_collision_energy": text})
    found = Perturbation(name="stated_energy", strength=0.5)(stated)
    assert found.metadata["normalised_collision_energy"] == expected


def test_the_nearest_other_energy_of_the_same_ion_takes_a_query_s_place():
    proton, sodium = Adduct.parse("[M+H]+"), Adduct.parse("[M+Na]+")

    def measured(name: str, energy: float | None, adduct: Adduct = proton) -> Spectrum:
        return Spectrum.from_peaks([50.0], [1.0], identifier=name, collision_energy=energy, adduct=adduct)

    query = measured("q", 20.0)
    others = (query, measured("a", 24.0), measured("b", 40.0), measured("c", 60.0), measured("d", 30.0, sodium))
    energies = OtherEnergies.of({"A": (*others, measured("e", None))})
    assert energies.nearest("A", query, at_least_ev=1.0).identifier == "a"
    assert energies.nearest("A", query, at_least_ev=10.0).identifier == "b"
    assert energies.nearest("A", query, at_least_ev=50.0) is None
    assert energies.nearest("B", query, at_least_ev=1.0) is None
    assert energies.nearest("A", measured("q", None), at_least_ev=1.0) is None


def test_the_usual_strengths_are_those_of_the_documentation():
    text = (Path(__file__).parents[3] / "docs" / "evaluation.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([-\d., ]+) \|", text.partition("## Robustness")[2], flags=re.MULTILINE)
    stated = {name: tuple(map(float, strengths.split(","))) for name, strengths in rows}
    distances = signature(energy_robustness).parameters["distances_ev"].default
    assert stated == {**STRENGTHS, "other_energy_ev": distances}


def test_an_unknown_perturbation_or_strength_is_refused():
    with pytest.raises(EvaluationError, match="no perturbation 'heat'; expected one of noise_peaks"):
        Perturbation(name="heat", strength=1.0)
    with pytest.raises(EvaluationError, match="'noise_peaks': strength nan; expected a number"):
        Perturbation(name="noise_peaks", strength=float("nan"))
