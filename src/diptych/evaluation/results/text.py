"""A table of results as texts, and its texts as numbers: where one cannot be read, its line says so."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diptych.data.tables import DAMAGED, open_text
from diptych.errors import EvaluationError, reason_of

MISS = "miss"
_RATES = ("probability", "tanimoto")
_SIZES = ("mces", "n_structures")


def read_texts(path: Path) -> dict[str, tuple[str, ...]]:
    """Return the columns of a tab-separated table, plain or packed, by the names in its header.

    Raises
    ------
    EvaluationError
        The table is missing, damaged or empty, a column stands twice, or a row has another number of columns.
    """
    try:
        with open_text(path) as file:
            header, *rows = list(csv.reader(file, delimiter="\t")) or [[]]
        if not header:
            raise ValueError("the file is empty; expected a header and a row for each query")
        if len(set(header)) != len(header):
            raise ValueError("a column stands twice in its header")
        for number, row in enumerate(rows, start=2):
            if len(row) != len(header):
                raise ValueError(f"row {number} has {len(row)} columns; expected {len(header)}")
    except (*DAMAGED, ValueError) as error:
        reason = reason_of(error)
        raise EvaluationError(f"{path}: the table of results cannot be read: {reason}") from error
    columns = zip(*rows, strict=True) if rows else ((),) * len(header)
    return dict(zip(header, columns, strict=True))


def ranks_of(name: str, texts: Sequence[str]) -> NDArray[np.float64]:
    """Return ranks, at least 1; infinity is a miss."""
    return _read(
        name,
        texts,
        lambda text: math.inf if text == MISS else int(text),
        lambda rank: rank >= 1,
        f"a whole number of at least 1, or {MISS}",
    )


def counts_of(name: str, texts: Sequence[str]) -> NDArray[np.int64]:
    """Return whole numbers, none of them negative."""
    return _read(name, texts, int, lambda n: n >= 0, "a whole number of at least 0").astype(np.int64)


def numbers_of(name: str, texts: Sequence[str]) -> NDArray[np.float64]:
    """Return numbers, NaN where there is none; probabilities and similarities are in [0, 1], sizes not negative."""
    low, high, expected = -math.inf, math.inf, "a number"
    if name in _RATES:
        low, high, expected = 0.0, 1.0, "a number in [0, 1]"
    if name in _SIZES:
        low, expected = 0.0, "a number of at least 0"
    return _read(
        name,
        texts,
        lambda text: float(text or "nan"),
        lambda value: math.isnan(value) or low <= value <= high,
        f"{expected}, or nothing",
    )


def check_ranks(ranks: NDArray[np.float64], n_candidates: NDArray[np.int64]) -> None:
    """Refuse ranks below the end of their lists.

    Raises
    ------
    ValueError
        Names the first such row.
    """
    beyond = np.flatnonzero(np.isfinite(ranks) & (ranks > n_candidates))
    if beyond.size:
        row = int(beyond[0])
        raise ValueError(f"row {row + 2}: rank {ranks[row]:.0f} of {n_candidates[row]}; expected one of the candidates")


def _read(
    name: str,
    texts: Sequence[str],
    parse: Callable[[str], float],
    is_possible: Callable[[float], bool],
    expected: str,
) -> NDArray[np.float64]:
    """Return texts as numbers; a ValueError names row, column and what was expected."""
    values = np.empty(len(texts), dtype=np.float64)
    for row, text in enumerate(texts):
        try:
            value = parse(text)
        except ValueError:
            value = None
        if value is None or not is_possible(value):
            raise ValueError(f"row {row + 2}, column {name}: {text!r}; expected {expected}")
        values[row] = value
    return values
