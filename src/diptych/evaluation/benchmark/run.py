"""Rankers asked on a benchmark: a report for each, with every query and every score, and one table of them all."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diptych.errors import EvaluationError
from diptych.evaluation.benchmark.resume import KeptRanker
from diptych.evaluation.evaluation import Evaluation, MetricValue, evaluate, long_enough
from diptych.evaluation.results.metadata import Mces, check_mces, described
from diptych.evaluation.results.query_results import QueryResults
from diptych.evaluation.results.saved_report import results_of
from diptych.evaluation.results.score_tables import ScoreTableRanker
from diptych.evaluation.results.scores import CandidateScores
from diptych.evaluation.statistics.unscored import unscored_line
from diptych.evaluation.wording import queries_of_molecules, query_count_lines, score_count_lines
from diptych.files import replacing
from diptych.ranking.ranking import check_distinct

if TYPE_CHECKING:
    from diptych.evaluation.questions.candidate_lists import Questions
    from diptych.ranking.query import Query
    from diptych.ranking.ranking import Ranker

# What some file system does not take, as in rank:a+b.
_NO_FILE_NAME = re.compile(r"[^\w.+-]")
REPORT, _SUMMARY = "report.json", "summary.json"


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """How answers are judged.

    Attributes
    ----------
    n_bootstrap, seed
        Of the intervals over molecules.
    min_list_length
        Queries with shorter lists are left out, and counted.
    mces
        Which MCES distance of the first candidate to the answer is written, see `described`.
    temperatures
        Name of a ranker whose scores are calibrated -> temperature of the softmax that makes probabilities of them.
    """

    n_bootstrap: int = 2000
    seed: int = 0
    min_list_length: int = 0
    mces: Mces = "bound"
    temperatures: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_mces(self.mces)


@dataclass(frozen=True)
class _Answered:
    """Scores that a ranker has given already to the queries that are evaluated, so that none is asked twice."""

    name: str
    scores: Sequence[NDArray[np.floating]]

    def score(self, _: Sequence[Query]) -> list[NDArray[np.floating]]:
        return list(self.scores)


def run_benchmark(
    rankers: Sequence[Ranker],
    questions: Questions,
    *,
    settings: RunSettings | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> list[Evaluation]:
    """Return the evaluation of each ranker, with all its scores; the first has the others as its controls.

    Parameters
    ----------
    rankers
        With distinct names.
    questions
        What is asked.
    settings
        How it is judged.
    provenance
        Added to what is recorded.

    Raises
    ------
    EvaluationError
        There is no ranker or no query, two rankers have one name or would be written to one file, or one gave scores of
        a wrong shape.
    """
    chosen = settings or RunSettings()
    names = [ranker.name for ranker in rankers]
    if not names:
        raise EvaluationError("rankers none; expected some, with distinct names")
    check_distinct(names)
    _check_files(names)
    kept = long_enough(questions.queries, chosen.min_list_length)
    answered, said = [], []
    for ranker in rankers:
        started = time.perf_counter()
        answered.append(_Answered(ranker.name, ranker.score(kept)))
        seconds = ranker.seconds if isinstance(ranker, KeptRanker) else time.perf_counter() - started
        said.append({"seconds": round(seconds, 2), **_table_counts(ranker, kept, questions.queries)})
    how: dict[str, Any] = {name: getattr(chosen, name) for name in ("n_bootstrap", "seed", "min_list_length")}
    evaluations = []
    for i, ranker in enumerate(answered):
        evaluation = evaluate(
            ranker,
            questions.queries,
            controls=answered[1:] if i == 0 else (),
            provenance={**questions.provenance, **(provenance or {}), **said[i], "mces": chosen.mces},
            **how,
        )
        evaluations.append(_with_scores(evaluation, kept, settings=chosen))
    return evaluations


def _table_counts(ranker: Ranker, queries: Sequence[Query], given: Sequence[Query]) -> dict[str, int]:
    """Return how a table fits the queries; those that were left out are not unknown."""
    if not isinstance(ranker, ScoreTableRanker):
        return {}
    unknown = "table_scores_of_unknown_queries"
    return {**ranker.counts(queries), unknown: ranker.counts(given)[unknown]}


def _with_scores(evaluation: Evaluation, queries: Sequence[Query], *, settings: RunSettings) -> Evaluation:
    scores = evaluation.answers.scores
    results = QueryResults.of_scores(queries, scores, temperature=settings.temperatures.get(evaluation.model))
    return replace(
        evaluation,
        details=described(results, [query.spectrum for query in queries], mces=settings.mces),
        candidate_scores=CandidateScores.of(queries, scores),
    )


def save_run(evaluations: Sequence[Evaluation], folder: Path) -> list[Path]:
    """Write the reports to a folder and return their paths: ``report.json``, then ``<name>.json`` of the other rankers.

    Beside each stand its per-query results (``.ranks.tsv``) and its scores (``.scores.parquet``); ``summary.json`` and
    ``summary.md`` hold the metrics of all, the latter what is odd about queries and scores, too.

    Raises
    ------
    OutputError
        A file cannot be written.
    """
    paths = [folder / name for name in _files([evaluation.model for evaluation in evaluations])]
    for evaluation, path in zip(evaluations, paths, strict=True):
        evaluation.save(path)
    with replacing(folder / _SUMMARY) as temporary:
        temporary.write_text(json.dumps(summary(evaluations), indent=2, allow_nan=False) + "\n", encoding="utf-8")
    with replacing(folder / "summary.md") as temporary:
        said = [f"- {line}" for line in count_lines(evaluations)]
        lines = [*summary_lines(evaluations), *([""] if said else []), *said]
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return paths


def _files(names: Sequence[str]) -> list[str]:
    """Return the names of the files of reports: of the first ranker ``report.json``, then ``<name>.json``."""
    return [REPORT, *(f"{_NO_FILE_NAME.sub('_', name)}.json" for name in names[1:])]


def _check_files(names: Sequence[str]) -> None:
    """Refuse rankers of which one's report would take the place of another's, or of the summary."""
    taken = {_SUMMARY: "the summary"}
    for name, file in zip(names, _files(names), strict=True):
        if (other := taken.setdefault(file.lower(), repr(name))) != repr(name):
            raise EvaluationError(f"the report of {name!r} and {other} would both be {file}; expected another name")


def count_lines(evaluations: Sequence[Evaluation]) -> list[str]:
    """Return a line for every count that is not 0, of the queries once and of each ranker's scores."""
    counts = [{**evaluation.provenance, **evaluation.provenance["counts"]} for evaluation in evaluations]
    return query_count_lines(counts[0]) + [
        f"{evaluation.model}: {line}"
        for evaluation, found in zip(evaluations, counts, strict=True)
        for line in (*score_count_lines(found), unscored_line(evaluation.answers.ranks, evaluation.answers.scores))
        if line
    ]


