"""Columns of small delimited tables, plain or compressed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from diptych.errors import DatasetError, reason_of
from diptych.molecules.compression import TRUNCATED, decompressed

DAMAGED = (OSError, UnicodeDecodeError, csv.Error, *TRUNCATED)
"""What reading a missing, damaged or mis-encoded text file raises."""


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """Yield the text of a plain, gzip, xz or bzip2 file."""
    with decompressed(path) as stream, io.TextIOWrapper(stream, encoding="utf-8-sig", newline="") as text:
        yield text


def read_header(path: Path) -> tuple[str, ...]:
    """Return the names of the columns of a tab- or comma-separated table.

    Raises
    ------
    DatasetError
        The file is missing or damaged.
    """
    try:
        with open_text(path) as stream:
            return tuple(_header(stream)[0])
    except DAMAGED as error:
        raise _unreadable(path, error) from error


def read_columns(path: Path, names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield the values of the named columns, row by row, of a tab- or comma-separated table with a header.

    Raises
    ------
    DatasetError
        The file is missing or damaged, lacks a column or has one twice, or a row is too short or of several lines.
    """
    try:
        with open_text(path) as stream:
            columns, delimiter = _header(stream)
            places = _places(columns, names, path)
            reader = csv.reader(stream, delimiter=delimiter)
            for number, row in enumerate(reader, start=2):
                if reader.line_num + 1 > number:
                    raise DatasetError(
                        f"{path}, line {number}: a quotation mark opens a field that ends on line "
                        f"{reader.line_num + 1}; expected a row on each line"
                    )
                if len(row) <= max(places):
                    raise DatasetError(f"{path}, line {number}: {len(row)} columns; expected {len(columns)}")
                yield tuple(row[place] for place in places)
    except DAMAGED as error:
        raise _unreadable(path, error) from error


def _header(stream: TextIO) -> tuple[list[str], str]:
    """Return the names in the first line, and what parts them."""
    header = stream.readline().rstrip("\r\n")
    delimiter = "\t" if "\t" in header else ","
    return next(csv.reader([header], delimiter=delimiter), []), delimiter


def _unreadable(path: Path, error: Exception) -> DatasetError:
    reason = reason_of(error)
    return DatasetError(f"{path}: cannot be read: {reason}; expected a table with a header")


def _places(columns: Sequence[str], names: Sequence[str], path: Path) -> list[int]:
    missing = [name for name in names if name not in columns]
    if missing:
        raise DatasetError(f"{path}: no column {', '.join(missing)}; it has {', '.join(columns) or 'none'}")
    repeated = [name for name in names if columns.count(name) > 1]
    if repeated:
        raise DatasetError(f"{path}: its header names the column {repeated[0]} twice; expected it once")
    return [columns.index(name) for name in names]
