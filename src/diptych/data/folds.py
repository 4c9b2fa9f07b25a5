"""Fold columns for a dataset file: all splits side by side, so that a model can be judged on the whole ladder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from diptych.data.columns import FOLD_PREFIX, SCHEMA
from diptych.data.dataset import read_without_peaks
from diptych.data.fold_report import Nearness, SplitSizes, sizes_of
from diptych.data.massspecgym import place_by_similarity, read_folds
from diptych.data.splits import Fold, Fractions, molecule_folds, random_folds, scaffold_folds, similarity_folds
from diptych.data.tables import read_columns
from diptych.errors import DatasetError, StructureError
from diptych.files import replacing
from diptych.molecules.murcko import murcko_scaffold
from diptych.molecules.similarity import (
    greatest_similarity,
    packed_fingerprints,
    similar_pairs,
    standard_smiles,
)

_ROWS_AT_A_TIME = 8192
_BENCHMARK = "massspecgym"


@dataclass(frozen=True, kw_only=True)
class SplitSettings:
    """How a dataset is divided.

    Attributes
    ----------
    seed
        Decides who goes where.
    fractions
        Of the molecules (of the spectra in the random split).
    twin_similarity
        Tanimoto similarity of Morgan fingerprints (radius 2, 4096 bits) from which two molecules are twins.
    """

    seed: int = 0
    fractions: Fractions = field(default_factory=Fractions)
    twin_similarity: float = 0.6

    def __post_init__(self) -> None:
        if not 0 < self.twin_similarity <= 1:
            raise DatasetError(f"twin similarity {self.twin_similarity}; expected more than 0 and at most 1")


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Molecules of the benchmark with their folds, and the structures of those whose structure is at hand."""

    folds: Mapping[str, Fold]
    smiles: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class SplitReport:
    """What each split came to."""

    settings: SplitSettings
    splits: dict[str, SplitSizes]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON-able values."""
        return {
            "settings": asdict(self.settings),
            "splits": {name: asdict(sizes) for name, sizes in self.splits.items()},
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class Drawings:
    """Every way in which a molecule of the dataset is drawn, in alphabetical order.

    Attributes
    ----------
    first_blocks, smiles
        Of length n; a first block comes again where tautomers are drawn.
    fingerprints
        uint64, of shape (n, 64).
    """

    first_blocks: list[str]
    smiles: list[str]
    fingerprints: NDArray[np.uint64]

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> Drawings:
        """Return the drawings of (first block, SMILES) pairs, repeated ones once."""
        ordered = sorted(set(pairs))
        smiles = [text for _, text in ordered]
        return cls(
            first_blocks=[block for block, _ in ordered], smiles=smiles, fingerprints=packed_fingerprints(smiles)
        )

    def twins(self, other: Drawings, *, threshold: float) -> set[tuple[str, str]]:
        """Return pairs of different first blocks, one of each table, whose similarity reaches a threshold."""
        pairs = similar_pairs(self.fingerprints, other.fingerprints, threshold=threshold)
        named = {
            (self.first_blocks[i], other.first_blocks[j])
            for i, j in zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)
        }
        return {(first, second) for first, second in named if first != second}

    def rows_in(self, folds: Mapping[str, Fold], fold: Fold) -> NDArray[np.uint64]:
        """Return the fingerprints of the molecules of one fold."""
        mask = np.array([folds.get(block) == fold for block in self.first_blocks], dtype=bool)
        rows: NDArray[np.uint64] = self.fingerprints[mask]
        return rows


def read_fold_table(path: Path, identifiers: Iterable[str]) -> list[str]:
    """Return the fold of each spectrum by a table with the columns accession and fold; empty where it names none.

    Raises
    ------
    DatasetError
        The table is missing or damaged, lacks a column, or gives a spectrum two folds.
    """
    fold_of: dict[str, str] = {}
    for accession, fold in read_columns(path, ("accession", "fold")):
        if fold_of.setdefault(accession, fold) != fold:
            raise DatasetError(f"{path}: {accession} is of fold {fold_of[accession]} and {fold}; expected one fold")
    return [fold_of.get(str(identifier), "") for identifier in identifiers]


def read_reference(folds: Path, structures: Path | None = None) -> Reference:
    """Return MassSpecGym's folds, and the structures of its molecules from a table of SMILES where one is given."""
    by_block = read_folds(folds)
    if structures is None:
        return Reference(folds=by_block)
    rows = read_columns(structures, ("inchikey_first_block", "smiles"))
    return Reference(folds=by_block, smiles={block: smiles for block, smiles in rows if block in by_block})


