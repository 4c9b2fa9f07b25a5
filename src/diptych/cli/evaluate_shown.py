"""What ``diptych evaluate`` prints: a table of the model and its controls, and what was odd."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

    from diptych.evaluation import Answers, Evaluation, MetricValue

_SHOWN_METRICS = ("hit_rate@1", "hit_rate@5", "hit_rate@20", "mrr")


def show(evaluation: Evaluation, output: Path) -> None:
    """Print the table of an evaluation and a line for everything that was odd."""
    from rich.console import Console

    from diptych.evaluation.results.query_results import ranks_path

    console = Console()
    console.print(_table(evaluation))
    for line in _remarks(evaluation):
        console.print(line, highlight=False, markup=False)
    console.print(f"Written: {output}, {ranks_path(output)}", highlight=False, markup=False)


def _table(evaluation: Evaluation) -> Table:
    from rich import box
    from rich.table import Table

    from diptych.evaluation.wording import queries_of_molecules

    table = Table(
        title=f"{queries_of_molecules(len(evaluation.queries), evaluation.n_molecules)}, lists of "
        f"{evaluation.list_lengths.mean():,.0f} on average\n"
        "% by spectrum, 95 % interval over molecules, ties against the target",
        box=box.SIMPLE,
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column("ranker", overflow="fold")
    for name in _SHOWN_METRICS:
        table.add_column(name.replace("hit_rate", "").replace("mrr", "MRR"), justify="right")
    table.add_column("@1 by\nmolecule", justify="right")
    for answers in (evaluation.answers, *evaluation.controls):
        table.add_row(*_cells(evaluation, answers), style="bold" if answers is evaluation.answers else None)
    return table


def _cells(evaluation: Evaluation, answers: Answers) -> list[str]:
    metrics = evaluation.metrics_of(answers)
    values = [metrics[name] for name in _SHOWN_METRICS]
    return [answers.ranker, *map(_cell, values), f"{100 * values[0].molecule:.1f}"]


def _cell(value: MetricValue) -> str:
    shown = f"{100 * value.spectrum:.1f}"
    return shown if math.isnan(value.low) else f"{shown}\n{100 * value.low:.1f}-{100 * value.high:.1f}"


_REMARKS = {
    "spectra_not_ms2": ("spectrum is not MS2: not asked", "spectra are not MS2: not asked"),
    "spectra_without_structure": ("spectrum names no structure: not asked", "spectra name no structure: not asked"),
    "absent_accessions": (
        "accession of the fold is not in the file: not asked",
        "accessions of the fold are not in the file: not asked",
    ),
    "unreadable_spectra": ("record could not be read: not asked", "records could not be read: not asked"),
    "targets_without_score": (
        "target could not be scored: counted as a miss",
        "targets could not be scored: counted as misses",
    ),
    "infinite_scores": ("score is infinite: taken for none", "scores are infinite: taken for none"),
    "unparsed_candidates": (
        "candidate could not be parsed: it stays in its lists, unscored",
        "candidates could not be parsed: they stay in their lists, unscored",
    ),
    "duplicate_candidates_removed": ("duplicate was removed from the lists", "duplicates were removed from the lists"),
}


def _remarks(evaluation: Evaluation) -> list[str]:
    """Return a line for everything that was odd, and how the lists were matched."""
    from diptych.evaluation.audit.overlap import overlap_lines
    from diptych.evaluation.wording import counted, repeated_line

    said = {**evaluation.provenance, **evaluation.provenance["counts"]}
    keyed = [f"Candidate lists are keyed by {said['lists_keyed_by']}."] if "lists_keyed_by" in said else []
    odd = [f"{counted(said[key], *words)}." for key, words in _REMARKS.items() if said.get(key)]
    n_repeated = said.get("spectra_of_repeated_identifiers", 0)
    repeated = [repeated_line(n_repeated, said["renamed_spectra"])] if n_repeated else []
    alone = ["All queries are of one molecule: shuffled_spectra is left out."] if evaluation.n_molecules == 1 else []
    return [*keyed, *_list_remarks(said), *odd, *repeated, *alone, *overlap_lines(said)]


def _list_remarks(said: Mapping[str, Any]) -> list[str]:
    """Return what became of the queries without a list and of those whose list is short or lacks the answer."""
    from diptych.evaluation.wording import counted

    short, missing = said["queries_left_out_for_short_lists"], said["targets_missing_from_their_list"]
    empty = said["queries_without_candidates"]
    unlisted = ", those without any list among them" if said.get("spectra_without_list") else ""
    of_these = f" ({empty:,} of these without any list)" if empty else ""
    left_out = counted(short, "query was left out for its short list", "queries were left out for their short lists")
    lost = counted(missing, "target is missing from its list", "targets are missing from their list")
    lines = [f"{left_out}{unlisted}."] if short else []
    return lines + ([f"{lost}{of_these}: {_missed(missing)}."] if missing else [])


def _missed(n: int) -> str:
    return "counted as a miss" if n == 1 else "counted as misses"
