"""Candidate lists: the structures that a query is asked to rank, drawn from a table of structures."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diptych.data.tables import read_columns
from diptych.errors import DatasetError, FormulaError
from diptych.molecules.formula import Formula

LONGEST_LIST = 256


@dataclass(frozen=True, kw_only=True, eq=False)
class CandidateTable:
    """Structures to draw candidates from, distinct by first block, in order of exact mass.

    Attributes
    ----------
    first_blocks, smiles, formulas
        object arrays of text, of shape (n,).
    exact_masses
        float64, of shape (n,), Da, ascending.
    """

    first_blocks: NDArray[np.object_]
    smiles: NDArray[np.object_]
    formulas: NDArray[np.object_]
    exact_masses: NDArray[np.float64]

    @classmethod
    def of(cls, rows: Iterable[tuple[str, str, str]]) -> CandidateTable:
        """Return the table of (first block, SMILES, formula) rows; the first row of a first block counts.

        Raises
        ------
        FormulaError
            A formula cannot be parsed.
        """
        distinct: dict[str, tuple[str, str]] = {}
        for block, smiles, formula in rows:
            distinct.setdefault(block, (smiles, formula))
        mass_of = {formula: Formula.parse(formula).exact_mass for _, formula in distinct.values()}
        # The first block breaks ties of mass, so that the order does not depend on that of the source.
        ordered = sorted(distinct, key=lambda block: (mass_of[distinct[block][1]], block))
        return cls(
            first_blocks=_texts(ordered),
            smiles=_texts([distinct[block][0] for block in ordered]),
            formulas=_texts([distinct[block][1] for block in ordered]),
            exact_masses=np.array([mass_of[distinct[block][1]] for block in ordered], dtype=np.float64),
        )

    def __len__(self) -> int:
        return int(self.exact_masses.size)

    @cached_property
    def _row_of(self) -> Mapping[str, int]:
        return {block: row for row, block in enumerate(self.first_blocks)}

    @cached_property
    def _rows_of_formula(self) -> Mapping[str, list[int]]:
        rows: dict[str, list[int]] = {}
        for row, formula in enumerate(self.formulas):
            rows.setdefault(formula, []).append(row)
        return rows

    def row(self, first_block: str) -> int:
        """Return the row of a molecule.

        Raises
        ------
        DatasetError
            The table lacks it.
        """
        if first_block not in self._row_of:
            raise DatasetError(f"{first_block}: not among the {len(self)} structures to draw from; expected it there")
        return self._row_of[first_block]

    def of_formula(self, row: int) -> NDArray[np.int64]:
        """Return the rows of the same formula as one row, itself included."""
        return np.array(self._rows_of_formula[self.formulas[row]], dtype=np.int64)

    def of_mass(self, row: int, *, half_width_da: float) -> NDArray[np.int64]:
        """Return the rows whose exact mass lies within a window around that of one row, itself included."""
        mass = self.exact_masses[row]
        low = int(np.searchsorted(self.exact_masses, mass - half_width_da, side="left"))
        high = int(np.searchsorted(self.exact_masses, mass + half_width_da, side="right"))
        return np.arange(low, high, dtype=np.int64)


def _texts(values: list[str]) -> NDArray[Any]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def read_candidate_table(path: Path) -> CandidateTable:
    """Return the structures of a table with the columns ``inchikey_first_block``, ``smiles`` and ``formula``.

    Raises
    ------
    DatasetError
        The file is missing or damaged, lacks a column, or holds a formula that cannot be parsed.
    """
    try:
        rows = read_columns(path, ("inchikey_first_block", "smiles", "formula"))
        return CandidateTable.of((block, smiles, formula) for block, smiles, formula in rows)
    except FormulaError as error:
        raise DatasetError(f"{path}: {error}") from error


def candidates_by_formula(
    table: CandidateTable, first_block: str, *, seed: int = 0, limit: int = LONGEST_LIST
) -> list[str]:
    """Return the SMILES of a molecule and of others of its formula, at most ``limit``, in an order drawn by seed."""
    row = table.row(first_block)
    return _drawn(table, row, table.of_formula(row), seed=seed, limit=limit)


def candidates_by_mass(
    table: CandidateTable, first_block: str, *, ppm: float = 10.0, seed: int = 0, limit: int = LONGEST_LIST
) -> list[str]:
    """Return the SMILES of a molecule and of others within ``ppm`` of its exact mass, in an order drawn by seed."""
    row = table.row(first_block)
    half_width_da = float(table.exact_masses[row]) * ppm * 1e-6
    return _drawn(table, row, table.of_mass(row, half_width_da=half_width_da), seed=seed, limit=limit)


def _drawn(table: CandidateTable, row: int, rows: NDArray[np.int64], *, seed: int, limit: int) -> list[str]:
    if limit < 1:
        raise DatasetError(f"a candidate list of at most {limit}; expected room for the target at least")
    generator = np.random.default_rng(_seed_of(str(table.first_blocks[row]), seed))
    decoys = generator.permutation(rows[rows != row])[: limit - 1]
    drawn = generator.permutation(np.append(decoys, row))
    return [str(smiles) for smiles in table.smiles[drawn]]


def _seed_of(first_block: str, seed: int) -> int:
    """Return a seed of a molecule's own, so that its list does not depend on which others are drawn."""
    return int.from_bytes(hashlib.blake2b(f"{seed} {first_block}".encode(), digest_size=8).digest(), "big")
