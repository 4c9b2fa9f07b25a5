"""The structures of a library, read from its Parquet table by row, a few row groups in memory at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from diptych.errors import LibraryError, reason_of
from diptych.molecules.structure import Structure

ROWS_PER_GROUP = 16_384
_GROUPS_IN_MEMORY = 64  # about 200 MB, a million structures

TABLE_SCHEMA = pa.schema(
    [
        ("smiles", pa.string()),
        ("inchikey", pa.string()),
        ("formula", pa.string()),
        ("exact_mass", pa.float64()),
        ("name", pa.string()),
        ("inchi", pa.string()),
        ("source", pa.string()),
        ("licence", pa.string()),
    ]
)
_STRUCTURE_COLUMNS = ["smiles", "inchikey", "formula", "exact_mass", "name", "inchi"]


class StructureTable:
    """The structures of a library by row number; opening reads the table's footer alone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._metadata = pq.read_metadata(path)
        except (OSError, pa.ArrowException) as error:
            raise LibraryError(f"{path}: no readable Parquet table: {reason_of(error)}") from error
        if self._metadata.schema.to_arrow_schema().names != TABLE_SCHEMA.names:
            raise LibraryError(f"{path}: foreign columns; expected {', '.join(TABLE_SCHEMA.names)}")
        self._group = lru_cache(maxsize=_GROUPS_IN_MEMORY)(self._read_group)

    def __len__(self) -> int:
        return int(self._metadata.num_rows)

    def structure(self, row: int) -> Structure:
        """Return the structure of a row, as it was standardised when the library was built.

        Raises
        ------
        LibraryError
            There is no such row, or the table is damaged.
        """
        if not 0 <= row < len(self):
            raise LibraryError(f"{self._path}: no row {row}; expected 0 to {len(self) - 1}")
        smiles, inchikey, formula, exact_mass, name, inchi = self._group(row // ROWS_PER_GROUP)
        at = row % ROWS_PER_GROUP
        return Structure(
            smiles=smiles[at].as_py(),
            inchikey=inchikey[at].as_py(),
            formula=formula[at].as_py(),
            exact_mass=exact_mass[at].as_py(),
            name=name[at].as_py(),
            inchi=inchi[at].as_py(),
        )

    def structures(self, rows: Iterable[int]) -> list[Structure]:
        """Return the structures of some rows, in their order."""
        return [self.structure(int(row)) for row in rows]

    def rows_of_formula(self, formula: str, *, within: slice) -> NDArray[np.int64]:
        """Return the rows of a slice that have a formula, int64, ascending."""
        found = [np.empty(0, dtype=np.int64)]
        for group in range(within.start // ROWS_PER_GROUP, -(-within.stop // ROWS_PER_GROUP)):
            first = group * ROWS_PER_GROUP
            start, stop = max(within.start - first, 0), min(within.stop - first, ROWS_PER_GROUP)
            equal = pc.equal(self._group(group)[2].slice(start, stop - start), formula)
            found.append(first + start + np.flatnonzero(equal.to_numpy(zero_copy_only=False)))
        return np.concatenate(found)

    def _read_group(self, group: int) -> tuple[pa.Array, ...]:
        # A reader of its own each time, as one reader must not be used by two threads at once.
        try:
            with pq.ParquetFile(self._path, metadata=self._metadata, memory_map=True) as file:
                table = file.read_row_group(group, columns=_STRUCTURE_COLUMNS, use_threads=False)
        except (OSError, pa.ArrowException) as error:
            raise LibraryError(f"{self._path}: damaged in row group {group}: {reason_of(error)}") from error
        return tuple(table.column(name).combine_chunks() for name in _STRUCTURE_COLUMNS)


def first_blocks(path: Path) -> Iterator[str]:
    """Yield the first block of the InChIKey of each structure of a table.

    Raises
    ------
    LibraryError
        The table cannot be read.
    """
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=["inchikey"]):
                yield from (key.partition("-")[0] for key in batch.column(0).to_pylist())
    except (OSError, pa.ArrowException) as error:
        raise LibraryError(f"{path}: no readable Parquet table: {reason_of(error)}") from error


def write_structure_table(table: pa.Table, path: Path) -> None:
    """Write the table of a library's structures, in row groups of the size that `StructureTable` counts on."""
    pq.write_table(table.cast(TABLE_SCHEMA), path, row_group_size=ROWS_PER_GROUP, compression="zstd")
