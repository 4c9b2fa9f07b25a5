"""GNPS library JSON: an array of objects, one object, or one object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import ijson
import numpy as np
from numpy.typing import NDArray

from diptych.errors import DiptychError, ReadError
from diptych.spectra.readers.harmonise import build_spectrum
from diptych.spectra.readers.text import DAMAGED, OnProblem, damage, decode, head_of, open_text
from diptych.spectra.spectrum import Spectrum

_PEAKS = ("peaks_json", "peaks", "peaks_list")
_PAIR = 2


class _Utf8:
    """A stream of text as ijson wants it: in bytes, a piece at a time."""

    def __init__(self, path: Path) -> None:
        self._stream = open_text(path)

    def read(self, size: int) -> bytes:
        return self._stream.read(size).encode("utf-8", errors="replace")

    def close(self) -> None:
        self._stream.close()


def read_gnps_json(path: Path, *, on_problem: OnProblem) -> Iterator[Spectrum]:
    """Yield the spectra of a GNPS library file, one at a time.

    Parameters
    ----------
    path
        The file, plain or compressed. The peaks of an object stand in ``peaks_json`` (a text) or ``peaks`` (an array).
    on_problem
        Called with each object that cannot be read, and once if the document is not JSON to its end.
    """
    for ordinal, record in enumerate(_objects(path, on_problem), start=1):
        try:
            yield _spectrum(record, path=path, ordinal=ordinal)
        except DiptychError as error:
            on_problem(ReadError(f"{path}, record {ordinal}: {str(error).removeprefix(f'{path}, ')}"))


def _objects(path: Path, on_problem: OnProblem) -> Iterator[object]:
    is_array = decode(head_of(path)).lstrip().startswith("[")
    stream = _Utf8(path)
    try:
        yield from ijson.items(stream, "item" if is_array else "", use_float=True, multiple_values=True)
    except (ijson.JSONError, ValueError, RecursionError) as error:
        detail = " ".join(str(error).split())[:120]
        on_problem(ReadError(f"{path}: damaged or cut short: {detail}; expected JSON to its end"))
    except DAMAGED as error:
        on_problem(damage(path, error))
    finally:
        stream.close()


def _spectrum(record: object, *, path: Path, ordinal: int) -> Spectrum:
    if not isinstance(record, Mapping):
        raise ReadError(f"{type(record).__name__} found; expected an object with {' or '.join(_PEAKS[:2])}")
    key = next((key for key in _PEAKS if record.get(key) is not None), None)
    if key is None:
        raise ReadError(f"no peaks in it; expected one of {', '.join(_PEAKS)}")
    peaks = _peaks(record[key])
    raw = {str(name): _text(value) for name, value in record.items() if name != key and value is not None}
    return build_spectrum(raw, peaks[:, 0], peaks[:, 1], path=path, line=0, ordinal=ordinal)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _peaks(value: object) -> NDArray[np.float64]:
    try:
        pairs = json.loads(value) if isinstance(value, str) else value
        peaks = np.array([pair[:_PAIR] for pair in pairs], dtype=np.float64)  # type: ignore[union-attr]
        if not peaks.size:
            return np.empty((0, _PAIR))
        if peaks.shape[1:] != (_PAIR,):
            raise ValueError("not pairs")
    except (TypeError, ValueError, RecursionError, KeyError) as error:
        raise ReadError(f"its peaks read {str(value)[:60]!r}; expected [[m/z, intensity], ...]") from error
    return peaks
