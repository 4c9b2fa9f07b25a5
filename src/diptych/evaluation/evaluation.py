"""How a ranker is judged: ranks of every query, and everything that follows from them."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import diptych
from diptych.errors import EvaluationError
from diptych.evaluation.results.answers import Answers, ask
from diptych.evaluation.results.rows import structure_counts
from diptych.evaluation.statistics.bootstrap import molecule_intervals
from diptych.evaluation.statistics.metrics import gains, sum_by_molecule
from diptych.evaluation.wording import queries_of_molecules
from diptych.ranking.ranking import check_distinct

if TYPE_CHECKING:
    from diptych.evaluation.results.query_results import QueryResults
    from diptych.evaluation.results.scores import CandidateScores
    from diptych.ranking.query import Query
    from diptych.ranking.ranking import Ranker


@dataclass(frozen=True, kw_only=True)
class MetricValue:
    """One metric in [0, 1]: its value by spectrum and by molecule, each with a 95 % interval over molecules.

    ``low`` and ``high`` belong to ``spectrum``, ``molecule_low`` and ``molecule_high`` to ``molecule``; NaN where
    there is only one molecule.
    """

    spectrum: float
    molecule: float
    low: float
    high: float
    molecule_low: float
    molecule_high: float


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Evaluation:
    """Per-query ranks of a ranker and of its controls; every figure is a function of them.

    Attributes
    ----------
    queries, targets
        Identifier and first block of the right answer of each query.
    list_lengths
        int64, of shape (n_queries,), the candidates that cannot be parsed included.
    answers
        What the ranker answered.
    controls
        What the controls answered to the same queries.
    provenance
        Model digest, candidate source, counts of what was odd, versions: whatever a reader needs to repeat it.
    ks, n_bootstrap, seed
        Of the metrics and their intervals.
    details
        The table of results with what else is known of each query; None where no more is known than the ranks.
    candidate_scores
        What the ranker gave to every candidate; None where it was not kept.
    list_numbers
        Columns of the table of results that say more of the lists: ``n_structures``, where some cannot be parsed.
    """

    queries: tuple[str, ...]
    targets: tuple[str, ...]
    list_lengths: NDArray[np.int64]
    answers: Answers
    controls: tuple[Answers, ...] = ()
    provenance: Mapping[str, Any]
    ks: tuple[int, ...] = (1, 5, 20)
    n_bootstrap: int = 2000
    seed: int = 0
    details: QueryResults | None = None
    candidate_scores: CandidateScores | None = None
    list_numbers: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def __repr__(self) -> str:
        first = f"hit_rate@{self.ks[0]}"
        beside = ", ".join(answers.ranker for answers in self.controls) or "none"
        return (
            f"Evaluation({self.model}: {queries_of_molecules(len(self.queries), self.n_molecules)}, "
            f"{first} {self.metrics[first].spectrum:.3f}, controls: {beside})"
        )

    @property
    def model(self) -> str:
        """Name of the ranker that was judged."""
        return self.answers.ranker

    @property
    def n_molecules(self) -> int:
        """Number of distinct right answers."""
        return len(set(self.targets))

    @cached_property
    def metrics(self) -> dict[str, MetricValue]:
        """``hit_rate@k`` for every k and ``mrr`` of the ranker."""
        return self.metrics_of(self.answers)

    def metrics_of(self, answers: Answers) -> dict[str, MetricValue]:
        """Return ``hit_rate@k`` for every k and ``mrr`` of any answers to these queries."""
        values = gains(answers.ranks, self.ks)
        table = sum_by_molecule(list(values.values()), self.targets)
        spectrum, molecule = molecule_intervals(table, n_bootstrap=self.n_bootstrap, seed=self.seed)
        columns = zip(
            table.by_spectrum, table.by_molecule, spectrum.low, spectrum.high, molecule.low, molecule.high, strict=True
        )
        fields = ("spectrum", "molecule", "low", "high", "molecule_low", "molecule_high")
        return {
            name: MetricValue(**dict(zip(fields, map(float, column), strict=True)))
            for name, column in zip(values, columns, strict=True)
        }

    def control(self, name: str) -> Evaluation:
        """Return the evaluation of one of the controls, to be compared with this one.

        Raises
        ------
        EvaluationError
            There is no such control.
        """
        for answers in self.controls:
            if answers.ranker == name:
                return replace(self, answers=answers, controls=(), details=None, candidate_scores=None)
        raise EvaluationError(
            f"no control {name!r}; expected one of {', '.join(answers.ranker for answers in self.controls) or 'none'}"
        )

    def to_report(self) -> dict[str, Any]:
        """Return the report as JSON-able data; rates are fractions in [0, 1]."""
        from diptych.evaluation.results.saved_report import report_of

        return report_of(self)

    def save(self, path: Path) -> None:
        """Write the report as JSON and, beside it, the ranks of every query as ``<stem>.ranks.tsv``."""
        from diptych.evaluation.results.saved_report import save

        save(self, path)

    @classmethod
    def load(cls, path: Path) -> Evaluation:
        """Return a saved evaluation; its figures can be computed anew without the model."""
        from diptych.evaluation.results.saved_report import load

        return load(path)


def evaluate(
    ranker: Ranker,
    queries: Sequence[Query],
    *,
    controls: Iterable[Ranker] = (),
    n_bootstrap: int = 2000,
    seed: int = 0,
    ks: Sequence[int] = (1, 5, 20),
    min_list_length: int = 0,
    provenance: Mapping[str, Any] | None = None,
) -> Evaluation:
    """Return how a ranker and its controls rank the right answers.

    Parameters
    ----------
    ranker
        What is judged.
    queries
        With distinct identifiers. A query whose target is not in its list, or cannot be scored, is a miss.
    controls
        Rankers to stand beside it.
    n_bootstrap, seed
        Of the intervals over molecules.
    ks
        The k of ``hit_rate@k``.
    min_list_length
        Queries with shorter lists are left out, and counted in the provenance; 0 keeps all.
    provenance
        Added to what is recorded; its ``counts``, if it has some, go before what is counted here.

    Raises
    ------
    EvaluationError
        There is no query, two have one identifier, two rankers have one name, or one gave what are no scores.
    """
    kept = long_enough(queries, min_list_length)
    beside = list(controls)
    _check_distinct(kept, [one.name for one in (ranker, *beside)])
    answers = ask(ranker, kept)
    given = provenance or {}
    counts = query_counts(kept) | {"queries_left_out_for_short_lists": len(queries) - len(kept)}
    counts["targets_without_score"] = int(np.isinf(answers.ranks).sum()) - counts["targets_missing_from_their_list"]
    counts["infinite_scores"] = answers.n_infinite
    return Evaluation(
        queries=tuple(query.identifier for query in kept),
        targets=tuple(query.target for query in kept),
        list_lengths=np.array([query.candidates.n_candidates for query in kept], dtype=np.int64),
        answers=answers,
        controls=tuple(ask(control, kept) for control in beside),
        provenance={
            **given,
            "counts": counts | dict(given.get("counts", {})),
            "min_list_length": min_list_length,
            "versions": _versions(),
        },
        ks=tuple(ks),
        n_bootstrap=n_bootstrap,
        seed=seed,
        list_numbers=structure_counts(kept),
    )


def long_enough(queries: Sequence[Query], min_list_length: int) -> list[Query]:
    """Return the queries whose list has at least so many candidates.

    Raises
    ------
    EvaluationError
        There is none.
    """
    kept = [query for query in queries if query.candidates.n_candidates >= min_list_length]
    if not kept:
        raise EvaluationError(
            f"no query to evaluate: {len(queries)} given, of which none has a list of at least {min_list_length} "
            "candidates"
        )
    return kept


def _check_distinct(queries: Sequence[Query], names: Sequence[str]) -> None:
    check_distinct(names)
    seen: set[str] = set()
    for query in queries:
        if query.identifier in seen:
            raise EvaluationError(f"two queries are called {query.identifier!r}; expected distinct identifiers")
        seen.add(query.identifier)


def query_counts(queries: Sequence[Query]) -> dict[str, int]:
    """Return what is odd about queries and their lists, whoever is asked."""
    lists = {id(query.candidates): query.candidates for query in queries}.values()
    return {
        "queries_without_candidates": sum(query.candidates.n_candidates == 0 for query in queries),
        "queries_with_one_candidate": sum(query.candidates.n_candidates == 1 for query in queries),
        "targets_missing_from_their_list": sum(query.target not in query.candidates.positions for query in queries),
        "candidate_lists": len(lists),
        "duplicate_candidates_removed": sum(candidates.n_duplicates for candidates in lists),
        "unparsed_candidates": sum(len(candidates.unparsed) for candidates in lists),
    }


def _versions() -> dict[str, str]:
    versions = {"diptych": diptych.__version__, "python": platform.python_version()}
    for package in ("numpy", "rdkit", "torch"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "absent"
    return versions
