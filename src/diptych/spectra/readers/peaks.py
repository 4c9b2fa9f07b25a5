"""Peaks out of lines of text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from diptych.errors import ReadError

_COLUMNS = 2


def parse_peaks(lines: Sequence[str]) -> NDArray[np.float64]:
    r"""Return the peaks of lines "m/z intensity", float64 of shape (n_peaks, 2); what stands behind is ignored.

    Raises
    ------
    ReadError
        A line does not begin with two numbers.

    Examples
    --------
    >>> parse_peaks(["100.5 7", "101.5\t8 2+"]).tolist()
    [[100.5, 7.0], [101.5, 8.0]]
    """
    words = [line.split(None, _COLUMNS)[:_COLUMNS] for line in lines]
    try:
        numbers = np.fromiter(map(float, chain.from_iterable(words)), dtype=np.float64)
    except ValueError:
        numbers = np.empty(0)
    if numbers.size != _COLUMNS * len(words) or any(len(pair) != _COLUMNS for pair in words):
        raise _bad_peak(lines)
    return numbers.reshape(-1, _COLUMNS)


def _bad_peak(lines: Sequence[str]) -> ReadError:
    for number, line in enumerate(lines, start=1):
        try:
            _, _ = map(float, line.split(None, _COLUMNS)[:_COLUMNS])
        except ValueError:
            return ReadError(f"peak {number} of {len(lines)} reads {line.strip()[:60]!r}; expected 'm/z intensity'")
    return ReadError(f"{len(lines)} lines of peaks cannot be read; expected 'm/z intensity'")
