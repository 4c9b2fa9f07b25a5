"""A report as files: one HTML page that needs nothing else, the same as Markdown and as JSON beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diptych.errors import EvaluationError, reason_of
from diptych.evaluation.evaluation import Evaluation
from diptych.evaluation.report import figures_report, figures_robustness
from diptych.evaluation.report.page import heading, page
from diptych.evaluation.report.section import Section
from diptych.evaluation.report.sections import Method
from diptych.evaluation.report.tables import html_table, interval_cell, table
from diptych.evaluation.results.query_results import QueryResults
from diptych.evaluation.wording import counted
from diptych.files import replacing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_FIGURE = re.compile(r'<svg[^>]*class="figure".*?</svg>', re.DOTALL)
_RECIPE = "the method"
_DRAWN_ONLY = "(drawn in the HTML report)"


def read_method(path: Path) -> tuple[str, Method]:
    """Return name and saved results of a report of ``diptych evaluate``, or of a table of results alone.

    Raises
    ------
    EvaluationError
        It cannot be read.
    """
    if path.suffix == ".json":
        evaluation = Evaluation.load(path)
        results = evaluation.details or QueryResults.read(path)
        kind = str(evaluation.provenance.get("mces", ""))
        name = evaluation.model
        return name, Method(results=results, scores=evaluation.candidate_scores, mces=kind, saved_as=name)
    return path.name.removesuffix(".tsv").removesuffix(".ranks"), Method(results=QueryResults.read(path))


def robustness_section(path: Path) -> Section:
    """Return the robustness curves of a file of ``diptych benchmark run --protocol robustness``.

    Raises
    ------
    EvaluationError
        The file cannot be read as one.
    """
    content = _read_json(path)
    rows = content.get("rows", []) if isinstance(content, dict) else content
    if not rows or not all({"ranker", "perturbation", "strength", "metrics"} <= row.keys() for row in rows):
        raise EvaluationError(
            f"{path}: no rows with ranker, perturbation, strength and metrics; expected a robustness file"
        )
    return Section(
        title="Robustness",
        text="Hit rate at 1 as the spectra asked are spoiled more and more; training is as it was. Bands and bars are "
        "95 % intervals over molecules of each rate by itself; as the same queries are asked at every strength, a loss "
        "may be surer than bands that overlap let it seem. Replicates of another energy are there for some queries "
        "alone, at each least distance for others: their points stand by themselves, hollow for the same queries as "
        "they were measured.",
        picture=figures_robustness.robustness_curves(rows),
        data=rows,
    )


def ladder_section(splits: Mapping[str, Sequence[Path]]) -> Section:
    """Return the split ladder of reports: split -> the reports of its methods, the easiest split first.

    Where each split has one report, and each report another model, these are one recipe trained anew: "the method". The
    controls that all reports have stand beside it.

    Raises
    ------
    EvaluationError
        A report cannot be read.
    """
    read = {split: [Evaluation.load(path) for path in paths] for split, paths in splits.items()}
    every = [evaluation for evaluations in read.values() for evaluation in evaluations]
    is_recipe = len(every) == len(read) == len({evaluation.model for evaluation in every})
    shared = [
        answers.ranker
        for answers in every[0].controls
        if all(answers.ranker in {other.ranker for other in evaluation.controls} for evaluation in every)
    ]
    rungs: dict[str, dict[str, tuple[float, float, float]]] = {}
    for split, evaluations in read.items():
        for evaluation in evaluations:
            named = {_RECIPE if is_recipe and len(read) > 1 else evaluation.model: evaluation.answers}
            named |= {name: evaluation.control(name).answers for name in shared}
            for name, answers in named.items():
                value = evaluation.metrics_of(answers)["hit_rate@1"]
                rungs.setdefault(split, {})[name] = (value.spectrum, value.low, value.high)
    rows = [
        (split, method, f"{100 * rate:.1f}", interval_cell(low, high))
        for split, methods in rungs.items()
        for method, (rate, low, high) in methods.items()
    ]
    return Section(
        title="Split ladder",
        text="The same method by how strictly test and training are kept apart; the choice of the split moves figures "
        "more than any architecture.",
        header=("split", "method", "hit rate @1", "95 % interval"),
        rows=rows,
        picture=figures_report.split_ladder(rungs),
    )


def map_section(
    title: str, places: Mapping[str, NDArray[np.floating]], labels: Mapping[str, Sequence[str]], *, model: str = ""
) -> Section:
    """Return maps of the joint space of a model, coloured by every kind of label."""
    whose = f"The space of {model}. " if model else ""
    n = len(next(iter(places.values())))
    return Section(
        title=title,
        text=f"{whose}{counted(n, 'point', 'points')}, one a molecule; distances between far groups mean nothing.",
        picture=figures_report.maps(places, labels),
    )


def write_report(title: str, sections: Sequence[Section], path: Path) -> None:
    """Write a report as ``path`` (HTML) and beside it as Markdown and JSON of the same name.

    The curves that the page holds stand as ``<name>.<section>.svg`` beside the Markdown, which shows them.

    Raises
    ------
    OutputError
        One of them cannot be written.
    """
    body = "\n".join(
        heading(section.title, section.text) + section.picture + html_table(section.header, section.rows)
        for section in sections
    )
    with replacing(path) as temporary:
        temporary.write_text(page(title, body), encoding="utf-8")
    curves = {section.title: _write_curves(section, path) for section in sections}
    with replacing(path.with_suffix(".md")) as temporary:
        temporary.write_text(_markdown(title, sections, curves), encoding="utf-8")
    content = {
        "title": title,
        "sections": [
            {
                "title": section.title,
                "text": section.text,
                "header": list(section.header),
                "rows": [list(row) for row in section.rows],
                "data": section.data,
            }
            for section in sections
        ],
    }
    with replacing(path.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _write_curves(section: Section, path: Path) -> list[str]:
    """Write the figures of a section as files, and return their names; molecules that are drawn stay in the page."""
    names = []
    slug = re.sub(r"[^a-z0-9]+", "-", section.title.lower()).strip("-")
    has_molecules = not section.picture.lstrip().startswith("<svg")
    for i, found in enumerate([] if has_molecules else _FIGURE.findall(section.picture)):
        name = f"{path.stem}.{slug}{f'-{i + 1}' if i else ''}.svg"
        with replacing(path.with_name(name)) as temporary:
            temporary.write_text(found + "\n", encoding="utf-8")
        names.append(name)
    return names


def _markdown(title: str, sections: Sequence[Section], curves: Mapping[str, Sequence[str]]) -> str:
    parts = [f"# {title}"]
    for section in sections:
        shown = [f"![{section.title}]({name})" for name in curves[section.title]]
        drawn = table(section.header, section.rows) or ("" if shown else _DRAWN_ONLY)
        parts += [f"## {section.title}", section.text, *shown, drawn]
    return "\n\n".join(part for part in parts if part) + "\n"


def _read_json(path: Path) -> Any:  # noqa: ANN401 - any JSON
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EvaluationError(f"{path}: cannot be read: {reason_of(error)}") from error
