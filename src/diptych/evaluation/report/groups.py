"""What a report says of queries that have something in common: by list length, and by strata."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from diptych.evaluation.report import figures_groups
from diptych.evaluation.report.section import Section, plain
from diptych.evaluation.report.tables import length_table, stratum_table
from diptych.evaluation.statistics.against_controls import against_said, below_said, strongest_controls, with_controls
from diptych.evaluation.statistics.list_length import LengthEffect, by_list_length, length_effect
from diptych.evaluation.statistics.strata import COLUMNS, by_stratum, column_title

if TYPE_CHECKING:
    from diptych.evaluation.results.query_results import QueryResults

_DRAWN_STRATA = (
    "instrument_class",
    "adduct",
    "collision_energy",
    "n_peaks",
    "ring_systems",
    "structural_class",
    "nearest_training",
)


def length_section(tables: Mapping[str, QueryResults], *, n_bootstrap: int, seed: int) -> Section:
    """Return hit rates by list length: the table is of the first method, the picture of all with the same lists."""
    name, first = _first(tables)
    controls = strongest_controls(first)
    found = {
        other: by_list_length(
            first if other == name else results,
            controls=controls if other == name else (),
            n_bootstrap=n_bootstrap,
            seed=seed,
        )
        for other, results in tables.items()
        if tuple(results.n_candidates) == tuple(first.n_candidates)
    }
    header, rows = length_table(found[name])
    effects = {other: length_effect(tables[other]) for other in found}
    slopes = "; ".join(
        f"{other} {effect.slope:+.2f} ({_error_said(effect)})"
        for other, effect in effects.items()
        if effect is not None
    )
    said = [
        "Longer lists are harder for every method; chance is what random scores reach in the same lists. The table is "
        "that of the first method.",
        against_said(found[name]),
        below_said(found[name], of="bins"),
        f"Change of the log odds of a hit for each doubling of the list: {slopes}." * bool(slopes),
    ]
    return Section(
        title="List length",
        text=" ".join(text for text in said if text),
        header=header,
        rows=rows,
        picture=figures_groups.list_lengths(found),
        data=[plain(asdict(one)) for one in found[name]],
    )


def _error_said(effect: LengthEffect) -> str:
    if math.isnan(effect.standard_error):
        return "of one molecule, so without a standard error"
    return f"standard error {effect.standard_error:.2f}"


def strata_sections(tables: Mapping[str, QueryResults], *, n_bootstrap: int, seed: int) -> list[Section]:
    """Return the strata of the first method beside its strongest control; none where no column is known."""
    name, first = _first(tables)
    controls = strongest_controls(first)
    found = {
        column: by_stratum(first, column, controls=controls, n_bootstrap=n_bootstrap, seed=seed)
        for column in COLUMNS
        if any(first.text(column))
    }
    if not found:
        return []
    drawn = {column: found[column] for column in _DRAWN_STRATA if column in found}
    every = [stratum for strata in found.values() for stratum in strata]
    said = [
        "Hit rate at 1 of queries that have something in common; hollow points are of fewer than 20 molecules, and an "
        "orange name is of a stratum in which the method stands below the strongest of its controls.",
        against_said(every),
        below_said(every, of="strata"),
    ]
    return [
        Section(
            title=f"Strata of {name}",
            text=" ".join(text for text in said if text),
            header=("column", *stratum_table(every)[0]),
            rows=[(column_title(column), *row) for column, strata in found.items() for row in stratum_table(strata)[1]],
            picture=figures_groups.strata(drawn) if drawn else "",
            data=[plain(asdict(stratum)) for stratum in every],
        )
    ]


def _first(tables: Mapping[str, QueryResults]) -> tuple[str, QueryResults]:
    """Return name and results of the first method, the others among its controls."""
    (name, first), *others = tables.items()
    return name, with_controls(first, dict(others))