def split_dataset(
    source: Path, output: Path, *, settings: SplitSettings, reference: Reference | None = None
) -> SplitReport:
    """Write a dataset again with a column of folds per split, and a JSON report beside it; return the report.

    Parameters
    ----------
    source
        A dataset file; may be the output itself. Folds that it has already are replaced.
    output
        Gets the columns ``fold_random``, ``fold_molecule``, ``fold_scaffold``, ``fold_similarity`` and, with a
        reference, ``fold_massspecgym``.
    settings
        Seed, fractions, threshold.
    reference
        MassSpecGym's folds; its structures, where given, count as twins even where the dataset lacks them.

    Raises
    ------
    DatasetError
        The source is no dataset, or is empty.
    OutputError
        The output cannot be written.
    """
    rows = read_without_peaks(source)
    if not len(rows):
        raise DatasetError(f"{source}: holds no spectra; expected some to divide")
    structures = rows.structures()
    drawings = Drawings.of((structure.inchikey_first_block, structure.smiles) for structure in structures)
    scaffolds = [(structure.inchikey_first_block, murcko_scaffold(structure)) for structure in structures]
    by_molecule, known = _molecule_splits(drawings, scaffolds, settings=settings, reference=reference)
    identifiers = rows.column("identifier").astype(str).tolist()
    by_spectrum = random_folds(identifiers, fractions=settings.fractions, seed=settings.seed)
    columns = {"random": [by_spectrum[name] for name in identifiers]}
    blocks = rows.column("inchikey_first_block").tolist()
    columns |= {name: [folds[block] for block in blocks] for name, folds in by_molecule.items()}
    _write_with_folds(source, output, columns)
    nearness = {
        name: _nearness(folds, drawings, known if name == _BENCHMARK else None, settings=settings, reference=reference)
        for name, folds in by_molecule.items()
    }
    report = SplitReport(
        settings=settings,
        splits={name: sizes_of(rows, folds, **nearness.get(name, {})) for name, folds in columns.items()},
    )
    with replacing(output.with_suffix(".split.json")) as path:
        path.write_text(json.dumps(report.to_dict(), indent=2) + "\n", encoding="utf-8")
    return report


def _molecule_splits(
    drawings: Drawings, scaffolds: list[tuple[str, str]], *, settings: SplitSettings, reference: Reference | None
) -> tuple[dict[str, dict[str, Fold]], Drawings | None]:
    dealt: dict[str, Any] = {"fractions": settings.fractions, "seed": settings.seed}
    twins = drawings.twins(drawings, threshold=settings.twin_similarity)
    splits = {
        "molecule": molecule_folds(drawings.first_blocks, **dealt),
        "scaffold": scaffold_folds(scaffolds, **dealt),
        "similarity": similarity_folds(drawings.first_blocks, twins, **dealt),
    }
    if reference is None:
        return splits, None
    known = _known_outside(drawings, reference)
    twins |= drawings.twins(known, threshold=settings.twin_similarity)
    placed = place_by_similarity(drawings.first_blocks, reference.folds, twins=twins)
    splits[_BENCHMARK] = {**reference.folds, **placed}
    return splits, known


def _known_outside(drawings: Drawings, reference: Reference) -> Drawings:
    present = set(drawings.first_blocks)
    pairs = []
    for block, text in reference.smiles.items():
        # A structure that cannot be parsed has no fingerprint; its fold still counts by its first block.
        with suppress(StructureError):
            pairs += [] if block in present else [(block, standard_smiles(text))]
    return Drawings.of(pairs)


def _write_with_folds(source: Path, output: Path, columns: Mapping[str, list[Fold]]) -> None:
    kind = pa.dictionary(pa.int32(), pa.string())
    schema = pa.schema([*SCHEMA, *((FOLD_PREFIX + name, kind) for name in columns)], metadata=SCHEMA.metadata)
    folds = {name: pa.array(values, type=pa.string()) for name, values in columns.items()}
    with (
        pq.ParquetFile(source) as file,
        replacing(output) as path,
        pq.ParquetWriter(path, schema, compression="zstd") as writer,
    ):
        start = 0
        for batch in file.iter_batches(batch_size=_ROWS_AT_A_TIME, columns=SCHEMA.names):
            added = [values.slice(start, batch.num_rows).dictionary_encode() for values in folds.values()]
            writer.write_batch(pa.record_batch([*batch.columns, *added], schema=schema))
            start += batch.num_rows


def _nearness(
    folds: Mapping[str, Fold],
    drawings: Drawings,
    known: Drawings | None,
    *,
    settings: SplitSettings,
    reference: Reference | None,
) -> dict[str, Nearness | None]:
    """Return how near test comes to train; test with the benchmark's molecules outside the dataset, where known."""
    test = drawings.rows_in(folds, "test")
    named: Mapping[str, Fold] = {}
    if known is not None and reference is not None:
        test, named = np.concatenate([test, known.rows_in(folds, "test")]), reference.folds
    placed = {block: fold for block, fold in folds.items() if block not in named}
    return {
        name: Nearness.of(
            greatest_similarity(test, drawings.rows_in(part, "train")), twin_similarity=settings.twin_similarity
        )
        for name, part in (("test_to_train", folds), *((("test_to_placed", placed),) if named else ()))
    }
