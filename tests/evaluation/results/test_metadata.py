import math

import numpy as np
import pytest

from diptych.errors import StructureError
from diptych.evaluation.results import metadata as results_metadata
from diptych.evaluation.results.metadata import (
    TrainingMolecules,
    check_mces,
    described,
    first_hit_mces,
    first_hit_tanimoto,
    scaffold_of,
    spectrum_columns,
)
from diptych.evaluation.results.query_results import QueryResults
from diptych.molecules.mces import has_exact_mces
from diptych.spectra.adduct import Adduct
from diptych.spectra.spectrum import Spectrum

BENZENE, TOLUENE, ETHANOL = "c1ccccc1", "Cc1ccccc1", "CCO"


def results(best: list[str], target: list[str]) -> QueryResults:
    n = len(best)
    unknown = np.full(n, math.nan)
    return QueryResults(
        queries=tuple(map(str, range(n))),
        targets=tuple(f"BLOCK{i}" for i in range(n)),
        ranks=np.ones(n),
        n_candidates=np.full(n, 4),
        target_scores=unknown,
        best_scores=unknown,
        best=("",) * n,
        texts={"best_smiles": tuple(best), "target_smiles": tuple(target)},
    )


FOUND = results([TOLUENE, BENZENE, "", "C1CC"], [TOLUENE, TOLUENE, ETHANOL, ""])


def test_the_first_hit_is_as_similar_as_it_is():
    similarity = first_hit_tanimoto(FOUND)
    assert similarity[0] == 1.0
    # Morgan radius 2: benzene has the environments CH, its neighbours, and theirs; toluene shares the first two and
    # two of the bigger ones at the far side of the ring.
    assert 0 < similarity[1] < 1
    assert np.isnan(similarity[2:]).all()


def test_the_bound_of_the_first_hits_distance():
    np.testing.assert_array_equal(first_hit_mces(FOUND, exact=False), [0, 1, math.nan, math.nan])


def test_the_exact_distance_of_the_first_hit():
    if not has_exact_mces():
        pytest.skip("the package myopic-mces is not installed")
    np.testing.assert_array_equal(first_hit_mces(FOUND, exact=True), [0, 1, math.nan, math.nan])


def test_without_its_package_the_exact_distance_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(results_metadata, "has_exact_mces", lambda: False)
    with pytest.raises(StructureError, match="needs the package myopic-mces"):
        first_hit_mces(FOUND, exact=True)


@pytest.mark.parametrize("mces", ["bound", "exact"])
def test_the_distance_asked_for_is_computed_once_a_pair(monkeypatch: pytest.MonkeyPatch, mces: str):
    asked = []
    for name in ("mces_lower_bound", "mces_distance"):
        monkeypatch.setattr(
            results_metadata, name, lambda *pair, name=name: asked.append((name, *pair)) or 40.0 + len(asked)
        )
    monkeypatch.setattr(results_metadata, "has_exact_mces", lambda: True)
    results_metadata._distance.cache_clear()
    found = described(results([BENZENE, BENZENE, TOLUENE], [TOLUENE, TOLUENE, TOLUENE]), mces=mces)
    results_metadata._distance.cache_clear()
    # Above 15 distances are not told apart; of a molecule to itself there is nothing to compute.
    assert found.numbers["mces"].tolist() == [15, 15, 0]
    assert asked == [("mces_lower_bound" if mces == "bound" else "mces_distance", BENZENE, TOLUENE)]


def test_the_distance_is_the_bound_unless_said_otherwise_and_can_be_left_out():
    np.testing.assert_array_equal(described(FOUND).numbers["mces"], [0, 1, math.nan, math.nan])
    assert "mces" not in described(FOUND, mces="none").numbers


def test_what_cannot_be_computed_is_refused_before_anything_is_asked(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(results_metadata, "has_exact_mces", lambda: False)
    check_mces("bound")
    with pytest.raises(StructureError, match=r"pip install 'diptych\[mces\]'"):
        check_mces("exact")


def test_what_a_spectrum_says_becomes_columns():
    spectrum = Spectrum.from_peaks(
        [50.0, 60.0],
        [1.0, 2.0],
        precursor_mz=100.0,
        adduct=Adduct.parse("[M+H]+"),
        collision_energy=20.0,
        instrument_type="LC-ESI-QTOF",
        metadata={"contributor": "Lab"},
    )
    columns = described(FOUND.take([0]), [spectrum]).metadata
    assert columns["adduct"] == ("[M+H]+",)
    assert columns["polarity"] == ("positive",)
    assert columns["instrument_class"] == ("TOF",)
    assert (columns["collision_energy"], columns["n_peaks"], columns["contributor"]) == (("20",), ("2",), ("Lab",))
    assert (columns["formula"], columns["ring_systems"]) == (("C7H8",), ("1",))
    assert columns["structural_class"] == ("benzenoid",)
    assert spectrum_columns([Spectrum.from_peaks([], [])])["adduct"] == [None]


def test_what_training_had_of_the_answers():
    training = TrainingMolecules(first_blocks=("BLOCK0", "X"), smiles=(BENZENE, "CCN"), formulas=("C6H6", "C2H7N"))
    known = described(FOUND)
    columns = training.columns(known)
    assert columns["molecule_seen"] == ["seen", "unseen", "unseen", "unseen"]
    assert columns["formula_seen"] == ["unseen", "unseen", "unseen", None]
    # Toluene's scaffold is benzene; ethanol has none, the last is not known.
    assert columns["scaffold_seen"] == ["seen", "seen", "acyclic", None]
    assert columns["nearest_training"][0] == pytest.approx(first_hit_tanimoto(FOUND)[1])
    assert columns["nearest_training"][3] is None
    assert TrainingMolecules(first_blocks=("X",)).columns(known) == {"molecule_seen": ["unseen"] * 4}


def test_text_that_is_no_molecule_has_no_scaffold():
    assert scaffold_of("C1CC") == ""
    assert scaffold_of(TOLUENE) == BENZENE
