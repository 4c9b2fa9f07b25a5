"""The structures of a run: training molecules, hard negatives, validation candidates; described before training."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diptych.data.tables import read_columns
from diptych.errors import FormulaError
from diptych.molecules.formula import Formula
from diptych.molecules.parallel import standardise_rows
from diptych.molecules.tables import StructureRow
from diptych.training.feature_cache import Described, FeatureCache

if TYPE_CHECKING:
    from diptych.molecules.parallel import Featuriser
    from diptych.molecules.structure import Structure


@dataclass(frozen=True, kw_only=True, eq=False)
class StructureTable:
    """Structures, distinct by first block, and their features.

    Attributes
    ----------
    structures
        In the order in which they were first given.
    features
        Aligned with ``structures``: what the structure tower's featuriser makes, with ``take(rows)`` and
        ``concatenate(tables)``.
    """

    structures: Sequence[Structure]
    features: Any

    @classmethod
    def of(cls, structures: Sequence[Structure], features: Any) -> StructureTable:  # noqa: ANN401 - each tower's own
        """Return the table of structures with their features, repeats left out."""
        first: dict[str, int] = {}
        for row, structure in enumerate(structures):
            first.setdefault(structure.inchikey_first_block, row)
        rows = np.fromiter(first.values(), dtype=np.int64, count=len(first))
        return cls(structures=[structures[row] for row in rows], features=features.take(rows))

    def joined(self, other: StructureTable) -> StructureTable:
        """Return these structures, then those of the other table that are not here."""
        features = type(self.features).concatenate([self.features, other.features])
        return StructureTable.of([*self.structures, *other.structures], features)

    def without(self, first_blocks: Collection[str]) -> StructureTable:
        """Return the structures that are none of these."""
        blocks = [structure.inchikey_first_block for structure in self.structures]
        rows = np.flatnonzero([block not in first_blocks for block in blocks])
        return StructureTable(structures=[self.structures[int(row)] for row in rows], features=self.features.take(rows))

    @cached_property
    def row_of(self) -> dict[str, int]:
        """First block -> row."""
        return {structure.inchikey_first_block: row for row, structure in enumerate(self.structures)}

    @property
    def formulas(self) -> list[str]:
        """Formula of each structure, in Hill order."""
        return [structure.formula for structure in self.structures]

    @property
    def exact_masses(self) -> NDArray[np.float64]:
        """Exact mass of each structure, float64 of shape (n,), Da."""
        return np.array([structure.exact_mass for structure in self.structures], dtype=np.float64)


@dataclass(frozen=True, kw_only=True, eq=False)
class ParsedSmiles:
    """What became of some SMILES.

    Attributes
    ----------
    structure_of
        SMILES -> structure; those that gave none are absent.
    table
        The structures, repeats left out; None where no SMILES gave one, or no features were asked for.
    """

    structure_of: Mapping[str, Structure]
    table: StructureTable | None


def parse_smiles(
    smiles: Iterable[str], featuriser: Featuriser | None, *, workers: int | None = None, cache: Path | None = None
) -> ParsedSmiles:
    """Return the standardised, featurised structures of SMILES, worked on by all processors if there are many.

    Parameters
    ----------
    smiles
        Repeats are parsed once.
    featuriser
        Of the structure tower; None for structures alone.
    workers
        Processes; None for one per processor.
    cache
        Folder in which the result is looked for, and kept; None for none.
    """
    texts = list(dict.fromkeys(smiles))
    store = None if cache is None or not texts else FeatureCache(cache)
    described = store.get(texts, featuriser) if store else None
    if described is None:
        described = _describe(texts, featuriser, workers=workers)
        if store and described.texts:
            store.put(texts, featuriser, described)
    structures = described.structures
    table = None if described.features is None else StructureTable.of(structures, described.features)
    return ParsedSmiles(structure_of=dict(zip(described.texts, structures, strict=True)), table=table)


def _describe(texts: Sequence[str], featuriser: Featuriser | None, *, workers: int | None) -> Described:
    rows = (StructureRow(row_number=number, smiles=text) for number, text in enumerate(texts))
    chunks = list(standardise_rows(rows, featuriser=featuriser, workers=workers))
    failed = {failure.row_number for chunk in chunks for failure in chunk.failures}
    parts = [chunk.features for chunk in chunks if chunk.features is not None]
    return Described(
        texts=[text for number, text in enumerate(texts) if number not in failed],
        structures=[structure for chunk in chunks for structure in chunk.structures()],
        features=type(parts[0]).concatenate(parts) if parts else None,
    )


def describe_structures(
    structures: Sequence[Structure], featuriser: Featuriser, *, cache: Path | None = None
) -> StructureTable:
    """Return the table of structures that are distinct by first block, in their order."""
    parsed = parse_smiles((structure.smiles for structure in structures), featuriser, cache=cache).table
    known = parsed.row_of if parsed else {}
    # Now and then a canonical SMILES, parsed again, gives another InChIKey; such a structure is taken as it is.
    rest = [structure for structure in structures if structure.inchikey_first_block not in known]
    table = StructureTable(structures=rest, features=featuriser([structure.mol() for structure in rest]))
    table = parsed.joined(table) if parsed else table
    rows = np.array([table.row_of[structure.inchikey_first_block] for structure in structures], dtype=np.int64)
    return StructureTable(structures=structures, features=table.features.take(rows))


def smiles_of_formulas(
    path: Path, formulas: Collection[str], *, without: Collection[str], at_most: int, seed: int
) -> dict[str, list[str]]:
    """Return formula -> SMILES of a structure table, for each formula at most ``at_most``, drawn by the seed.

    Parameters
    ----------
    path
        TSV or CSV with the columns ``inchikey_first_block``, ``smiles`` and ``formula``; may be compressed.
    formulas
        The formulas wanted; those without a structure are absent from the result.
    without
        First blocks to pass over.
    at_most
        Most structures of one formula.
    seed
        Of the draw; it does not depend on which other formulas are wanted.

    Raises
    ------
    DatasetError
        The table is missing, damaged or lacks a column.
    """
    found: dict[str, list[str]] = {}
    for block, smiles, formula in read_columns(path, ("inchikey_first_block", "smiles", "formula")):
        if formula in formulas and block not in without:
            found.setdefault(formula, []).append(smiles)
    return {
        formula: _drawn(found[formula], at_most=at_most, key=[seed, *formula.encode()]) for formula in sorted(found)
    }


def smiles_near_masses(
    path: Path,
    masses: NDArray[np.float64],
    *,
    window_ppm: float,
    without: Collection[str],
    at_most: int,
    seed: int,
) -> list[str]:
    """Return SMILES of a structure table whose mass is near one of some masses, each once.

    Parameters
    ----------
    path
        As `smiles_of_formulas` takes it; a row whose formula cannot be read is passed over.
    masses
        Float64, of shape (n,), Da.
    window_ppm
        Largest difference, in parts per million of the mass.
    without
        First blocks to pass over.
    at_most
        Most structures near one mass, drawn by the seed.
    seed
        Of the draw; it does not depend on which other masses are wanted.

    Raises
    ------
    DatasetError
        The table is missing, damaged or lacks a column.
    """
    of_formula: dict[str, list[str]] = {}
    for block, smiles, formula in read_columns(path, ("inchikey_first_block", "smiles", "formula")):
        if block not in without:
            of_formula.setdefault(formula, []).append(smiles)
    known = sorted((mass, formula) for formula in of_formula if np.isfinite(mass := _mass(formula)))
    ascending = np.array([mass for mass, _ in known])
    found: dict[str, None] = {}
    for mass in masses:
        width = mass * window_ppm * 1e-6
        first, last = np.searchsorted(ascending, [mass - width, np.nextafter(mass + width, np.inf)])
        near = [smiles for _, formula in known[first:last] for smiles in of_formula[formula]]
        found.update(dict.fromkeys(_drawn(near, at_most=at_most, key=[seed, *np.float64(mass).tobytes()])))
    return list(found)


def _mass(formula: str) -> float:
    """Return the exact mass of a formula, Da; NaN where it is none."""
    try:
        return Formula.parse(formula).exact_mass
    except FormulaError:
        return math.nan


def _drawn(smiles: list[str], *, at_most: int, key: Sequence[int]) -> list[str]:
    if len(smiles) <= at_most:
        return smiles
    chosen = np.random.default_rng(list(key)).choice(len(smiles), at_most, replace=False)
    return [smiles[i] for i in sorted(chosen)]
