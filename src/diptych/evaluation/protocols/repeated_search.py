"""Library search over several draws of which replicate of a molecule is the query."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diptych.errors import EvaluationError
from diptych.evaluation.protocols.library_search import FORMS, SearchAnswers, SearchForm, search_splits
from diptych.evaluation.protocols.searchable_spectra import SearchableSpectra

if TYPE_CHECKING:
    from diptych.ranking.spectrum_scorers import SpectrumScorer


@dataclass(frozen=True, kw_only=True)
class RepeatedRate:
    """A hit rate over several splits.

    Attributes
    ----------
    mean, deviation
        Fractions in [0, 1]; the sample standard deviation over the splits (NaN of one split). It says how much the
        choice of the replicate matters, not how much another set of molecules would.
    n_queries
        Mean number of queries asked in a split.
    """

    mean: float
    deviation: float
    n_queries: float


@dataclass(frozen=True, kw_only=True, eq=False)
class RepeatedSearch:
    """The answers to one form of the question in every split.

    Attributes
    ----------
    form
        Which question.
    splits
        The answers in each.
    n_without_replicate
        Spectra that might have been queries, but are the only ones of their molecule and adduct.
    """

    form: SearchForm
    splits: tuple[SearchAnswers, ...]
    n_without_replicate: int = 0

    @property
    def mean_counts(self) -> dict[str, float]:
        """What each split counted, see `SearchAnswers`, as means over the splits."""
        names = self.splits[0].counts
        return {name: float(np.mean([answers.counts[name] for answers in self.splits])) for name in names}

    def hit_rate_at(self, k: int) -> RepeatedRate:
        """Return mean and standard deviation over the splits in which anything was asked; NaN where none was."""
        rates = [answers.hit_rate_at(k) for answers in self.splits if answers.ranks.size]
        return RepeatedRate(
            mean=float(np.mean(rates)) if rates else math.nan,
            deviation=float(np.std(rates, ddof=1)) if len(rates) > 1 else math.nan,
            n_queries=float(np.mean([answers.ranks.size for answers in self.splits])),
        )

    def by_group(self, groups: Sequence[str]) -> dict[str, RepeatedSearch]:
        """Return the answers to the queries of each group of searchable spectra, in the order of their names."""
        names = sorted({groups[row] for answers in self.splits for row in answers.asked.tolist()})
        return {
            name: replace(
                self,
                form=replace(self.form, name=f"{self.form.name}: {name or 'unknown'}"),
                splits=tuple(answers.of_group(groups, name) for answers in self.splits),
            )
            for name in names
        }


def query_splits(
    spectra: SearchableSpectra, *, rows: ArrayLike | None = None, n_splits: int = 10, seed: int = 0
) -> Iterator[NDArray[np.int64]]:
    """Yield for each split the rows of its queries: one spectrum, at random, of every replicated ion.

    Parameters
    ----------
    spectra
        Of known molecules.
    rows
        Of the spectra that may be queries; None for all.
    n_splits
        How many draws.
    seed
        Of the draws.

    Raises
    ------
    EvaluationError
        No molecule has two spectra of one adduct, or ``n_splits`` is below 1.
    """
    if n_splits < 1:
        raise EvaluationError(f"library search: {n_splits} splits; expected at least 1")
    allowed = _allowed(spectra, rows)
    group, sizes = _ions(spectra, allowed)
    replicated = sizes >= 2
    if not replicated.any():
        raise EvaluationError(
            f"library search: none of {len(allowed)} spectra has a second one of its molecule and adduct; expected "
            "replicates, of which one is the query"
        )
    generator = np.random.default_rng(seed)
    for _ in range(n_splits):
        order = generator.permutation(allowed.size)
        first_seen = order[np.unique(group[order], return_index=True)[1]]
        yield np.sort(allowed[first_seen[replicated]])


def repeated_search(
    scorer: SpectrumScorer,
    spectra: SearchableSpectra,
    *,
    rows: ArrayLike | None = None,
    forms: Sequence[SearchForm] = FORMS,
    n_splits: int = 10,
    seed: int = 0,
) -> tuple[RepeatedSearch, ...]:
    """Return the answers to each form over several splits; everything that is no query is a reference.

    Parameters
    ----------
    scorer
        Says how alike two spectra are.
    spectra
        Queries and references.
    rows
        Of the spectra that may be queries (usually the test fold); the others are references in every split.
    forms
        Of the question.
    n_splits, seed
        How often and from where one spectrum of each molecule and adduct is drawn as its query.
    """
    every = np.arange(len(spectra))
    drawn = query_splits(spectra, rows=rows, n_splits=n_splits, seed=seed)
    splits = [(queries, np.setdiff1d(every, queries)) for queries in drawn]
    by_split = search_splits(scorer, spectra, splits=splits, forms=forms)
    n_alone = int((_ions(spectra, _allowed(spectra, rows))[1] == 1).sum())
    return tuple(
        RepeatedSearch(form=form, splits=tuple(split[i] for split in by_split), n_without_replicate=n_alone)
        for i, form in enumerate(forms)
    )


def _allowed(spectra: SearchableSpectra, rows: ArrayLike | None) -> NDArray[np.int64]:
    return np.arange(len(spectra)) if rows is None else np.asarray(rows, dtype=np.int64)


def _ions(spectra: SearchableSpectra, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the number of each row's molecule and adduct, of shape (n_rows,), and how many spectra each has."""
    keys = np.stack([spectra.molecule_codes[rows], spectra.ion_codes[rows]], axis=1)
    _, group, sizes = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    return group, sizes
