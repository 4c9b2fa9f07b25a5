import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from diptych.retrieval import search
from diptych.retrieval.search import Hits, best_hits, scores_of, search_everything


def embeddings_of(n: int, dim: int, *, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(n, dim)).astype(np.float32)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)


def query_of(dim: int, *, seed: int = 1) -> np.ndarray:
    vector = np.random.default_rng(seed).normal(size=dim).astype(np.float32)
    return vector / np.linalg.norm(vector)


def brute_force(scores: np.ndarray, top: int) -> list[int]:
    return sorted(range(scores.size), key=lambda row: (-float(scores[row]), row))[:top]


def test_a_score_is_the_dot_product():
    embeddings = np.array([[1, 0, 0], [0, 0.5, 0.5], [-1, 2, 0.25]], dtype=np.float16)
    scores = scores_of(embeddings, np.array([2, 4, -8], dtype=np.float32))
    assert scores.dtype == np.float32
    assert scores.tolist() == [2.0, -2.0, 4.0]


@given(st.integers(1, 70), st.integers(1, 300), st.integers(0, 400), st.integers(1, 400))
def test_a_row_has_one_score_whichever_rows_stand_beside_it(dim: int, n: int, start: int, size: int):
    embeddings, query = embeddings_of(n, dim), query_of(dim)
    part = slice(min(start, n - 1), min(start + size, n))
    everything = scores_of(embeddings, query)
    assert np.array_equal(scores_of(embeddings[part], query), everything[part])


def test_chunks_do_not_change_a_score(monkeypatch: pytest.MonkeyPatch):
    embeddings, query = embeddings_of(100, 33), query_of(33)
    whole = scores_of(embeddings, query)
    monkeypatch.setattr(search, "_CHUNK_ROWS", 7)
    assert np.array_equal(scores_of(embeddings, query), whole)


@given(st.lists(st.integers(0, 5), max_size=40), st.integers(0, 12))
def test_the_best_come_first_and_ties_by_row(values: list[int], top: int):
    scores = np.array(values, dtype=np.float32)
    hits = best_hits(scores, top=top)
    assert hits.rows.tolist() == brute_force(scores, top)
    assert hits.scores.tolist() == [values[row] for row in hits.rows]
    assert (hits.rows.dtype, hits.scores.dtype, len(hits)) == (np.int64, np.float32, min(top, len(values)))


def test_rows_may_have_numbers_of_their_own():
    hits = best_hits(np.array([1, 3, 3], dtype=np.float32), top=2, rows=np.array([10, 20, 30]))
    assert hits.rows.tolist() == [20, 30]


@given(st.integers(1, 120), st.integers(1, 20), st.integers(1, 15), st.integers(0, 3))
def test_searching_everything_finds_what_brute_force_finds(n: int, dim: int, top: int, seed: int):
    embeddings = embeddings_of(n, dim, seed=seed)
    queries = np.stack([query_of(dim, seed=s) for s in range(3)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "_CHUNK_ROWS", 16)
        found = search_everything(embeddings, queries, top=top)
    for query, hits in zip(queries, found, strict=True):
        expected = best_hits(scores_of(embeddings, query), top=top)
        assert np.array_equal(hits.rows, expected.rows)
        assert np.array_equal(hits.scores, expected.scores)


def test_many_equal_rows_are_taken_in_their_order():
    embeddings = np.repeat(embeddings_of(1, 16), 100, axis=0)
    hits = search_everything(embeddings, query_of(16)[None], top=5)[0]
    assert hits.rows.tolist() == [0, 1, 2, 3, 4]


def test_hits_know_how_many_they_are():
    assert len(Hits(rows=np.arange(3), scores=np.zeros(3, dtype=np.float32))) == 3
