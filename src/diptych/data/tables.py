"""Columns of small delimited tables, plain or compressed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from diptych.errors import DatasetError
from diptych.molecules.compression import TRUNCATED, decompressed

DAMAGED = (OSError, UnicodeDecodeError, csv.Error, *TRUNCATED)
"""What reading a missing, damaged or mis-encoded text file raises."""


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """Yield the text of a plain, gzip, xz or bzip2 file."""
    with decompressed(path) as stream, io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:
        yield text


def read_columns(path: Path, names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield the values of the named columns, row by row, of a tab- or comma-separated table with a header.

    Raises
    ------
    DatasetError
        The file is missing or damaged, or lacks a column.
    """
    try:
        with open_text(path) as stream:
            header = stream.readline().rstrip("\r\n")
            delimiter = "\t" if "\t" in header else ","
            columns = next(csv.reader([header], delimiter=delimiter), [])
            places = _places(columns, names, path)
            for number, row in enumerate(csv.reader(stream, delimiter=delimiter), start=2):
                if len(row) <= max(places):
                    raise DatasetError(f"{path}, line {number}: {len(row)} columns; expected {len(columns)}")
                yield tuple(row[place] for place in places)
    except DAMAGED as error:
        raise DatasetError(f"{path}: cannot be read: {error}; expected a table with a header") from error


def _places(columns: Sequence[str], names: Sequence[str], path: Path) -> list[int]:
    missing = [name for name in names if name not in columns]
    if missing:
        raise DatasetError(f"{path}: no column {', '.join(missing)}; it has {', '.join(columns) or 'none'}")
    return [columns.index(name) for name in names]
