import math
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import diptych.ranking
from diptych.errors import EvaluationError
from diptych.ranking import CandidateList, Ranking, rank_against_ties
from diptych.ranking.query import queries_by_list


@dataclass(frozen=True)
class Molecule:
    inchikey_first_block: str


def molecules(names: str) -> tuple[Molecule, ...]:
    return tuple(Molecule(name) for name in names)


scores_with_ties = st.lists(st.sampled_from([0.0, 0.25, 0.5, math.nan, math.inf, -math.inf]), min_size=1, max_size=12)


def test_ties_count_against_the_target():
    assert rank_against_ties(np.array([1.0, 1.0, 1.0, 0.0]), 1) == 3


def test_a_target_without_score_is_infinitely_far_down():
    assert rank_against_ties(np.array([0.1, np.nan]), 1) == math.inf


@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_an_infinity_is_no_score(value: float):
    assert rank_against_ties(np.array([value, -5.0, value]), 1) == 1
    assert rank_against_ties(np.array([value, -5.0]), 0) == math.inf
    ranking = Ranking.from_scores("q", molecules("AB"), scores=np.array([value, -5.0]))
    assert [s.inchikey_first_block for s in ranking.structures] == ["B", "A"]
    np.testing.assert_array_equal(ranking.scores, [-5.0, np.nan])


def test_candidates_without_score_stand_below_everything():
    assert rank_against_ties(np.array([np.nan, -5.0, np.nan]), 1) == 1


@given(scores=scores_with_ties, data=st.data())
def test_rank_does_not_depend_on_the_order_of_the_list(scores: list[float], data: st.DataObject):
    order = data.draw(st.permutations(range(len(scores))))
    position = data.draw(st.integers(0, len(scores) - 1))
    shuffled = np.array([scores[i] for i in order])
    assert rank_against_ties(shuffled, order.index(position)) == rank_against_ties(np.array(scores), position)


@given(scores=scores_with_ties)
def test_a_ranking_gives_the_rank_of_its_scores(scores: list[float]):
    structures = molecules("ABCDEFGHIJKL"[: len(scores)])
    ranking = Ranking.from_scores("q", structures, scores=np.array(scores))
    for position, structure in enumerate(structures):
        rank = ranking.rank_of(structure.inchikey_first_block)
        assert (math.inf if rank is None else rank) == rank_against_ties(np.array(scores), position)


def test_a_ranking_stands_best_first_with_the_unscored_last():
    ranking = Ranking.from_scores("q", molecules("CADB"), scores=np.array([0.5, np.nan, 0.9, 0.5]))
    assert [s.inchikey_first_block for s in ranking.structures] == ["D", "B", "C", "A"]
    np.testing.assert_array_equal(ranking.scores, np.array([0.9, 0.5, 0.5, np.nan], dtype=np.float32))
    assert ranking.rank_of("absent") is None


def test_duplicates_are_removed_and_counted_and_the_unparsed_still_count():
    candidates = CandidateList.distinct(molecules("ABACB"), unparsed=["C1CC"])
    assert [s.inchikey_first_block for s in candidates.structures] == ["A", "B", "C"]
    assert candidates.n_duplicates == 2
    assert candidates.n_candidates == 4
    assert candidates.positions == {"A": 0, "B": 1, "C": 2}


def test_a_list_with_duplicates_is_refused():
    with pytest.raises(EvaluationError, match="holds 3 structures but only 2 distinct first blocks"):
        CandidateList(structures=molecules("ABA"))


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(AttributeError, match="no attribute 'Rankr'; it has RANKERS, BinnedCosineScorer, "):
        diptych.ranking.Rankr  # noqa: B018 - looking it up is the test


def test_queries_of_one_list_stand_together():
    lists = [CandidateList(structures=molecules(blocks)) for blocks in ("AB", "AB")]
    asked = [SimpleNamespace(candidates=lists[i]) for i in (0, 1, 0)]
    assert [positions for _, positions in queries_by_list(asked)] == [[0, 2], [1]]
