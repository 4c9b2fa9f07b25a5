"""What each change of a recipe does: every cell of an ablation against its base, over seeds and molecules."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diptych.errors import EvaluationError
from diptych.evaluation.report.figures import COLOURS, GREY, drawing, png, svg
from diptych.evaluation.report.section import plain
from diptych.evaluation.report.tables import table
from diptych.evaluation.statistics.comparison_table import holm, mark_of, p_floor, p_legend, paired_bootstrap, shown_p
from diptych.evaluation.statistics.figures_of_merit import summarised
from diptych.evaluation.statistics.metrics import hits, reciprocal
from diptych.evaluation.wording import queries_of_molecules
from diptych.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from diptych.evaluation.results.query_results import QueryResults

_TITLE_WIDTH = 48  # letters, about as wide as the axes
BASE = "base"


@dataclass(frozen=True, kw_only=True)
class AblationRow:
    """One level of one axis, over its seeds.

    Attributes
    ----------
    axis, level
        Which; both ``base`` for the recipe as it is.
    n_seeds
        Runs that were finished.
    hit_rate, low, high
        At k, by spectrum, mean over seeds, with its 95 % BCa interval over molecules.
    seed_deviation
        Sample standard deviation of the hit rate over seeds; NaN of one.
    mrr
        By spectrum, mean over seeds.
    difference, difference_low, difference_high
        Hit rate less that of the base on the same queries, with the 95 % interval of the paired bootstrap over
        molecules.
    p_adjusted
        Of that difference, by Holm's method over all levels; NaN for the base.
    """

    axis: str
    level: str
    n_seeds: int
    hit_rate: float
    low: float
    high: float
    seed_deviation: float
    mrr: float
    difference: float = 0.0
    difference_low: float = math.nan
    difference_high: float = math.nan
    p_adjusted: float = math.nan

    @property
    def mark(self) -> str:
        """``***``, ``**``, ``*`` for an adjusted p below 0.001, 0.01, 0.05; empty above."""
        return mark_of(self.p_adjusted)


@dataclass(frozen=True, kw_only=True)
class AblationTable:
    """All rows of an ablation, the base first.

    Attributes
    ----------
    title
        Of the plan.
    k
        Of the hit rate.
    n_queries, n_molecules
        What every run was asked.
    n_bootstrap
        Resamples of which p-values were counted.
    rows
        The base, then the levels in the order of the plan.
    unfinished
        Cells without any finished run, and why.
    """

    title: str
    k: int
    n_queries: int
    n_molecules: int
    n_bootstrap: int
    rows: tuple[AblationRow, ...]
    unfinished: Mapping[str, str]

    def save(self, folder: Path) -> None:
        """Write ``ablation.json``, ``ablation.md``, ``ablation.svg`` and ``ablation.png`` into a folder.

        Raises
        ------
        OutputError
            They cannot be written.
        EvaluationError
            matplotlib is not installed.
        """
        with replacing(folder / "ablation.json") as path:
            path.write_text(json.dumps(plain(asdict(self)), indent=2, allow_nan=False) + "\n", encoding="utf-8")
        with replacing(folder / "ablation.md") as path:
            path.write_text(self.markdown(), encoding="utf-8")
        with drawing(6.4, 0.9 + 0.26 * len(self.rows)) as (figure, _):
            draw(self, figure)
            with replacing(folder / "ablation.png") as path:
                path.write_bytes(png(figure))
            with replacing(folder / "ablation.svg") as path:
                path.write_text('<?xml version="1.0"?>\n' + svg(figure, "ablation"), encoding="utf-8")

    def markdown(self) -> str:
        """Return the table as Markdown."""
        header = ("axis", "level", "seeds", f"hit rate @{self.k}", "95 %", "SD of seeds", "MRR", "to base", "95 %", "p")
        n_tests = sum(not math.isnan(row.p_adjusted) for row in self.rows)
        floor = p_floor(self.n_bootstrap, n_comparisons=n_tests)
        legend = f" {p_legend(self.n_bootstrap, n_comparisons=n_tests)}" if n_tests else ""
        parts = [
            f"# {self.title}",
            f"{queries_of_molecules(self.n_queries, self.n_molecules)}, the same in every run; in %, by spectrum, "
            "mean over seeds; intervals over molecules (BCa; to base: percentiles of the paired bootstrap, as p is). p "
            f"is adjusted by Holm's method over the table.{legend} Intervals do not hold what other seeds would "
            "change: for that see the deviation over seeds.",
            table(header, [_cells(row, floor=floor) for row in self.rows]),
            *(f"Not finished: {cell}: {reason}" for cell, reason in self.unfinished.items()),
        ]
        return "\n\n".join(parts) + "\n"


def ablation_table(
    cells: Mapping[tuple[str, str], Sequence[QueryResults]],
    *,
    title: str = "Ablation",
    k: int = 1,
    n_bootstrap: int = 10_000,
    seed: int = 0,
    unfinished: Mapping[str, str] | None = None,
) -> AblationTable:
    """Return the table of finished runs.

    Parameters
    ----------
    cells
        (axis, level) -> the results of each seed; the base is ``("base", "base")``. Cells without a result are left
        out.
    title
        Of the table.
    k
        Of the hit rate.
    n_bootstrap, seed
        Of intervals and p-values.
    unfinished
        Cell -> why it has no result.

    Raises
    ------
    EvaluationError
        The base has no result, or a run was asked other queries than the base.
    """
    finished = {cell: list(runs) for cell, runs in cells.items() if runs}
    if (BASE, BASE) not in finished:
        raise EvaluationError("the ablation has no finished run of its base, to which every cell is compared")
    first = finished[BASE, BASE][0]
    _check_queries(finished, first)
    base = _hits_of(finished[BASE, BASE], k=k)
    bootstrap = {"n_bootstrap": n_bootstrap, "seed": seed}
    rows = [_row(cell, runs, first, k=k, **bootstrap) for cell, runs in finished.items()]
    compared = [_compared(row, _hits_of(finished[row.axis, row.level], k=k) - base, first, **bootstrap) for row in rows]
    p_values = holm([row.p_adjusted for row in compared])
    return AblationTable(
        title=title,
        k=k,
        n_queries=len(first),
        n_molecules=first.n_molecules,
        n_bootstrap=n_bootstrap,
        rows=tuple(replace(row, p_adjusted=float(p)) for row, p in zip(compared, p_values, strict=True)),
        unfinished=dict(unfinished or {}),
    )


def _check_queries(cells: Mapping[tuple[str, str], Sequence[QueryResults]], first: QueryResults) -> None:
    for (axis, level), runs in cells.items():
        for run in runs:
            if run.queries != first.queries:
                raise EvaluationError(
                    f"{axis} {level}: a run was asked {len(run)} queries that are not the {len(first)} of the base; "
                    "expected "
                    "the same queries in the same order"
                )


def _hits_of(runs: Sequence[QueryResults], *, k: int) -> NDArray[np.float64]:
    """Return the mean over seeds of each query's hit."""
    return np.asarray(np.mean([hits(k, run.ranks) for run in runs], axis=0))


