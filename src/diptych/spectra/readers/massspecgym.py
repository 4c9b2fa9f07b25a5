"""MassSpecGym's table: one spectrum a row, peaks as two columns of numbers parted by commas."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from diptych.errors import DiptychError, ReadError
from diptych.spectra.readers.harmonise import build_spectrum
from diptych.spectra.readers.text import OnProblem, lines_of
from diptych.spectra.spectrum import Spectrum

PEAK_COLUMNS = ("mzs", "intensities")
_SIGNED = ("adduct", "charge", "ionmode")


def read_massspecgym(path: Path, *, on_problem: OnProblem) -> Iterator[Spectrum]:
    """Yield the spectra of a MassSpecGym table (TSV), one at a time.

    Parameters
    ----------
    path
        The file, plain or compressed; its header must name ``mzs`` and ``intensities``, all other columns are metadata.
    on_problem
        Called with each row that cannot be read.

    Raises
    ------
    ReadError
        The header does not name the columns of peaks.

    Notes
    -----
    The format: R. Bushuiev et al., MassSpecGym, NeurIPS 2024, arXiv 2410.23326. Its collision energies are in eV. All
    of its ions are [M+H]+ or [M+Na]+: a row that says nothing of its ion is taken as positive.
    """
    lines = lines_of(path, on_problem=on_problem)
    header = _cells(next(lines, ""))
    if not set(PEAK_COLUMNS).issubset(header):
        raise ReadError(f"{path}, line 1: columns {', '.join(header)[:120]!r}; expected mzs and intensities among them")
    ordinal = 0
    for number, line in enumerate(lines, start=2):
        if not line.strip():
            continue
        ordinal += 1
        try:
            yield _spectrum(header, _cells(line), path=path, line=number, ordinal=ordinal)
        except DiptychError as error:
            place = f"{path}, line {number}"
            on_problem(ReadError(str(error) if str(error).startswith(place) else f"{place}: {error}"))


def _cells(line: str) -> list[str]:
    return [cell.strip().strip('"') for cell in line.rstrip("\r\n").split("\t")]


def _spectrum(header: Sequence[str], cells: Sequence[str], *, path: Path, line: int, ordinal: int) -> Spectrum:
    if len(cells) != len(header):
        raise ReadError(f"{len(cells)} cells; expected {len(header)} as the header has")
    raw = dict(zip(header, cells, strict=True))
    if not any(raw.get(name) for name in _SIGNED):
        raw["ionmode"] = "positive"
    mz, intensity = (_numbers(raw.pop(column), column) for column in PEAK_COLUMNS)
    return build_spectrum(raw, mz, intensity, path=path, line=line, ordinal=ordinal)


def _numbers(text: str, column: str) -> list[float]:
    body = text.strip("[] ")
    try:
        return list(map(float, body.split(","))) if body else []
    except ValueError as error:
        raise ReadError(f"column {column!r}: {error}; expected numbers parted by commas") from error
