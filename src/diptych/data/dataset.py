"""A dataset of annotated spectra: columns in memory, peaks as flat arrays, spectra made when they are asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import ArrayLike, NDArray

from diptych.data.annotated import AnnotatedSpectrum
from diptych.data.columns import FOLD_PREFIX, FORMAT_VERSION, METADATA_COLUMNS, PEAK_COLUMNS, fold_columns
from diptych.errors import DatasetError, reason_of
from diptych.molecules.structure import Structure
from diptych.spectra.adduct import Adduct
from diptych.spectra.spectrum import Spectrum

_parse_adduct = lru_cache(maxsize=None)(Adduct.parse)


@dataclass(frozen=True, kw_only=True, eq=False)
class Dataset(Sequence[AnnotatedSpectrum]):
    """Annotated spectra of one file, or a selection of them.

    Attributes
    ----------
    columns
        Everything but the peaks, one row per spectrum.
    offsets
        int64, of shape (n + 1,): the peaks of row i are ``mz[offsets[i]:offsets[i + 1]]``.
    mz
        float64, of shape (n_peaks,), Th, ascending within a row.
    intensity
        float32, of shape (n_peaks,), arbitrary units.
    split
        Name of the split that ``fold`` of each spectrum is taken from ("scaffold"); None for no fold.
    """

    columns: pa.Table
    offsets: NDArray[np.int64]
    mz: NDArray[np.float64]
    intensity: NDArray[np.float32]
    split: str | None = None

    def __len__(self) -> int:
        return int(self.offsets.size - 1)

    def __getitem__(self, row: int) -> AnnotatedSpectrum:  # type: ignore[override] # slices are made by take()
        row = range(len(self))[row]
        record = {name: values[row].as_py() for name, values in self._chunks.items()}
        peaks = slice(self.offsets[row], self.offsets[row + 1])
        return _example(record, self.mz[peaks], self.intensity[peaks], split=self.split)

    def __iter__(self) -> Iterator[AnnotatedSpectrum]:
        for row in range(len(self)):
            yield self[row]

    @cached_property
    def _chunks(self) -> dict[str, Any]:
        table = self.columns.combine_chunks()
        return {name: table.column(name).combine_chunks() for name in table.column_names}

    @property
    def splits(self) -> list[str]:
        """Names of the splits that the file has folds for."""
        return [name.removeprefix(FOLD_PREFIX) for name in fold_columns(self.columns.column_names)]

    def column(self, name: str) -> NDArray[Any]:
        """Return one column, of shape (n,): float64 with NaN for unknown, or object with None for unknown.

        Raises
        ------
        DatasetError
            There is no such column.
        """
        if name not in self.columns.column_names:
            raise DatasetError(f"the dataset has no column {name!r}; it has {', '.join(self.columns.column_names)}")
        values = self.columns.column(name)
        if pa.types.is_floating(values.type) or pa.types.is_integer(values.type):
            values = values.cast(pa.float64())
        elif pa.types.is_dictionary(values.type):
            # Straight to numpy, pyarrow would show an unknown value as the last of the dictionary.
            values = values.cast(pa.string())
        array: NDArray[Any] = values.to_numpy(zero_copy_only=False)
        return array

    @cached_property
    def molecules(self) -> NDArray[np.int64]:
        """Number of each spectrum's molecule, int64 of shape (n,), in the alphabetical order of the first blocks."""
        return np.unique(self.column("inchikey_first_block").astype(str), return_inverse=True)[1].astype(np.int64)

    def structures(self) -> list[Structure]:
        """Return the distinct structures in order of their SMILES; tautomers of one first block stand apart."""
        names = ("smiles", "inchikey", "formula", "exact_mass", "compound_name")
        distinct = {row[0]: row for row in zip(*(self.column(name) for name in names), strict=True)}
        return [
            Structure(smiles=smiles, inchikey=inchikey, formula=formula, exact_mass=float(mass), name=name or "")
            for smiles, inchikey, formula, mass, name in (distinct[smiles] for smiles in sorted(distinct))
        ]

    def take(self, rows: ArrayLike) -> Dataset:
        """Return the spectra of these rows (numbers or a mask), in this order."""
        selected = np.arange(len(self), dtype=np.int64)[np.asarray(rows)]
        lengths = np.diff(self.offsets)[selected]
        offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
        peaks = np.repeat(self.offsets[selected] - offsets[:-1], lengths) + np.arange(offsets[-1])
        return Dataset(
            columns=self.columns.take(pa.array(selected)),
            offsets=offsets,
            mz=self.mz[peaks],
            intensity=self.intensity[peaks],
            split=self.split,
        )

    def where(self, **allowed: str | Collection[str]) -> Dataset:
        """Return the spectra whose columns have one of the allowed values.

        ``fold`` stands for the column of the chosen split: ``where(fold="test", adduct=["[M+H]+", "[M+Na]+"])``.
        """
        mask = np.ones(len(self), dtype=bool)
        for name, values in allowed.items():
            wanted = [values] if isinstance(values, str) else list(values)
            mask &= np.isin(self.column(self._column_name(name)).astype(str), wanted)
        return self.take(mask)

    def _column_name(self, name: str) -> str:
        if name != "fold":
            return name
        if self.split is None:
            raise DatasetError(f"no split was chosen; expected read_dataset(path, split=...), one of {self.splits}")
        return FOLD_PREFIX + self.split

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content in hexadecimal: the same for the same spectra in the same order, however stored."""
        digest = hashlib.sha256()
        for name in sorted(self.columns.column_names):
            values = self.columns.column(name).to_pylist()
            digest.update(f"{name}\n".encode())
            digest.update("\n".join(map(repr, values)).encode())
        for array in (self.offsets, self.mz, self.intensity):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


def read_dataset(
    path: Path, *, split: str | None = None, where: Mapping[str, str | Collection[str]] | None = None
) -> Dataset:
    """Return a dataset file in memory: 12 bytes per peak, metadata dictionary-encoded.

    Parameters
    ----------
    path
        A Parquet file written by ``diptych dataset build`` or ``split``.
    split
        Name of the split that ``fold`` is taken from: "molecule", "scaffold", "similarity", "massspecgym" or "random".
    where
        Column name -> allowed value or values ("fold" for the chosen split); the rest is not kept in memory.

    Raises
    ------
    DatasetError
        The file is missing, no dataset, of another format version, or lacks the split or a column asked for.
    """
    allowed = {f"{FOLD_PREFIX}{split}" if name == "fold" else name: values for name, values in (where or {}).items()}
    return _from_table(_read_table(path, split=split, allowed=allowed), split=split)


def read_without_peaks(path: Path) -> Dataset:
    """Return the columns of a dataset file with no peaks in any spectrum, for counting and dividing.

    Raises
    ------
    DatasetError
        The file is missing, no dataset, or of another format version.
    """
    table = _read_table(path, split=None, allowed={}, leave_out=PEAK_COLUMNS)
    return Dataset(
        columns=table,
        offsets=np.zeros(table.num_rows + 1, dtype=np.int64),
        mz=np.empty(0, dtype=np.float64),
        intensity=np.empty(0, dtype=np.float32),
    )


def _read_table(
    path: Path, *, split: str | None, allowed: Mapping[str, str | Collection[str]], leave_out: Collection[str] = ()
) -> pa.Table:
    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
            _check_schema(schema, path, split=split)
            names = [name for name in schema.names if name not in leave_out]
            groups = (file.read_row_group(group, columns=names) for group in range(file.num_row_groups))
            tables = [_filtered(group, allowed, path) for group in groups]
    except (OSError, pa.ArrowException) as error:
        raise DatasetError(
            f"{path}: cannot be read as a dataset: {reason_of(error)}; expected a whole Parquet file"
        ) from error
    return pa.concat_tables([schema.empty_table().select(names), *tables]).unify_dictionaries()


def _check_schema(schema: pa.Schema, path: Path, *, split: str | None) -> None:
    version = (schema.metadata or {}).get(b"diptych.format", b"").decode()
    if version != str(FORMAT_VERSION):
        raise DatasetError(
            f"{path}: dataset format {version or 'unknown'!r}; expected {FORMAT_VERSION}, "
            "as 'diptych dataset build' writes"
        )
    missing = [name for name in (*METADATA_COLUMNS, *PEAK_COLUMNS) if name not in schema.names]
    if missing:
        raise DatasetError(f"{path}: the columns {', '.join(missing)} are missing")
    if split is not None and f"{FOLD_PREFIX}{split}" not in schema.names:
        known = [name.removeprefix(FOLD_PREFIX) for name in fold_columns(schema.names)]
        raise DatasetError(f"{path}: no split {split!r}; it has {known or 'none: run diptych dataset split'}")


def _filtered(table: pa.Table, allowed: Mapping[str, str | Collection[str]], path: Path) -> pa.Table:
    for name, values in allowed.items():
        if name not in table.column_names:
            raise DatasetError(f"{path}: no column {name!r}; it has {', '.join(table.column_names)}")
        wanted = [values] if isinstance(values, str) else list(values)
        column = table.column(name).cast(pa.string())
        table = table.filter(pc.is_in(column, value_set=pa.array(wanted, pa.string())))
    return table


def _from_table(table: pa.Table, *, split: str | None) -> Dataset:
    lengths = [pc.list_value_length(table.column(name)).to_numpy() for name in PEAK_COLUMNS]
    if not np.array_equal(lengths[0], lengths[1]):
        raise DatasetError("a spectrum of the dataset has more m/z values than intensities, or fewer")
    peaks = [pc.list_flatten(table.column(name)).to_numpy() for name in PEAK_COLUMNS]
    return Dataset(
        columns=table.drop_columns(list(PEAK_COLUMNS)),
        offsets=np.concatenate(([0], np.cumsum(lengths[0]))).astype(np.int64),
        mz=peaks[0],
        intensity=peaks[1],
        split=split,
    )


_TEXT_METADATA = ("instrument", "contributor", "fragmentation_mode", "smiles", "inchikey", "formula", "compound_name")


def _example(
    record: Mapping[str, Any], mz: NDArray[np.float64], intensity: NDArray[np.float32], *, split: str | None
) -> AnnotatedSpectrum:
    metadata = {name: record[name] for name in _TEXT_METADATA if record[name]}
    metadata |= {"ms_level": str(record["ms_level"]), "license": record["licence"] or ""}
    if record["polarity"]:
        metadata["ionmode"] = record["polarity"]
    if record["normalised_collision_energy"] is not None:
        metadata["normalised_collision_energy"] = str(record["normalised_collision_energy"])
    spectrum = Spectrum(
        mz=mz,
        intensity=intensity,
        precursor_mz=record["precursor_mz"],
        charge=record["charge"],
        adduct=_parse_adduct(record["adduct"]) if record["adduct"] else None,
        collision_energy=record["collision_energy"],
        instrument_type=record["instrument_type"],
        identifier=record["identifier"],
        metadata=metadata,
    )
    structure = Structure(
        smiles=record["smiles"],
        inchikey=record["inchikey"],
        formula=record["formula"],
        exact_mass=record["exact_mass"],
        name=record["compound_name"] or "",
    )
    return AnnotatedSpectrum(
        spectrum=spectrum,
        structure=structure,
        fold=record[FOLD_PREFIX + split] if split else None,
        source=record["source"] or "",
        licence=record["licence"] or "",
    )
