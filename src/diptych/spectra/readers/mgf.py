"""Mascot generic format (MGF), as Mascot, GNPS, MZmine, SIRIUS and MassSpecGym write it.

http://www.matrixscience.com/help/data_file_help.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from diptych.errors import DiptychError, ReadError
from diptych.spectra.readers.harmonise import build_spectrum
from diptych.spectra.readers.peaks import parse_peaks
from diptych.spectra.readers.text import OnProblem, lines_of
from diptych.spectra.spectrum import Spectrum

_COMMENT_SIGNS = frozenset("#;!/")
_BEGIN, _END = "BEGIN IONS", "END IONS"


@dataclass(kw_only=True)
class _Record:
    first_line: int
    raw: dict[str, str]
    peaks: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.raw.get("title") or self.raw.get("feature_id") or self.raw.get("scans") or "?"


def read_mgf(path: Path, *, on_problem: OnProblem) -> Iterator[Spectrum]:
    """Yield the spectra of an MGF file, one at a time.

    Parameters
    ----------
    path
        The file, plain or compressed.
    on_problem
        Called with each record that cannot be read.

    Notes
    -----
    Keys may be in any case; keys before the first ``BEGIN IONS`` hold for every spectrum; lines that begin with one of
    ``#;!/`` are comments; a third column of peaks (their charge) is ignored; values of a repeated key are joined.
    """
    for ordinal, record in enumerate(_records(path, on_problem), start=1):
        try:
            peaks = parse_peaks(record.peaks)
            yield build_spectrum(
                record.raw, peaks[:, 0], peaks[:, 1], path=path, line=record.first_line, ordinal=ordinal
            )
        except DiptychError as error:
            on_problem(_placed(error, path, record))


def _placed(error: DiptychError, path: Path, record: _Record) -> ReadError:
    if str(error).startswith(f"{path}, "):
        return ReadError(str(error))
    return ReadError(f"{path}, line {record.first_line}, spectrum {record.name!r}: {error}")


def _records(path: Path, on_problem: OnProblem) -> Iterator[_Record]:
    defaults: dict[str, str] = {}
    record: _Record | None = None
    for number, text in _content(path, on_problem):
        marker = text.upper() if text[0] in "BbEe" else ""
        if marker == _BEGIN:
            if record is not None:
                on_problem(_unended(path, record, number))
            record = _Record(first_line=number, raw=dict(defaults))
        elif record is None:
            _add_value(defaults, text)
        elif marker == _END:
            yield record
            record = None
        else:
            _add_line(record, text, defaults)
    if record is not None:
        on_problem(_unended(path, record, None))


def _content(path: Path, on_problem: OnProblem) -> Iterator[tuple[int, str]]:
    """Yield the lines that are neither empty nor comments, with their numbers."""
    for number, line in enumerate(lines_of(path, on_problem=on_problem), start=1):
        text = line.strip()
        if text and text[0] not in _COMMENT_SIGNS:
            yield number, text


def _add_line(record: _Record, text: str, defaults: Mapping[str, str]) -> None:
    if "=" not in text:
        record.peaks.append(text)
        return
    key = text.partition("=")[0].strip().lower()
    if record.raw.get(key) == defaults.get(key):
        record.raw.pop(key, None)
    _add_value(record.raw, text)


def _add_value(raw: dict[str, str], text: str) -> None:
    key, equals, value = text.partition("=")
    key, value = key.strip().lower(), value.strip()
    if equals and value:
        raw[key] = f"{raw[key]}; {value}" if raw.get(key, value) != value else value


def _unended(path: Path, record: _Record, line: int | None) -> ReadError:
    where = "the file ends" if line is None else f"another begins on line {line}"
    return ReadError(
        f"{path}, line {record.first_line}, spectrum {record.name!r}: cut short: {where} before its 'END IONS'"
    )
