import numpy as np
import pytest

from diptych.annotation.annotation import Annotation
from diptych.annotation.merging import FeatureGroups
from diptych.annotation.questions import MassWindow, Question
from diptych.spectra import Adduct

PROTONATED = Adduct.parse("[M+H]+")


def question(identifier: str, *, mz: float = 200.0, adduct: Adduct = PROTONATED, scans: str = "") -> Question:
    blank = Annotation(identifiers=(identifier,), precursor_mz=mz, adduct=adduct, scans=scans)
    return Question(blank=blank, windows=(MassWindow.around(mz, adduct, ppm=10),))


def unit(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)


def test_the_vector_of_a_feature_is_the_mean_brought_back_to_unit_length():
    groups = FeatureGroups(ppm=10)
    groups.add("f", question("a", scans="1"), unit(1, 0))
    groups.add("f", question("b", scans="2"), unit(0, 1))
    (merged,) = groups.merged()
    assert merged.vector == pytest.approx([2**-0.5, 2**-0.5])
    assert merged.question.blank.identifiers == ("a", "b")
    assert merged.question.blank.scans == "1,2"
    assert merged.question.blank.feature_id == "f"
    assert merged.question.blank.reason == ""


def test_features_come_in_the_order_of_their_first_spectrum_even_if_they_are_mixed():
    groups = FeatureGroups(ppm=10)
    for key, identifier in [("g", "a"), ("f", "b"), ("g", "c")]:
        groups.add(key, question(identifier), unit(1, 0))
    assert [merged.question.blank.identifiers for merged in groups.merged()] == [("a", "c"), ("b",)]


def test_spectra_of_different_precursors_are_answered_apart_with_a_warning():
    groups = FeatureGroups(ppm=10)
    groups.add("f", question("a", mz=200.0), unit(1, 0))
    groups.add("f", question("b", mz=200.0021), unit(0, 1))
    groups.add("f", question("c", mz=200.0019), unit(1, 0))
    first, second = groups.merged()
    assert first.question.blank.identifiers == ("a", "c")
    assert second.question.blank.identifiers == ("b",)
    assert first.question.blank.reason == "feature split: its spectra differ in precursor or adduct, 'f'"


def test_spectra_of_different_adducts_are_answered_apart():
    groups = FeatureGroups(ppm=10)
    groups.add("f", question("a"), unit(1, 0))
    groups.add("f", question("b", adduct=Adduct.parse("[M+Na]+")), unit(1, 0))
    assert len(list(groups.merged())) == 2


def test_opposite_vectors_do_not_divide_by_zero():
    groups = FeatureGroups(ppm=10)
    groups.add("f", question("a"), unit(1, 0))
    groups.add("f", question("b"), unit(-1, 0))
    (merged,) = groups.merged()
    assert merged.vector.tolist() == [0.0, 0.0]
