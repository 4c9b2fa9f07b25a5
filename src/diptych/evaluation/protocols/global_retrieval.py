"""Global retrieval: the rank of the right structure among everything that a library holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from diptych.errors import EvaluationError
from diptych.evaluation.evaluation import Evaluation
from diptych.evaluation.results.answers import Answers

_CELLS_AT_A_TIME = 8_000_000
_NOWHERE = -1
# Products in other batch shapes differ in their last bits; structures of one vector must tie.
_DECIMALS = 6


class RowNames(Protocol):
    """The first blocks of a library's rows: a list, or something that looks them up."""

    def __getitem__(self, row: int, /) -> str:
        """Return the first block of a row."""
        ...


def global_answers(
    name: str,
    query_vectors: NDArray[np.floating],
    library_vectors: NDArray[np.floating],
    *,
    target_rows: NDArray[np.int64],
    first_blocks: RowNames | None = None,
) -> Answers:
    """Return the rank of each query's target among all rows of a library.

    Parameters
    ----------
    name
        Of the ranker.
    query_vectors
        Of shape (n_queries, dim), NaN where a query cannot be worked with: a miss.
    library_vectors
        Of shape (n, dim); may be memory-mapped. It is read twice, a few rows at a time. A target's row that is not
        finite is a miss.
    target_rows
        int64, of shape (n_queries,): row of each target, -1 where the library lacks it: a miss.
    first_blocks
        Of the library's rows, so that the first of each query can be named: only those are looked up, in ascending
        order. None leaves them unnamed.

    Raises
    ------
    EvaluationError
        There is not one target row for each query, one is beyond the library, or the vectors have another length.

    Notes
    -----
    rank = 1 + |{r != target : v_r . q >= v_target . q}|, exact, with products rounded to six decimals; at most 8
    million products are held at a time.
    """
    _check(query_vectors, library_vectors, target_rows)
    n_queries = len(query_vectors)
    asked = query_vectors.astype(np.float32)
    target_scores = _target_scores(asked, library_vectors, target_rows)
    usable = np.flatnonzero(np.isfinite(target_scores))
    n_above = np.zeros(n_queries, dtype=np.int64)
    best, best_row = np.full(n_queries, -np.inf), np.full(n_queries, _NOWHERE)
    for start, scores in _chunks(asked, library_vectors):
        n_above[usable] += (scores[usable] >= target_scores[usable, None]).sum(axis=1)
        own = np.flatnonzero((target_rows >= start) & (target_rows < start + scores.shape[1]))
        scores[own, target_rows[own] - start] = -np.inf  # whoever ties with the target stands before it
        first = np.nan_to_num(scores, nan=-np.inf).argmax(axis=1)
        value = scores[np.arange(n_queries), first]
        better = value > best
        best[better], best_row[better] = value[better], first[better] + start
    ranks = np.where(np.isfinite(target_scores), n_above, np.inf)
    hit = ranks == 1
    best[hit], best_row[hit] = target_scores[hit], target_rows[hit]
    return Answers(
        ranker=name,
        ranks=ranks,
        target_scores=target_scores,
        best_scores=np.where(best_row == _NOWHERE, np.nan, best),
        best=_named(best_row.tolist(), first_blocks),
    )


def global_evaluation(
    answers: Answers,
    *,
    queries: Sequence[str],
    targets: Sequence[str],
    target_rows: NDArray[np.int64],
    n_library: int,
    controls: Sequence[Answers] = (),
    n_bootstrap: int = 2000,
    seed: int = 0,
    provenance: Mapping[str, Any] | None = None,
) -> Evaluation:
    """Return the evaluation of global answers, whose lists are all as long as the library.

    Parameters
    ----------
    answers, controls
        As `global_answers` gives them, to the same queries.
    queries, targets
        Identifier and first block of each query.
    target_rows
        As for `global_answers`.
    n_library
        Number of rows.
    n_bootstrap, seed
        Of the intervals over molecules.
    provenance
        Added to what is recorded. Its ``counts`` are the misses of either kind: ``targets_missing_from_their_list``,
        which the library lacks, and ``queries_without_any_score``, which cannot be worked with; a query can be both.
    """
    counts = {
        "targets_missing_from_their_list": int((target_rows == _NOWHERE).sum()),
        "queries_without_any_score": int(np.isnan(answers.best_scores).sum()),
    }
    return Evaluation(
        queries=tuple(queries),
        targets=tuple(targets),
        list_lengths=np.full(len(queries), n_library, dtype=np.int64),
        answers=answers,
        controls=tuple(controls),
        provenance={**(provenance or {}), "counts": counts},
        ks=(1, 5, 20, 100),
        n_bootstrap=n_bootstrap,
        seed=seed,
    )


def _named(rows: Sequence[int], first_blocks: RowNames | None) -> tuple[str, ...]:
    if first_blocks is None:
        return ("",) * len(rows)
    names = {row: first_blocks[row] for row in sorted(set(rows) - {_NOWHERE})}
    return tuple(names.get(row, "") for row in rows)


def _chunks(queries: NDArray[np.float32], library: NDArray[np.floating]) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield the first row of each chunk of the library and the products of all queries with the chunk."""
    size = max(1, _CELLS_AT_A_TIME // max(queries.shape[0], queries.shape[1], 1))
    for start in range(0, len(library), size):
        yield start, np.asarray((queries @ library[start : start + size].astype(np.float32).T).round(_DECIMALS))


def _target_scores(
    queries: NDArray[np.float32], library: NDArray[np.floating], target_rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the product of each query with its target as `_chunks` gives it, NaN where there is no finite one."""
    scores = np.full(len(queries), np.nan)
    for start, products in _chunks(queries, library):
        own = np.flatnonzero((target_rows >= start) & (target_rows < start + products.shape[1]))
        scores[own] = products[own, target_rows[own] - start]
    return np.where(np.isfinite(scores), scores, np.nan)


def _check(
    query_vectors: NDArray[np.floating], library_vectors: NDArray[np.floating], target_rows: NDArray[np.int64]
) -> None:
    if query_vectors.shape[1:] != library_vectors.shape[1:] or len(target_rows) != len(query_vectors):
        raise EvaluationError(
            f"global retrieval: {len(target_rows)} targets of queries of shape {query_vectors.shape} in a library of "
            f"shape {library_vectors.shape}; expected one target for each query and vectors of one length"
        )
    if target_rows.size and not _NOWHERE <= target_rows.min() <= target_rows.max() < len(library_vectors):
        raise EvaluationError(
            f"global retrieval: target rows from {target_rows.min()} to {target_rows.max()}; expected rows of a "
            f"library of {len(library_vectors)}, or -1"
        )
