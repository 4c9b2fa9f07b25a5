"""Library search: the molecule of a spectrum is sought among reference spectra, by any measure of likeness."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diptych.errors import EvaluationError
from diptych.evaluation.statistics.metrics import hit_rate_at

if TYPE_CHECKING:
    from diptych.evaluation.protocols.searchable_spectra import SearchableSpectra
    from diptych.ranking.spectrum_scorers import SpectrumScorer


@dataclass(frozen=True, kw_only=True)
class SearchForm:
    """One form of the question.

    Attributes
    ----------
    name
        What reports call it.
    ppm
        Only references whose precursor m/z lies within this of the query's compete. None: all do (open search).
    competitors_only
        Whether only queries are asked that have a reference of another molecule within ``ppm``.
    foreign_origin
        Whether references of the query's own molecule count only if they are from another origin (contributor) than the
        query; queries that have none are not asked.
    foreign_instrument
        The same of another class of instrument.
    """

    name: str
    ppm: float | None = None
    competitors_only: bool = False
    foreign_origin: bool = False
    foreign_instrument: bool = False

    def __post_init__(self) -> None:
        if self.ppm is not None and not self.ppm > 0:
            raise EvaluationError(f"search form {self.name!r}: ppm is {self.ppm!r}; expected a number above 0")


FORMS = (
    SearchForm(name="open"),
    SearchForm(name="10 ppm", ppm=10.0),
    SearchForm(name="10 ppm, with a competitor", ppm=10.0, competitors_only=True),
    SearchForm(name="10 ppm, with a competitor, other origin", ppm=10.0, competitors_only=True, foreign_origin=True),
)
RIVALLED = FORMS[2]
OTHER_INSTRUMENT = SearchForm(
    name="10 ppm, with a competitor, other instrument class", ppm=10.0, competitors_only=True, foreign_instrument=True
)


@dataclass(frozen=True, kw_only=True, eq=False)
class SearchAnswers:
    """The rank of the right molecule of every query that a form asks.

    Attributes
    ----------
    scorer
        Its name.
    form
        Which question.
    asked
        int64, of shape (n_asked,): rows of the queries among the searchable spectra.
    ranks
        float64, of shape (n_asked,): 1-based, ties against the target; infinity is a miss.
    counts
        ``queries_given``; of them ``without_own_reference`` (of the kind that the form asks for; missed in a form that
        asks every query, left out where the form is of another origin) and ``without_competitor`` (left out where
        the form asks for one); of those asked ``misses``: no own reference in the window, or none with a score.
    """

    scorer: str
    form: SearchForm
    asked: NDArray[np.int64]
    ranks: NDArray[np.float64]
    counts: Mapping[str, int] = field(default_factory=dict)

    def hit_rate_at(self, k: int) -> float:
        """Return the fraction of the queries asked whose molecule stands at rank k or better; NaN of none asked."""
        return hit_rate_at(k, self.ranks) if self.ranks.size else math.nan

    def by_group(self, groups: Sequence[str]) -> dict[str, SearchAnswers]:
        """Return the answers to the queries of each group, in the order of their names.

        Parameters
        ----------
        groups
            Of every searchable spectrum, as ``instrument_classes``. Counts are of those asked alone.
        """
        names = np.array([groups[row] for row in self.asked.tolist()], dtype=str)
        return {name: self._only(names == name) for name in np.unique(names).tolist()}

    def of_group(self, groups: Sequence[str], name: str) -> SearchAnswers:
        """Return the answers to the queries of one group, which may be none."""
        return self._only(np.array([groups[row] == name for row in self.asked.tolist()], dtype=bool))

    def _only(self, chosen: NDArray[np.bool_]) -> SearchAnswers:
        ranks = self.ranks[chosen]
        counts = {"queries_given": int(chosen.sum()), "misses": int(np.isinf(ranks).sum())}
        return replace(self, asked=self.asked[chosen], ranks=ranks, counts=counts)


def search(
    scorer: SpectrumScorer,
    spectra: SearchableSpectra,
    *,
    queries: ArrayLike,
    references: ArrayLike,
    forms: Sequence[SearchForm] = FORMS,
) -> tuple[SearchAnswers, ...]:
    """Return the answers to each form of the question, all from one pass over the scores.

    Parameters
    ----------
    scorer
        Says how alike two spectra are.
    spectra
        Both the queries and the references.
    queries, references
        Rows among ``spectra``; no query may be its own reference.
    forms
        Of the question.

    Raises
    ------
    EvaluationError
        There is no query or no reference, one is both, a query is given twice, or the scorer gave another number of
        scores than asked for.

    Notes
    -----
    Only references of the query's adduct compete. rank = 1 + |{r of another molecule : s_r >= max of s over own
    references}|, so a tie counts against the target. A score of NaN is below every number.
    """
    return search_splits(scorer, spectra, splits=[(queries, references)], forms=forms)[0]


def search_splits(
    scorer: SpectrumScorer,
    spectra: SearchableSpectra,
    *,
    splits: Sequence[tuple[ArrayLike, ArrayLike]],
    forms: Sequence[SearchForm] = FORMS,
) -> list[tuple[SearchAnswers, ...]]:
    """Return for each split, queries and references, what `search` does; each query is scored once for all splits.

    Parameters
    ----------
    scorer, spectra, forms
        Of `search`.
    splits
        Rows of queries and rows of references among ``spectra``.

    Raises
    ------
    EvaluationError
        As `search`, for any of the splits; or there is none.
    """
    rows = [(np.asarray(asked, dtype=np.int64), np.asarray(known, dtype=np.int64)) for asked, known in splits]
    if not rows:
        raise EvaluationError("library search: no split; expected at least one")
    for asked, known in rows:
        _check_rows(asked, known)
    every_query = list(dict.fromkeys(np.concatenate([asked for asked, _ in rows]).tolist()))
    every_reference = np.unique(np.concatenate([known for _, known in rows]))
    views = [_References.of(spectra, known) for _, known in rows]
    places = [np.searchsorted(every_reference, known) for _, known in rows]
    members = [set(asked.tolist()) for asked, _ in rows]
    found = [[_Tally(form) for form in forms] for _ in rows]
    scored = _rows_of_scores(scorer, spectra, np.array(every_query), every_reference)
    for query, scores in zip(every_query, scored, strict=True):
        for view, place, queries, tallies in zip(views, places, members, found, strict=True):
            if query in queries:
                view.ask(spectra, query, scores[place], tallies)
    return [
        tuple(tally.answers(scorer.name, n_given=len(queries)) for tally in tallies)
        for tallies, queries in zip(found, members, strict=True)
    ]


@dataclass(frozen=True, kw_only=True, eq=False)
class _References:
    """What is known of the references beside their peaks."""

    molecules: NDArray[np.int64]
    ions: NDArray[np.int64]
    origins: NDArray[np.int64]
    instruments: NDArray[np.int64]
    precursor_mz: NDArray[np.float64]

    @classmethod
    def of(cls, spectra: SearchableSpectra, rows: NDArray[np.int64]) -> Self:
        return cls(
            molecules=spectra.molecule_codes[rows],
            ions=spectra.ion_codes[rows],
            origins=spectra.origin_codes[rows],
            instruments=spectra.instrument_codes[rows],
            precursor_mz=spectra.precursor_mz[rows],
        )

    def ask(
        self, spectra: SearchableSpectra, query: int, scores: NDArray[np.floating], found: Sequence[_Tally]
    ) -> None:
        """Add the rank of one query to the tally of every form that asks it."""
        comparable = np.flatnonzero(self.ions == spectra.ion_codes[query])
        scored = np.where(np.isfinite(scores[comparable]), scores[comparable], -np.inf)
        own = self.molecules[comparable] == spectra.molecule_codes[query]
        elsewhere = _foreign(self.origins[comparable], spectra.origin_codes[query])
        otherwise = _foreign(self.instruments[comparable], spectra.instrument_codes[query])
        query_mz = spectra.precursor_mz[query]
        ppm_apart = np.abs(self.precursor_mz[comparable] - query_mz) / query_mz * 1e6
        for tally in found:
            inside = np.ones(own.shape, bool) if tally.form.ppm is None else ppm_apart <= tally.form.ppm
            right = own & elsewhere if tally.form.foreign_origin else own
            right = right & otherwise if tally.form.foreign_instrument else right
            tally.add(query, scored, right=right, inside=inside, others=~own)


def _foreign(those: NDArray[np.int64], own: np.int64) -> NDArray[np.bool_]:
    """Return which are known to be another; none is where the own is unknown."""
    foreign: NDArray[np.bool_] = (those != own) & (those >= 0) & (own >= 0)
    return foreign


class _Tally:
    """Ranks of one form, and what was counted on the way."""

    def __init__(self, form: SearchForm) -> None:
        self.form = form
        self.asked: list[int] = []
        self.ranks: list[float] = []
        self.counts = {"without_own_reference": 0, "without_competitor": 0}

    def add(
        self,
        query: int,
        scores: NDArray[np.floating],
        *,
        right: NDArray[np.bool_],
        inside: NDArray[np.bool_],
        others: NDArray[np.bool_],
    ) -> None:
        has_own, has_competitor = bool(right.any()), bool((others & inside).any())
        self.counts["without_own_reference"] += not has_own
        self.counts["without_competitor"] += not has_competitor
        is_foreign = self.form.foreign_origin or self.form.foreign_instrument
        if (is_foreign and not has_own) or (self.form.competitors_only and not has_competitor):
            return
        best = np.max(scores[right & inside], initial=-np.inf)
        n_above = np.count_nonzero(scores[others & inside] >= best)
        self.asked.append(query)
        self.ranks.append(math.inf if best == -np.inf else 1.0 + n_above)

    def answers(self, scorer: str, *, n_given: int) -> SearchAnswers:
        ranks = np.array(self.ranks, dtype=np.float64)
        return SearchAnswers(
            scorer=scorer,
            form=self.form,
            asked=np.array(self.asked, dtype=np.int64),
            ranks=ranks,
            counts={"queries_given": n_given, **self.counts, "misses": int(np.isinf(ranks).sum())},
        )


def _rows_of_scores(
    scorer: SpectrumScorer, spectra: SearchableSpectra, queries: NDArray[np.int64], references: NDArray[np.int64]
) -> Iterator[NDArray[np.floating]]:
    n_rows = 0
    for block in scorer.scores([spectra.spectra[i] for i in queries], [spectra.spectra[i] for i in references]):
        n_rows += len(block)
        if block.ndim != 2 or block.shape[1] != references.size or n_rows > queries.size:
            raise EvaluationError(
                f"scorer {scorer.name!r} gave scores of shape {block.shape}; expected one row for each of "
                f"{queries.size} queries and one column for each of {references.size} references"
            )
        yield from block
    if n_rows < queries.size:
        raise EvaluationError(f"scorer {scorer.name!r} gave {n_rows} rows of scores for {queries.size} queries")


def _check_rows(queries: NDArray[np.int64], references: NDArray[np.int64]) -> None:
    if not queries.size or not references.size:
        raise EvaluationError(
            f"library search: {queries.size} queries and {references.size} references; expected some of both"
        )
    values, counts = np.unique(queries, return_counts=True)
    if (counts > 1).any():
        raise EvaluationError(f"library search: row {values[counts > 1][0]} is a query twice; expected each once")
    both = np.intersect1d(queries, references)
    if both.size:
        raise EvaluationError(f"library search: row {both[0]} is both query and reference; expected either")
