"""Tables of a report and of an audit, as Markdown and as HTML, and the cells that they share."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from diptych.evaluation.statistics.against_controls import controls_named
from diptych.evaluation.statistics.comparison_table import p_legend, shown_p

if TYPE_CHECKING:
    from diptych.evaluation.statistics.against_controls import Against, Group
    from diptych.evaluation.statistics.comparison_table import Comparison
    from diptych.evaluation.statistics.list_length import LengthBin
    from diptych.evaluation.statistics.strata import Stratum

_NUMBER = re.compile(r"[+-]?\d")
_LONGEST_NUMBER = 32
Rows = Sequence[Sequence[str]]
COMPARED = ("difference", "95 % interval", "p adjusted", "p McNemar adjusted", "queries")


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
            rate_cell(one.hit_rate),
            interval_cell(one.low, one.high),
            rate_cell(one.chance),
            rate_cell(one.beyond_chance),
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
            rate_cell(one.hit_rate),
            interval_cell(one.low, one.high),
            rate_cell(one.chance),
            *_control_cells(one),
        )
        for one in strata
    ]


def _control_columns(groups: Sequence[Group]) -> tuple[str, ...]:
    return tuple(
        title
        for name in controls_named(groups)
        for title in (f"{name.replace('_', ' ')} @1", f"above {name.replace('_', ' ')}")
    )


def _control_cells(group: Group) -> tuple[str, ...]:
    """Return hit rate of every control, and what the method stands above it, ``-4.2 (-9.0 to -0.3) ↓↓``."""
    return tuple(cell for one in group.against for cell in (rate_cell(one.hit_rate), _difference(one)))


def _difference(one: Against) -> str:
    if math.isnan(one.difference):
        return "–"
    interval = "" if math.isnan(one.low) else f" ({interval_cell(one.low, one.high)})"
    return f"{100 * one.difference:+.1f}{interval} {one.mark}".rstrip()


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


def rate_cell(value: float) -> str:
    """Return a rate in %, ``23.6``; a dash where there is none."""
    return "–" if math.isnan(value) else f"{100 * value:.1f}"


def interval_cell(low: float, high: float) -> str:
    """Return an interval in %, ``23.6 to 33.5``; a dash where there is none, as of one molecule."""
    return "–" if math.isnan(low) or math.isnan(high) else f"{100 * low:.1f} to {100 * high:.1f}"
