"""Structures that nobody measured, of the formulas of those that were: what a molecule prior learns to tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from diptych.data.tables import read_columns
from diptych.errors import EvaluationError
from diptych.evaluation.questions.candidate_lists import standardised

if TYPE_CHECKING:
    from diptych.molecules.structure import Structure


def unmeasured_structures(
    table: Path, measured: Sequence[Structure], *, at_most: int = 20_000, seed: int = 0
) -> list[Structure]:
    """Return structures of a table that have the formula of a measured molecule and were not measured themselves.

    Same formulas, so that what tells the two apart is not their size.

    Parameters
    ----------
    table
        With the columns ``inchikey_first_block``, ``smiles`` and ``formula``.
    measured
        Molecules of the training fold.
    at_most
        Of more so many are drawn.
    seed
        Of the drawing.

    Raises
    ------
    EvaluationError
        The table has no such structure.
    DatasetError
        The table cannot be read.
    """
    formulas = {structure.formula for structure in measured}
    known = {structure.inchikey_first_block for structure in measured}
    rows = read_columns(table, ("inchikey_first_block", "smiles", "formula"))
    found = sorted({smiles for block, smiles, formula in rows if formula in formulas and block not in known})
    if not found:
        raise EvaluationError(
            f"{table}: no structure beside the measured ones has one of their {len(formulas)} formulas; expected some"
        )
    drawn = np.random.default_rng(seed).permutation(len(found))[:at_most]
    structures = standardised(found[i] for i in sorted(drawn))
    return [s for s in structures.values() if s is not None and s.inchikey_first_block not in known]
