from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diptych.errors import EvaluationError
from diptych.ranking import CandidateList, FormulaRanker, PrecursorRanker, Query, RandomRanker, ShuffledSpectraRanker
from diptych.ranking.controls import foreign_spectra
from diptych.spectra.adduct import Adduct
from diptych.spectra.spectrum import Spectrum


@dataclass(frozen=True)
class Molecule:
    inchikey_first_block: str
    neutral_mass: float = 100.0
    formula: str = "CH4"


def query(identifier: str = "q", *, blocks: str = "ABC", target: str = "A", **fields: object) -> Query:
    spectrum = Spectrum.from_peaks([50.0], [1.0], identifier=identifier, **fields)
    candidates = CandidateList(structures=tuple(Molecule(block, 100.0 + i) for i, block in enumerate(blocks)))
    return Query(identifier=identifier, spectrum=spectrum, target=target, candidates=candidates)


class Recorder:
    name = "recorder"

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, tuple[str, ...]]] = []

    def score(self, queries):
        self.asked = [(q.identifier, q.spectrum.identifier, tuple(q.candidates.positions)) for q in queries]
        return [np.zeros(len(q.candidates.structures)) for q in queries]


def test_random_scores_are_repeatable_and_change_with_seed_and_query():
    first, again, other_query = RandomRanker().score([query("a"), query("a"), query("b")])
    (other_seed,) = RandomRanker(1).score([query("a")])
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other_query)
    assert not np.array_equal(first, other_seed)


@given(order=st.permutations("ABCDEF"))
def test_random_scores_follow_the_candidate_and_not_its_place(order: list[str]):
    (straight,) = RandomRanker().score([query(blocks="ABCDEF")])
    (permuted,) = RandomRanker().score([query(blocks="".join(order))])
    assert dict(zip("ABCDEF", straight, strict=True)) == dict(zip(order, permuted, strict=True))


def test_random_hits_at_the_rate_of_chance():
    queries = [query(str(i), blocks="ABCD") for i in range(2000)]
    hits = [np.argmax(scores) == 0 for scores in RandomRanker().score(queries)]
    assert np.mean(hits) == pytest.approx(0.25, abs=0.04)


def test_precursor_ranker_scores_minus_the_mass_error():
    proton = 1.007276466
    (scores,) = PrecursorRanker().score([query(precursor_mz=101.0 + proton, adduct=Adduct.parse("[M+H]+"))])
    np.testing.assert_allclose(scores, [-1.0, 0.0, -1.0], atol=2e-6)


def test_precursor_ranker_tries_the_likely_adducts_where_none_is_given():
    sodium = 22.98976928 - 0.00054858
    (scores,) = PrecursorRanker().score([query(precursor_mz=102.0 + sodium, charge=1)])
    assert np.argmax(scores) == 2
    assert scores[2] == pytest.approx(0.0, abs=2e-6)


def test_precursor_ranker_takes_the_stated_adduct_and_no_likelier_one():
    # The precursor fits candidate C as [M+H]+, but as the stated [M+Na]+ a mass lower by the 21.98 between them.
    proton, sodium = 1.00727647, 22.98976928 - 0.00054858
    (scores,) = PrecursorRanker().score([query(precursor_mz=102.0 + proton, adduct=Adduct.parse("[M+Na]+"))])
    np.testing.assert_allclose(scores, -(np.array([100.0, 101.0, 102.0]) - (102.0 + proton - sodium)), atol=2e-6)


@pytest.mark.parametrize(("charge", "shift"), [(1, 1.00727647), (-1, -1.00727647), (None, 1.00727647)])
def test_precursor_ranker_tries_adducts_of_the_polarity_and_else_positive_ones(charge: int | None, shift: float):
    (scores,) = PrecursorRanker().score([query(precursor_mz=101.0 + shift, charge=charge)])
    assert scores[1] == pytest.approx(0.0, abs=2e-6)
    assert (scores[[0, 2]] < -0.9).all()


def test_precursor_ranker_cannot_score_without_a_precursor():
    (scores,) = PrecursorRanker().score([query()])
    assert np.isnan(scores).all()


def test_candidates_of_one_mass_tie():
    same = CandidateList(structures=(Molecule("A", 100.0), Molecule("B", 100.0 + 1e-10)))
    (scores,) = PrecursorRanker().score(
        [replace(query(precursor_mz=101.0, adduct=Adduct.parse("[M+H]+")), candidates=same)]
    )
    assert scores[0] == scores[1]


@pytest.mark.parametrize(("apart", "tie"), [(2e-7, True), (2e-6, False)])
def test_masses_that_agree_to_a_millionth_tie(apart: float, tie: bool):
    same = CandidateList(structures=(Molecule("A", 100.0), Molecule("B", 100.0 - apart)))
    asked = query(precursor_mz=101.0 + 1.007276467, adduct=Adduct.parse("[M+H]+"))
    (scores,) = PrecursorRanker().score([replace(asked, candidates=same)])
    assert bool(scores[0] == scores[1]) is tie


@pytest.mark.parametrize("fields", [{}, {"precursor_mz": 101.0}])
def test_an_empty_list_has_no_scores(fields: dict[str, float]):
    (scores,) = PrecursorRanker().score([replace(query(**fields), candidates=CandidateList(structures=()))])
    assert scores.shape == (0,)


def test_a_perfect_formula_predictor_ties_the_candidates_of_the_right_formula():
    mixed = CandidateList(structures=(Molecule("A"), Molecule("B", formula="NH3"), Molecule("C")))
    asked = [replace(query(target=target), candidates=mixed) for target in ("A", "B", "X")]
    scores = FormulaRanker().score(asked)
    np.testing.assert_array_equal(scores, [[1, 0, 1], [0, 1, 0], [np.nan] * 3])


def test_shuffled_queries_keep_their_candidates_but_get_a_foreign_spectrum():
    recorder = Recorder()
    queries = [query("1", target="A"), query("2", target="A"), query("3", target="B", blocks="BX")]
    ShuffledSpectraRanker(recorder).score(queries)
    assert [asked[0] for asked in recorder.asked] == ["1", "2", "3"]
    assert [asked[1] for asked in recorder.asked[:2]] == ["3", "3"]
    assert recorder.asked[2][1] in {"1", "2"}
    assert recorder.asked[2][2] == ("B", "X")


def test_the_order_of_the_queries_does_not_decide_whose_spectrum_each_gets():
    queries = [query(str(number), target="ABCDE"[number % 5]) for number in range(20)]
    found = []
    for asked in (queries, queries[::-1]):
        recorder = Recorder()
        ShuffledSpectraRanker(recorder).score(asked)
        found.append({asked[0]: asked[1] for asked in recorder.asked})
    assert found[0] == found[1]


@given(targets=st.lists(st.sampled_from("AAAAAB"), min_size=1, max_size=30), seed=st.integers(0, 5))
def test_a_donor_is_always_another_molecule(targets: list[str], seed: int):
    if len(set(targets)) < 2:
        return
    donors = foreign_spectra(targets, seed=seed)
    assert all(targets[donor] != target for donor, target in zip(donors, targets, strict=True))
    np.testing.assert_array_equal(donors, foreign_spectra(targets, seed=seed))


def test_one_molecule_has_no_foreign_spectrum():
    with pytest.raises(EvaluationError, match=r"all 2 queries are of one molecule \(A\)"):
        ShuffledSpectraRanker(Recorder()).score([query("1"), query("2")])


def test_no_queries_are_no_trouble():
    assert ShuffledSpectraRanker(Recorder()).score([]) == []
    assert RandomRanker().score([]) == []