def summary(evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    """Return the metrics of each ranker by name, as JSON-able data; an interval that is unknown is None."""
    return {evaluation.model: evaluation.to_report()["metrics"] for evaluation in evaluations}


def summary_lines(evaluations: Sequence[Evaluation]) -> list[str]:
    """Return a Markdown table of the metrics of each ranker, in %, with 95 % intervals over molecules, and chance."""
    first = evaluations[0]
    results = results_of(first)
    chance = ", ".join(f"{100 * results.random_hits(k).mean():.1f} at {k}" for k in first.ks)
    return [
        f"{queries_of_molecules(len(first.queries), first.n_molecules)}, lists of "
        f"{first.list_lengths.mean():,.0f} on average. % by spectrum, 95 % interval over molecules, ties against the "
        f"target. By chance {chance}.",
        "",
        f"| ranker | {' | '.join(f'@{k}' for k in first.ks)} | MRR | @1 by molecule | seconds |",
        "|---" * (len(first.ks) + 4) + "|",
        *(_line(evaluation) for evaluation in evaluations),
    ]


def _line(evaluation: Evaluation) -> str:
    values = list(evaluation.metrics.values())
    seconds = evaluation.provenance.get("seconds")
    cells = [
        evaluation.model,
        *map(metric_cell, values),
        f"{100 * values[0].molecule:.1f}",
        "" if seconds is None else f"{seconds:.1f}",
    ]
    return f"| {' | '.join(cells)} |"


def metric_cell(value: MetricValue) -> str:
    """Return a metric in %, with its interval where there is one: ``28.1 (23.6 to 33.5)``."""
    shown = f"{100 * value.spectrum:.1f}"
    return shown if np.isnan(value.low) else f"{shown} ({100 * value.low:.1f} to {100 * value.high:.1f})"
