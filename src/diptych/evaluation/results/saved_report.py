"""The written form of an evaluation: a JSON report, and the table of results from which it can be made again."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from diptych.errors import EvaluationError, reason_of
from diptych.evaluation.evaluation import Evaluation
from diptych.evaluation.results.answers import Answers
from diptych.evaluation.results.query_results import QueryResults, ranks_path
from diptych.evaluation.results.scores import CandidateScores, scores_path
from diptych.evaluation.statistics.comparison import mcnemar, paired_difference
from diptych.evaluation.statistics.comparison_table import holm
from diptych.files import replacing

FORMAT_VERSION = 1
_KINDS = {
    "model": str,
    "queries": int,
    "controls": dict,
    "provenance": dict,
    "ks": list,
    "n_bootstrap": int,
    "seed": int,
}


def report_of(evaluation: Evaluation) -> dict[str, Any]:
    """Return the report as JSON-able data; rates are fractions in [0, 1], an interval that is unknown is None."""
    lengths = evaluation.list_lengths
    return {
        "format_version": FORMAT_VERSION,
        "model": evaluation.model,
        "queries": len(evaluation.queries),
        "molecules": evaluation.n_molecules,
        "list_length": float(lengths.mean()),
        "list_lengths": {"min": int(lengths.min()), "median": float(np.median(lengths)), "max": int(lengths.max())},
        "metrics": _metrics(evaluation, evaluation.answers),
        "controls": {control.ranker: _metrics(evaluation, control) for control in evaluation.controls},
        "above_controls": _above_controls(evaluation),
        "intervals": "95 %, bias-corrected and accelerated bootstrap over molecules; above_controls: its percentiles",
        "ties": "against the target",
        "ks": list(evaluation.ks),
        "n_bootstrap": evaluation.n_bootstrap,
        "seed": evaluation.seed,
        "provenance": dict(evaluation.provenance),
    }


def _metrics(evaluation: Evaluation, answers: Answers) -> dict[str, dict[str, float | None]]:
    return {
        name: {key: number if math.isfinite(number) else None for key, number in asdict(value).items()}
        for name, value in evaluation.metrics_of(answers).items()
    }


def _above_controls(evaluation: Evaluation) -> dict[str, dict[str, Any]]:
    """Return by how much the ranker stands above each control, McNemar's p adjusted over all of them."""
    found = {control.ranker: _above(evaluation, control.ranker) for control in evaluation.controls}
    adjusted = holm([row["mcnemar_p"] for row in found.values()])
    return {
        name: {**row, "mcnemar_p_adjusted": float(p)} for (name, row), p in zip(found.items(), adjusted, strict=True)
    }


def _above(evaluation: Evaluation, control: str) -> dict[str, Any]:
    """Return by how much the ranker stands above a control at the first k, and how sure that is."""
    k = evaluation.ks[0]
    other = evaluation.control(control)
    result: dict[str, Any] = {"metric": f"hit_rate@{k}", "mcnemar_p": mcnemar(evaluation, other, k=k).p_value}
    if evaluation.n_molecules < 2 or evaluation.n_bootstrap < 1:
        return result
    difference = paired_difference(
        evaluation, other, metric=f"hit_rate@{k}", n_bootstrap=evaluation.n_bootstrap, seed=evaluation.seed
    )
    return result | asdict(difference)


def save(evaluation: Evaluation, path: Path) -> None:
    """Write the report to ``path`` and the results of every query beside it.

    Raises
    ------
    OutputError
        One of them cannot be written.
    """
    results_of(evaluation).write(ranks_path(path))
    if evaluation.candidate_scores is not None:
        evaluation.candidate_scores.write(scores_path(path))
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(report_of(evaluation), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def results_of(evaluation: Evaluation) -> QueryResults:
    """Return the table of results of an evaluation, with the ranks under its controls."""
    answers = evaluation.answers
    results = evaluation.details or QueryResults(
        queries=evaluation.queries,
        targets=evaluation.targets,
        ranks=answers.ranks,
        n_candidates=evaluation.list_lengths,
        target_scores=answers.target_scores,
        best_scores=answers.best_scores,
        best=answers.best,
        numbers=evaluation.list_numbers,
    )
    return replace(results, control_ranks={control.ranker: control.ranks for control in evaluation.controls})


def load(path: Path) -> Evaluation:
    """Return the evaluation that a report and the results beside it hold; of controls only the ranks.

    Raises
    ------
    EvaluationError
        A file is missing, truncated, not of this kind, or the two do not belong together.
    """
    report = _read_report(path)
    results = QueryResults.read(path)
    if len(results) != report["queries"] or set(results.control_ranks) != set(report["controls"]):
        raise EvaluationError(
            f"{ranks_path(path)}: {len(results)} rows, ranks under {', '.join(results.control_ranks) or 'no control'}"
            f"; expected {report['queries']} rows and the controls of {path.name}, "
            f"{', '.join(report['controls']) or 'none'}"
        )
    scores = CandidateScores.read(path) if scores_path(path).exists() else None
    if scores is not None and scores.queries != results.queries:
        raise EvaluationError(
            f"{scores_path(path)}: its {len(scores)} queries are not the {len(results)} of {ranks_path(path).name}; "
            "expected the scores of the same run"
        )
    return replace(_evaluation(report, results), candidate_scores=scores)


def _read_report(path: Path) -> dict[str, Any]:
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EvaluationError(f"{path}: cannot be read as a report: {reason_of(error)}") from error
    if (
        not isinstance(report, dict)
        or report.get("format_version") != FORMAT_VERSION
        or not _KINDS.keys() <= report.keys()
    ):
        raise EvaluationError(f"{path}: not an evaluation report of format version {FORMAT_VERSION}")
    for name, kind in _KINDS.items():
        if not isinstance(report[name], kind):
            raise EvaluationError(f"{path}: {name} is {report[name]!r}; expected a {kind.__name__}")
    return report


def _evaluation(report: dict[str, Any], results: QueryResults) -> Evaluation:
    unknown = np.full(len(results), np.nan)
    return Evaluation(
        queries=results.queries,
        targets=results.targets,
        list_lengths=results.n_candidates,
        answers=Answers(
            ranker=report["model"],
            ranks=results.ranks,
            target_scores=results.target_scores,
            best_scores=results.best_scores,
            best=results.best,
        ),
        controls=tuple(
            Answers(
                ranker=name,
                ranks=results.control_ranks[name],
                target_scores=unknown,
                best_scores=unknown,
                best=("",) * len(results),
            )
            for name in report["controls"]
        ),
        provenance=report["provenance"],
        ks=tuple(report["ks"]),
        n_bootstrap=report["n_bootstrap"],
        seed=report["seed"],
        details=results,
        list_numbers={name: values for name, values in results.numbers.items() if name == "n_structures"},
    )
