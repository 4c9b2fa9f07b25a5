"""The written form of an audit: Markdown for reading, and a page with the hardest cases drawn."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from diptych.evaluation.against_controls import against_said, below_said, controls_named
from diptych.evaluation.comparison_table import p_legend, shown_p
from diptych.evaluation.strata import column_title
from diptych.evaluation.wording import queries_of_molecules

if TYPE_CHECKING:
    from diptych.evaluation.against_controls import Against, Group
    from diptych.evaluation.audit import Audit, HardCase
    from diptych.evaluation.comparison_table import Comparison
    from diptych.evaluation.leaks import Finding
    from diptych.evaluation.list_length import LengthBin
    from diptych.evaluation.strata import Stratum

_NUMBER = re.compile(r"[+-]?\d")
_LONGEST_NUMBER = 32
Rows = Sequence[Sequence[str]]
COMPARED = ("difference", "95 % interval", "p adjusted", "p McNemar adjusted", "queries")


def markdown(audit: Audit) -> str:
    """Return the audit as Markdown."""
    interval = "" if math.isnan(audit.low) else f" ({interval_cell(audit.low, audit.high)}, 95 % over molecules)"
    parts = [
        f"# Audit of {audit.name}",
        f"{queries_of_molecules(audit.n_queries, audit.n_molecules)}; hit rate at 1 {_rate(audit.hit_rate)} %"
        f"{interval}, by spectrum, ties against the target.",
    ]
    for title, text, header, rows in sections(audit):
        parts += [f"## {title}", text, table(header, rows)]
    return "\n\n".join(part for part in parts if part) + "\n"


def sections(audit: Audit) -> list[tuple[str, str, Sequence[str], Rows]]:
    """Return title, remark, header and rows of every table of an audit."""
    found: list[tuple[str, str, Sequence[str], Rows]] = [
        (
            "Leaks and losses",
            "",
            ("check", "verdict", "finding"),
            [(f.check, f.verdict, f.says) for f in audit.findings],
        ),
        (
            "Distance to training",
            "Tested molecules by their Tanimoto similarity to the nearest molecule of training.",
            ("similarity", "molecules", "share"),
            _distances(audit.findings),
        ),
        (
            "Better than what?",
            f"Hit rate at 1, the method less the control, in points. {comparison_legend(audit.above)}".strip(),
            ("control", *COMPARED),
            [comparison_row(one, name=one.second) for one in audit.above],
        ),
        (
            "What it looks at",
            f"{audit.asked} Hit rate at 1 of perturbed spectra less that of the same spectra unperturbed. What costs "
            "nothing is not used. A model does not answer a spectrum without a precursor m/z: where none is stated, "
            "every query is a miss by definition, and what that costs is the hit rate of the sample itself. ".lstrip()
            + comparison_legend(audit.uses),
            ("perturbation", *COMPARED),
            [comparison_row(one, name=one.first) for one in audit.uses],
        ),
        (
            "List length",
            _joined(
                "Hit rate at 1 beside that of random scores in the same lists.",
                against_said(audit.lengths),
                below_said(audit.lengths, of="bins"),
            ),
            *length_table(audit.lengths),
        ),
    ]
    found += [
        (f"By {column_title(column)}", below_said(strata, of="strata"), *stratum_table(strata))
        for column, strata in audit.strata.items()
    ]
    found += [_harmful(audit.harmful, audit.n_models), _hardest(audit.hardest)]
    return [section for section in found if section[3]]


def comparison_legend(compared: Sequence[Comparison]) -> str:
    """Return what stands in the columns `COMPARED` of these comparisons; empty of none."""
    tested = [one for one in compared if not math.isnan(one.p_adjusted)]
    if not tested:
        return ""
    return (
        "The interval is the 2.5th to 97.5th percentile of the paired bootstrap over molecules, and p is counted from "
        "the same resamples; beside it p by McNemar's test, which takes spectra for independent; each adjusted by "
        f"Holm's method over the table. {p_legend(tested[0].n_bootstrap, n_comparisons=len(tested))}"
    )


def comparison_row(one: Comparison, *, name: str) -> tuple[str, ...]:
    """Return one line of a table of comparisons: a name and the columns `COMPARED`."""
    return (
        name,
        f"{100 * one.difference:+.1f} {one.mark}".strip(),
        interval_cell(one.low, one.high),
        shown_p(one.p_adjusted, floor=one.p_floor),
        shown_p(one.p_mcnemar_adjusted),
        f"{one.n_queries:,}",
    )


def length_table(lengths: Sequence[LengthBin]) -> tuple[Sequence[str], Rows]:
    """Return header and rows of hit rates by list length; a bin without a query has dashes."""
    header = ("candidates", "queries", "molecules", "hit rate @1", "95 % interval", "chance", "beyond chance")
    return (*header, *_control_columns(lengths)), [
        (
            one.label,
            f"{one.n_queries:,}",
            f"{one.n_molecules:,}",
            _rate(one.hit_rate),
            interval_cell(one.low, one.high),
            _rate(one.chance),
            _rate(one.beyond_chance),
            *_control_cells(one),
        )
        for one in lengths
    ]


def stratum_table(strata: Sequence[Stratum]) -> tuple[Sequence[str], Rows]:
    """Return header and rows of hit rates by stratum; a stratum without a query has dashes."""
    header = ("value", "queries", "molecules", "hit rate @1", "95 % interval", "chance")
    return (*header, *_control_columns(strata)), [
        (
            one.label + (" (few molecules)" if one.is_small and one.n_queries else ""),
            f"{one.n_queries:,}",
            f"{one.n_molecules:,}",
            _rate(one.hit_rate),
            interval_cell(one.low, one.high),
            _rate(one.chance),
            *_control_cells(one),
        )
        for one in strata
    ]


def _distances(findings: Sequence[Finding]) -> Rows:
    """Return the histogram of `near_twins`; no row where the training structures are not known."""
    numbers = next((one.numbers for one in findings if "histogram" in one.numbers), {"histogram": ()})
    counts = numbers["histogram"]
    return [
        (f"{low:.1f} to {low + 0.1:.1f}", f"{count:,}", f"{_rate(count / sum(counts))} %")
        for low, count in zip(numbers.get("histogram_edges", ()), counts, strict=False)
    ]


def _control_columns(groups: Sequence[Group]) -> tuple[str, ...]:
    return tuple(
        title
        for name in controls_named(groups)
        for title in (f"{name.replace('_', ' ')} @1", f"above {name.replace('_', ' ')}")
    )


def _control_cells(group: Group) -> tuple[str, ...]:
    """Return hit rate of every control, and what the method stands above it, ``-4.2 (-9.0 to -0.3) ↓↓``."""
    return tuple(cell for one in group.against for cell in (_rate(one.hit_rate), _difference(one)))


def _difference(one: Against) -> str:
    if math.isnan(one.difference):
        return "–"
    interval = "" if math.isnan(one.low) else f" ({interval_cell(one.low, one.high)})"
    return f"{100 * one.difference:+.1f}{interval} {one.mark}".rstrip()


def _joined(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)


def _harmful(harmful: Sequence[Mapping[str, Any]], n_models: int) -> tuple[str, str, Sequence[str], Rows]:
    models = "one model, a single point of the training" if n_models == 1 else f"{n_models} models"
    text = (
        "Training spectra on whose labels a step of training would raise the loss of the tested answers most (against "
        "the answers), then those whose own gradient is greatest (against the rest: a step on them would lower their "
        "own loss most, since the rest of training speaks against their labels). Products of gradients "
        f"(doi:10.48550/arXiv.2002.08484), summed over {models}, by the last linear layer of the spectrum tower: only "
        "the vectors are differentiated, not the second look nor the prior. Wrong labels gather here; so do rare ones."
    )
    header = ("accession", "molecule", "list", "influence")
    return (
        "Training labels to look at",
        text,
        header,
        [(row["accession"], row["molecule"], row["list"], f"{row['influence']:.3g}") for row in harmful],
    )


def _hardest(hardest: Sequence[HardCase]) -> tuple[str, str, Sequence[str], Rows]:
    rows = [
        (
            one.query,
            f"{one.rank:.0f} of {one.n_candidates}" if math.isfinite(one.rank) else "miss",
            f"`{one.target_smiles}`",
            f"`{one.best_smiles}`",
            "" if math.isnan(one.tanimoto) else f"{one.tanimoto:.2f}",
            ", ".join(one.neighbours),
        )
        for one in hardest
    ]
    header = ("query", "rank", "answer", "stood first", "Tanimoto", "nearest training molecules")
    return "Hardest queries", "Wrong by the widest margin of score, one per molecule.", header, rows


def table(header: Sequence[str], rows: Rows) -> str:
    """Return a Markdown table; empty without a row."""
    if not rows:
        return ""
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def html_table(header: Sequence[str], rows: Rows) -> str:
    """Return an HTML table; empty without a row."""
    if not rows:
        return ""
    head = "".join(f"<th>{escape(str(cell))}</th>" for cell in header)
    body = "".join("<tr>" + "".join(map(_html_cell, row)) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _html_cell(cell: str) -> str:
    """Return a cell; a number with its interval stays on one line."""
    kind = ' class="number"' if _NUMBER.match(str(cell)) and len(str(cell)) < _LONGEST_NUMBER else ""
    return f"<td{kind}>{escape(str(cell))}</td>"


def _rate(value: float) -> str:
    return "–" if math.isnan(value) else f"{100 * value:.1f}"


def interval_cell(low: float, high: float) -> str:
    """Return an interval in %, ``23.6 to 33.5``; a dash where there is none, as of one molecule."""
    return "–" if math.isnan(low) or math.isnan(high) else f"{100 * low:.1f} to {100 * high:.1f}"
