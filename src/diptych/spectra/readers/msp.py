"""MSP, in the dialects of NIST, MoNA, RIKEN (MS-DIAL), Golm and of single laboratories.

https://chemdata.nist.gov/mass-spc/ms-search/docs/Ver20Man_11.pdf describes NIST's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from diptych.errors import DiptychError, ReadError
from diptych.spectra.readers.harmonise import build_spectrum
from diptych.spectra.readers.peaks import parse_peaks
from diptych.spectra.readers.text import OnProblem, lines_of
from diptych.spectra.spectrum import Spectrum

_QUOTED_PAIR = re.compile(r'"\s*([^"=]+?)\s*=([^"]*)"|([^\s"=]+)\s*=\s*"([^"]*)"')
_PLAIN_PAIR = re.compile(r"(?<!\S)([A-Za-z_]\w*)=(\S+)")
_METABOLITE_SYNONYM = re.compile(r"(METB \w+|RI):\s*(.*)")
_ANNOTATION = re.compile(r"\"[^\"]*\"?|'[^']*'?")
_GOLM_PAIR = re.compile(r"(\d):(\d)")
_COUNT = re.compile(r"[0-9]{1,9}")
_NUMBER_OF_PEAKS = frozenset({"num peaks", "numpeaks", "num_peaks"})


@dataclass(kw_only=True)
class _Record:
    first_line: int
    raw: dict[str, str] = field(default_factory=dict)
    announced: int | None = None
    peaks: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.raw.get("name", "?")

    @property
    def is_complete(self) -> bool:
        return self.announced is not None and len(self.peaks) >= self.announced


def read_msp(path: Path, *, on_problem: OnProblem) -> Iterator[Spectrum]:
    """Yield the spectra of an MSP file, one at a time.

    Parameters
    ----------
    path
        The file, plain or compressed.
    on_problem
        Called with each record that cannot be read.

    Notes
    -----
    Peaks may stand one or several to a line, parted by space, tab, ``;`` or ``:``; annotations of peaks are ignored.
    ``Comments: "key=value" ...`` are taken apart; what is left of the comment is kept. A record may hold more peaks
    than it announces, but not fewer.
    """
    for ordinal, record in enumerate(_records(path, on_problem), start=1):
        try:
            if not record.is_complete:
                raise _incomplete(record)
            peaks = parse_peaks(record.peaks)
            yield build_spectrum(
                record.raw, peaks[:, 0], peaks[:, 1], path=path, line=record.first_line, ordinal=ordinal
            )
        except DiptychError as error:
            place = f"{path}, line {record.first_line}"
            where = "" if str(error).startswith(place) else f"{place}, spectrum {record.name!r}: "
            on_problem(ReadError(f"{where}{error}"))


def _incomplete(record: _Record) -> ReadError:
    if record.announced is None:
        return ReadError("it ends without 'Num Peaks: n'")
    return ReadError(f"cut short: {len(record.peaks)} peaks; expected {record.announced} as 'Num Peaks' says")


def _records(path: Path, on_problem: OnProblem) -> Iterator[_Record]:
    record: _Record | None = None
    for number, line in enumerate(lines_of(path, on_problem=on_problem), start=1):
        text = line.strip()
        if not text:
            if record is not None and record.is_complete:
                yield record
                record = None
            continue
        key, value = _key_and_value(text)
        if not key:
            if record is not None and record.announced is not None:
                record.peaks += _peak_texts(text)
            continue
        if record is not None and (record.announced is not None or (key == "name" and "name" in record.raw)):
            yield record
            record = None
        record = record or _Record(first_line=number)
        _add_value(record, key, value)
    if record is not None:
        yield record


def _key_and_value(text: str) -> tuple[str, str]:
    """Return the lower-case key and the value of a line, or two empty texts for a line of peaks."""
    if text[0] in "0123456789.-+(\"'":
        return "", ""
    key, colon, value = text.partition(":")
    return (key.strip().lower(), value.strip()) if colon else ("", "")


def _add_value(record: _Record, key: str, value: str) -> None:
    if key in _NUMBER_OF_PEAKS:
        digits = value.split()[0] if value.split() else ""
        record.announced = int(digits) if _COUNT.fullmatch(digits) else None
        record.raw.setdefault("num peaks", value)
    elif key in {"comments", "comment"}:
        _add_comment(record.raw, value)
    elif key == "synon" and (match := _METABOLITE_SYNONYM.fullmatch(value)):
        record.raw[f"synon: {match[1].lower()}"] = match[2]
    else:
        is_repeated = record.raw.get(key, value) != value
        record.raw[key] = f"{record.raw[key]}; {value}" if is_repeated else value


def _add_comment(raw: dict[str, str], text: str) -> None:
    """Take ``"key=value" key="value" key=value`` out of a comment; keys of the record itself come first."""
    for key, value, other_key, other_value in _QUOTED_PAIR.findall(text):
        raw.setdefault((key or other_key).lower(), value or other_value)
    rest = " ".join(_QUOTED_PAIR.sub(" ", text).split()) if '"' in text else text
    for key, value in _PLAIN_PAIR.findall(rest):
        raw.setdefault(key.lower(), value)
    if rest:
        raw["comment"] = f"{raw['comment']}; {rest}" if "comment" in raw else rest


def _peak_texts(line: str) -> list[str]:
    """Return the texts of the peaks that stand on a line.

    >>> _peak_texts('53 1 "a;b"; 54 2;'), _peak_texts("85:7 86:9"), _peak_texts("1.5 2 some note")
    (['53 1', '54 2'], ['85 7', '86 9'], ['1.5 2 some note'])
    """
    if '"' in line or "'" in line:
        line = _ANNOTATION.sub(" ", line)
    if ":" in line:
        line = _GOLM_PAIR.sub(r"\1 \2", line)
    if ";" in line:
        return [" ".join(part.split()) for part in line.split(";") if part.strip()]
    words = line.split()
    if len(words) < 4 or len(words) % 2 or not _is_number(words[2]):
        return [line.strip()] if words else []
    return [f"{mz} {intensity}" for mz, intensity in zip(words[::2], words[1::2], strict=True)]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
