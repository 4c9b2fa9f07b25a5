import numpy as np
import pytest

from diptych.errors import EvaluationError
from diptych.evaluation.protocols import global_retrieval
from diptych.evaluation.protocols.global_retrieval import global_answers, global_evaluation

LIBRARY = np.array([[1, 0], [0.6, 0.8], [0, 1], [0, 1]], dtype=np.float16)
QUERIES = np.array([[1, 0], [0, 1], [0, 1], [np.nan, np.nan], [1, 0]], dtype=np.float32)
# Row 1 scores 0.6 for the first query, below row 0; rows 2 and 3 tie, against the target; then nothing to work with,
# and a target that the library lacks.
TARGETS = np.array([1, 2, 1, 0, -1])


@pytest.mark.parametrize("cells", [1, 10, 8_000_000])
def test_ranks_worked_out_by_hand_whatever_the_size_of_the_chunks(cells: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(global_retrieval, "_CELLS_AT_A_TIME", cells)
    found = global_answers("model", QUERIES, LIBRARY, target_rows=TARGETS, first_blocks=list("ABCD"))
    np.testing.assert_array_equal(found.ranks, [2, 2, 3, np.inf, np.inf])
    np.testing.assert_allclose(found.target_scores, [0.6, 1.0, 0.8, np.nan, np.nan], atol=1e-3)
    np.testing.assert_allclose(found.best_scores, [1.0, 1.0, 1.0, np.nan, 1.0])
    # Where the target ties, the other stood first.
    assert found.best == ("A", "D", "C", "", "A")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_target_whose_vector_is_not_finite_is_a_miss_and_no_rival_of_others(value: float):
    library = LIBRARY.copy()
    library[1] = value
    queries = np.array([[1, 0.5], [0.5, 1]], dtype=np.float32)
    found = global_answers("model", queries[:1], library, target_rows=np.array([1]), first_blocks=list("ABCD"))
    assert (found.ranks[0], np.isnan(found.target_scores[0]), found.best) == (np.inf, True, ("A",))
    if not value > 0:
        assert global_answers("model", queries[1:], library, target_rows=np.array([2])).ranks[0] == 2


@pytest.mark.parametrize(("apart", "rank"), [(2e-7, 2), (2e-6, 1)])
def test_products_that_agree_to_six_decimals_tie(apart: float, rank: int):
    library = np.array([[0.5, 0], [0.5 + apart, 0]], dtype=np.float32)
    assert library[0, 0] < library[1, 0]
    found = global_answers("model", QUERIES[:1], library, target_rows=np.array([1]), first_blocks=list("AB"))
    assert (found.ranks[0], found.best) == (rank, ("A" if rank == 2 else "B",))


def test_a_row_that_is_not_finite_does_not_hide_what_stood_first():
    library = LIBRARY.copy()
    library[0] = np.nan
    found = global_answers("model", QUERIES[:1], library, target_rows=np.array([2]), first_blocks=list("ABCD"))
    assert (found.ranks[0], found.best, found.n_infinite) == (3, ("B",), 0)
    assert found.best_scores[0] == pytest.approx(0.6, abs=1e-3)


def test_the_list_of_each_query_is_the_library():
    answers = global_answers("model", QUERIES, LIBRARY, target_rows=TARGETS)
    evaluation = global_evaluation(
        answers,
        queries=list("abcde"),
        targets=list("BCBAX"),
        target_rows=TARGETS,
        n_library=4,
        controls=[answers],
        n_bootstrap=10,
    )
    assert evaluation.list_lengths.tolist() == [4] * 5
    assert list(evaluation.metrics) == ["hit_rate@1", "hit_rate@5", "hit_rate@20", "hit_rate@100", "mrr"]
    assert evaluation.metrics["hit_rate@5"].spectrum == pytest.approx(3 / 5)
    assert evaluation.provenance["counts"] == {"targets_missing_from_their_list": 1, "queries_without_any_score": 1}
    assert answers.best == ("",) * 5


def test_a_target_above_all_others_is_named_as_the_first():
    found = global_answers("model", QUERIES[:1], LIBRARY, target_rows=np.array([0]), first_blocks=list("ABCD"))
    assert (found.ranks[0], found.best, found.best_scores[0]) == (1, ("A",), 1.0)


def test_only_rows_that_stood_first_are_named_in_ascending_order():
    class Names:
        def __init__(self) -> None:
            self.asked: list[int] = []

        def __getitem__(self, row: int) -> str:
            self.asked.append(row)
            return "ABCD"[row]

    names = Names()
    found = global_answers("m", QUERIES[[1, 0, 2, 4]], LIBRARY, target_rows=TARGETS[[2, 0, 2, 4]], first_blocks=names)
    assert found.best == ("C", "A", "C", "A")
    assert names.asked == [0, 2]


def test_rows_that_a_set_holds_in_another_order_are_looked_up_in_ascending_order():
    asked: list[int] = []

    class Names:
        def __getitem__(self, row: int) -> str:
            asked.append(row)
            return str(row)

    queries = np.eye(17, dtype=np.float32)[[16, 8, 1]]
    found = global_answers("m", queries, np.eye(17), target_rows=np.array([16, 8, 1]), first_blocks=Names())
    assert (found.best, asked) == (("16", "8", "1"), [1, 8, 16])


def test_targets_and_vectors_must_fit():
    with pytest.raises(EvaluationError, match=r"2 targets of queries of shape \(5, 2\) in a library of shape \(4, 2\)"):
        global_answers("model", QUERIES, LIBRARY, target_rows=TARGETS[:2])
    with pytest.raises(EvaluationError, match="target rows from -1 to 4; expected rows of a library of 4, or -1"):
        global_answers("model", QUERIES, LIBRARY, target_rows=np.array([4, 0, 0, 0, -1]))
