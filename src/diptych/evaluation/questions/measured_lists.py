"""Candidate lists of a benchmark: of one formula, of one mass, or of measured molecules alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from diptych.data.candidates import CandidateTable, candidates_by_formula, candidates_by_mass
from diptych.data.tables import read_columns
from diptych.errors import DatasetError, EvaluationError, FormulaError
from diptych.molecules.formula import Formula

if TYPE_CHECKING:
    from diptych.molecules.structure import Structure

ListKind = Literal["formula", "mass", "measured"]
LIST_KINDS: tuple[ListKind, ...] = ("formula", "mass", "measured")


Row = tuple[str, str, str]
"""First block, SMILES and formula of a structure."""


def candidate_tables(
    measured: Iterable[Structure], others: Iterable[Row] = (), *, others_measured: Iterable[Row] = ()
) -> tuple[CandidateTable, CandidateTable]:
    """Return the measured molecules, and all structures, as tables to draw lists from.

    Parameters
    ----------
    measured
        Structures of which there are spectra.
    others
        Further structures; of a molecule in both the measured drawing counts.
    others_measured
        Those of them that somebody measured, too.
    """
    rows = [(s.inchikey_first_block, s.smiles, s.formula) for s in measured]
    return CandidateTable.of([*rows, *others_measured]), CandidateTable.of([*rows, *others])


def measured_rows(path: Path, conditions: Sequence[str]) -> list[Row]:
    """Return the rows of a table of structures that meet any of some conditions: that they were measured.

    Parameters
    ----------
    path
        Table with ``inchikey_first_block``, ``smiles``, ``formula`` and the columns of the conditions.
    conditions
        ``COLUMN`` (it is not empty) or ``COLUMN=VALUE``.

    Raises
    ------
    DatasetError
        The table cannot be read, lacks a column, or has no row that meets one of the conditions.
    """
    wanted = [condition.partition("=") for condition in conditions]
    names = ("inchikey_first_block", "smiles", "formula", *(column for column, _, _ in wanted))
    rows: list[Row] = []
    unmet = set(conditions)
    for block, smiles, formula, *values in read_columns(path, names):
        met = [
            condition
            for condition, value, (_, sign, right) in zip(conditions, values, wanted, strict=True)
            if (value == right if sign else value)
        ]
        if met:
            rows.append((block, smiles, formula))
            unmet.difference_update(met)
    if unmet:
        raise DatasetError(f"{path}: no row is measured by {min(unmet)}; expected one at least")
    return rows


def with_known_mass(rows: Iterable[Row]) -> tuple[list[Row], int]:
    """Return the (first block, SMILES, formula) rows whose formula has a mass, and the number of the others.

    Those are of elements without a stable isotope, such as technetium.
    """
    known: dict[str, bool] = {}
    kept = []
    n_rows = 0
    for row in rows:
        n_rows += 1
        if row[2] not in known:
            known[row[2]] = _has_mass(row[2])
        if known[row[2]]:
            kept.append(row)
    return kept, n_rows - len(kept)


def _has_mass(formula: str) -> bool:
    try:
        Formula.parse(formula)
    except FormulaError:
        return False
    return True


def draw_lists(
    targets: Sequence[str],
    tables: tuple[CandidateTable, CandidateTable],
    *,
    kind: ListKind,
    ppm: float = 10.0,
    at_most: int = 256,
    seed: int = 0,
) -> dict[str, list[str]]:
    """Return target -> SMILES of its candidates, itself among them, in an order drawn by seed.

    Parameters
    ----------
    targets
        First blocks; each must be measured.
    tables
        Measured molecules, and all structures.
    kind
        ``formula``: all structures of the target's formula; ``mass``: all within ``ppm`` of its mass; ``measured``: the
        measured molecules within ``ppm`` of its mass, so that no prior over molecules tells the target from the others.
    ppm
        Half width of the mass window.
    at_most
        Longest list; of more candidates as many are drawn.
    seed
        With the target it decides what is drawn, whatever else is asked.

    Raises
    ------
    EvaluationError
        There is no such kind of list.
    DatasetError
        A target is not measured, or ``at_most`` is below 1.
    """
    if kind not in LIST_KINDS:
        raise EvaluationError(f"no kind of list {kind!r}; expected one of {', '.join(LIST_KINDS)}")
    measured, everything = tables
    if kind == "formula":
        return {block: candidates_by_formula(everything, block, seed=seed, limit=at_most) for block in targets}
    table = measured if kind == "measured" else everything
    return {block: candidates_by_mass(table, block, ppm=ppm, seed=seed, limit=at_most) for block in targets}