def _row(
    cell: tuple[str, str], runs: Sequence[QueryResults], first: QueryResults, *, k: int, n_bootstrap: int, seed: int
) -> AblationRow:
    values = {"hit": _hits_of(runs, k=k), "mrr": np.mean([reciprocal(run.ranks) for run in runs], axis=0)}
    found = summarised(values, molecules=first.targets, n_bootstrap=n_bootstrap, seed=seed)
    by_seed = [float(hits(k, run.ranks).mean()) for run in runs]
    return AblationRow(
        axis=cell[0],
        level=cell[1],
        n_seeds=len(runs),
        hit_rate=found["hit"].spectrum,
        low=found["hit"].low,
        high=found["hit"].high,
        seed_deviation=float(np.std(by_seed, ddof=1)) if len(by_seed) > 1 else math.nan,
        mrr=found["mrr"].spectrum,
    )


def _compared(
    row: AblationRow, differences: NDArray[np.float64], first: QueryResults, *, n_bootstrap: int, seed: int
) -> AblationRow:
    if row.axis == BASE:
        return row
    low, high, p_value = paired_bootstrap(differences, first.targets, n_bootstrap=n_bootstrap, seed=seed)
    return replace(
        row,
        difference=float(differences.mean()),
        difference_low=low,
        difference_high=high,
        p_adjusted=p_value,
    )


def draw(ablation: AblationTable, figure: Figure) -> None:
    """Draw every row as a point with its interval, grouped by axis, beside a line at the base."""
    (axes,) = figure.axes
    rows = ablation.rows[::-1]
    names = list(dict.fromkeys(row.axis for row in ablation.rows if row.axis != BASE))
    base = ablation.rows[0]
    axes.axvline(100 * base.hit_rate, color=GREY, linewidth=0.8, linestyle="--")
    for height, row in enumerate(rows):
        colour = "black" if row.axis == BASE else COLOURS[names.index(row.axis) % (len(COLOURS) - 1)]
        axes.plot([100 * row.low, 100 * row.high], [height, height], color=colour, linewidth=1.4)
        axes.plot(100 * row.hit_rate, height, "o", color=colour, markersize=4.5)
        if row.mark:
            axes.annotate(
                row.mark,
                (100 * row.hit_rate, height),
                xytext=(0, 2),
                textcoords="offset points",
                ha="center",
                fontsize=8,
            )
    axes.set_yticks(range(len(rows)), [row.level if row.axis == BASE else f"{row.axis}: {row.level}" for row in rows])
    axes.set(xlabel=f"hit rate at {ablation.k} (%), 95 % interval over molecules", ylim=(-0.7, len(rows) - 0.3))
    axes.set_title(textwrap.fill(ablation.title, _TITLE_WIDTH), fontsize=9)


def _cells(row: AblationRow, *, floor: float) -> tuple[str, ...]:
    is_base = row.axis == BASE
    return (
        "" if is_base else row.axis,
        row.level,
        str(row.n_seeds),
        f"{100 * row.hit_rate:.1f}",
        _interval(row.low, row.high),
        "" if math.isnan(row.seed_deviation) else f"{100 * row.seed_deviation:.1f}",
        f"{100 * row.mrr:.1f}",
        "" if is_base else f"{100 * row.difference:+.1f} {row.mark}".strip(),
        "" if is_base else _interval(row.difference_low, row.difference_high),
        "" if math.isnan(row.p_adjusted) else shown_p(row.p_adjusted, floor=floor),
    )


def _interval(low: float, high: float) -> str:
    return "" if math.isnan(low) or math.isnan(high) else f"{100 * low:.1f} to {100 * high:.1f}"
