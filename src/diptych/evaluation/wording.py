"""How numbers of things are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_NAMED = 3
_OF_QUERIES = {
    "queries_given": ("query given", "queries given"),
    "queries_not_drawn": ("query not drawn", "queries not drawn"),
    "spectra_without_list": ("spectrum without list", "spectra without list"),
    "queries_left_out_for_short_lists": ("query left out for its short list", "queries left out for short lists"),
    "queries_without_candidates": (
        "query without candidates, among the targets missing from their list",
        "queries without candidates, among the targets missing from their list",
    ),
    "queries_with_one_candidate": ("query with one candidate", "queries with one candidate"),
    "targets_missing_from_their_list": ("target missing from its list", "targets missing from their list"),
    "duplicate_candidates_removed": ("duplicate candidate removed", "duplicate candidates removed"),
    "unparsed_candidates": ("unparsed candidate", "unparsed candidates"),
    "spectra_of_repeated_identifiers": ("spectrum of a repeated identifier", "spectra of repeated identifiers"),
}
_OF_SCORES = {
    "targets_without_score": ("target without score", "targets without score"),
    "infinite_scores": ("infinite score, taken for none", "infinite scores, taken for none"),
    "table_rows_of_duplicate_candidates": (
        "table row of a duplicate candidate",
        "table rows of duplicate candidates",
    ),
    "table_rows_without_score": ("table row without score", "table rows without score"),
    "table_rows_of_unparsed_candidates": ("table row of an unparsed candidate", "table rows of unparsed candidates"),
    "table_scores_of_unknown_queries": ("table score of an unknown query", "table scores of unknown queries"),
    "table_scores_of_unlisted_candidates": (
        "table score of an unlisted candidate",
        "table scores of unlisted candidates",
    ),
    "queries_without_any_score": ("query without any score", "queries without any score"),
}


def counted(n: int, one: str, several: str) -> str:
    """Return a number and what there is so many of.

    Examples
    --------
    >>> counted(1, "query", "queries"), counted(12000, "query", "queries"), counted(0, "query", "queries")
    ('1 query', '12,000 queries', '0 queries')
    """
    return f"{n:,} {one if n == 1 else several}"


def queries_of_molecules(n_queries: int, n_molecules: int) -> str:
    """Return how many queries are asked, of how many molecules.

    Examples
    --------
    >>> queries_of_molecules(3, 1)
    '3 queries of 1 molecule'
    """
    return f"{counted(n_queries, 'query', 'queries')} of {counted(n_molecules, 'molecule', 'molecules')}"


def repeated_line(n: int, names: Sequence[str]) -> str:
    """Return a sentence on the spectra whose identifier another spectrum of the file had, and what they are called.

    Parameters
    ----------
    n
        How many there are.
    names
        What the reader calls them; the first few are told.

    Examples
    --------
    >>> repeated_line(1, ["S002#2"])
    '1 spectrum shares its identifier with one before it; it is called S002#2.'
    """
    told = ", ".join(names[:_NAMED])
    end = ", ..." if n > len(names[:_NAMED]) else "."
    shared = counted(
        n,
        "spectrum shares its identifier with one before it; it is called",
        "spectra share an identifier with one before them; they are called",
    )
    return f"{shared} {told}{end}"


def query_count_lines(counts: Mapping[str, Any]) -> list[str]:
    """Return a line for every count of queries and lists that is not 0: the same whoever is asked.

    Examples
    --------
    >>> query_count_lines({"queries_given": 2, "unparsed_candidates": 1, "queries_not_drawn": 0, "seed": 3})
    ['2 queries given', '1 unparsed candidate']
    """
    return _count_lines(counts, _OF_QUERIES)


def score_count_lines(counts: Mapping[str, Any]) -> list[str]:
    """Return a line for every count of what one ranker gave that is not 0."""
    return _count_lines(counts, _OF_SCORES)


def _count_lines(counts: Mapping[str, Any], words: Mapping[str, tuple[str, str]]) -> list[str]:
    return [counted(n, *words[name]) for name, n in counts.items() if name in words and n]
