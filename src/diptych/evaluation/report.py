"""The written form of an evaluation: a JSON report, and a table of ranks from which it can be made again."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from diptych.errors import EvaluationError
from diptych.evaluation.answers import Answers
from diptych.evaluation.comparison import mcnemar, paired_difference
from diptych.evaluation.evaluation import Evaluation
from diptych.files import replacing

FORMAT_VERSION = 1
_COLUMNS = ["query", "target", "rank", "n_candidates", "score_target", "best_score", "best"]
_CONTROL = "rank_"
_MISS = "miss"


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
        "above_controls": {control.ranker: _above(evaluation, control.ranker) for control in evaluation.controls},
        "intervals": "95 %, bias-corrected and accelerated bootstrap over molecules",
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


def ranks_path(path: Path) -> Path:
    """Return where the ranks of a report stand: ``report.json`` -> ``report.ranks.tsv``."""
    return path.with_name(f"{path.name.removesuffix('.json')}.ranks.tsv")


def save(evaluation: Evaluation, path: Path) -> None:
    """Write the report to ``path`` and the ranks of every query beside it.

    Raises
    ------
    OutputError
        One of them cannot be written.
    """
    with replacing(ranks_path(path)) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(_COLUMNS + [_CONTROL + control.ranker for control in evaluation.controls])
        writer.writerows(_rows(evaluation))
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(report_of(evaluation), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def _rows(evaluation: Evaluation) -> Iterator[list[str]]:
    answers = evaluation.answers
    for i, (query, target) in enumerate(zip(evaluation.queries, evaluation.targets, strict=True)):
        yield [
            query,
            target,
            _rank_text(answers.ranks[i]),
            str(evaluation.list_lengths[i]),
            _score_text(answers.target_scores[i]),
            _score_text(answers.best_scores[i]),
            answers.best[i],
            *(_rank_text(control.ranks[i]) for control in evaluation.controls),
        ]


def _rank_text(rank: float) -> str:
    return str(int(rank)) if math.isfinite(rank) else _MISS


def _score_text(score: float) -> str:
    return "" if math.isnan(score) else f"{score:.9g}"


def load(path: Path) -> Evaluation:
    """Return the evaluation that a report and the ranks beside it hold; of controls only the ranks.

    Raises
    ------
    EvaluationError
        A file is missing, truncated, not of this kind, or the two do not belong together.
    """
    report = _read_report(path)
    table = ranks_path(path)
    try:
        with table.open(encoding="utf-8", newline="") as file:
            header, *rows = list(csv.reader(file, delimiter="\t"))
    except (OSError, ValueError, csv.Error) as error:
        raise EvaluationError(f"{table}: the ranks beside the report cannot be read: {error}") from error
    names = [column.removeprefix(_CONTROL) for column in header[len(_COLUMNS) :]]
    if header[: len(_COLUMNS)] != _COLUMNS or names != list(report["controls"]) or len(rows) != report["queries"]:
        raise EvaluationError(
            f"{table}: {len(rows)} rows with columns {', '.join(header)}; expected {report['queries']} rows with "
            f"{', '.join(_COLUMNS)} and one rank for each control of {path.name}"
        )
    try:
        return _evaluation(report, rows)
    except (ValueError, IndexError) as error:
        raise EvaluationError(f"{table}: a row is truncated or holds no number where one belongs: {error}") from error


def _read_report(path: Path) -> dict[str, Any]:
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EvaluationError(f"{path}: cannot be read as a report: {error}") from error
    needed = {"model", "queries", "controls", "provenance", "ks", "n_bootstrap", "seed"}
    if not isinstance(report, dict) or report.get("format_version") != FORMAT_VERSION or not needed <= report.keys():
        raise EvaluationError(f"{path}: not an evaluation report of format version {FORMAT_VERSION}")
    return report


def _evaluation(report: dict[str, Any], rows: list[list[str]]) -> Evaluation:
    columns = list(zip(*rows, strict=True))
    queries, targets, ranks, lengths, target_scores, best_scores, best = columns[: len(_COLUMNS)]
    unknown = np.full(len(rows), np.nan)
    return Evaluation(
        queries=queries,
        targets=targets,
        list_lengths=np.array([int(length) for length in lengths], dtype=np.int64),
        answers=Answers(
            ranker=report["model"],
            ranks=_ranks(ranks),
            target_scores=np.array([float(score or "nan") for score in target_scores]),
            best_scores=np.array([float(score or "nan") for score in best_scores]),
            best=best,
        ),
        controls=tuple(
            Answers(
                ranker=name,
                ranks=_ranks(column),
                target_scores=unknown,
                best_scores=unknown,
                best=("",) * len(rows),
            )
            for name, column in zip(report["controls"], columns[len(_COLUMNS) :], strict=True)
        ),
        provenance=report["provenance"],
        ks=tuple(report["ks"]),
        n_bootstrap=report["n_bootstrap"],
        seed=report["seed"],
    )


def _ranks(column: tuple[str, ...]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([math.inf if text == _MISS else int(text) for text in column], dtype=np.float64)
