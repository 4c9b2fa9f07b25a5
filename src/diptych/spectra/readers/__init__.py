"""Files of spectra, whatever their format: one function, one spectrum at a time.

``FORMATS`` says which function reads which file; a format is added by one more entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from diptych.errors import ReadError
from diptych.spectra.readers.detection import detect_suffix
from diptych.spectra.readers.gnps_json import read_gnps_json
from diptych.spectra.readers.massspecgym import read_massspecgym
from diptych.spectra.readers.mgf import read_mgf
from diptych.spectra.readers.msp import read_msp
from diptych.spectra.spectrum import Spectrum

__all__ = ["FORMATS", "Reader", "read_spectra"]


class Reader(Protocol):
    """A function that yields the spectra of a file and reports the records that it cannot read."""

    def __call__(self, path: Path, *, on_problem: Callable[[ReadError], None]) -> Iterator[Spectrum]:
        """Yield the spectra of a file."""
        ...


def _read_massbank(path: Path, *, on_problem: Callable[[ReadError], None]) -> Iterator[Spectrum]:
    from diptych.spectra.readers.massbank import read_massbank

    return read_massbank(path, on_problem=on_problem)


def _read_mzml(path: Path, *, on_problem: Callable[[ReadError], None]) -> Iterator[Spectrum]:
    from diptych.spectra.readers.mzml import read_mzml

    return read_mzml(path, on_problem=on_problem)


def _read_mzxml(path: Path, *, on_problem: Callable[[ReadError], None]) -> Iterator[Spectrum]:
    from diptych.spectra.readers.mzml import read_mzxml

    return read_mzxml(path, on_problem=on_problem)


FORMATS: dict[str, Reader] = {
    ".mgf": read_mgf,
    ".msp": read_msp,
    ".json": read_gnps_json,
    ".jsonl": read_gnps_json,
    ".tsv": read_massspecgym,
    ".mzml": _read_mzml,
    ".mzxml": _read_mzxml,
    ".massbank": _read_massbank,
    ".txt": _read_massbank,
    ".tar": _read_massbank,
    ".tar.gz": _read_massbank,
    ".tar.xz": _read_massbank,
    ".tar.bz2": _read_massbank,
    ".zip": _read_massbank,
}


def read_spectra(
    path: Path | str, *, format: str | None = None, on_problem: Callable[[ReadError], None] | None = None
) -> Iterator[Spectrum]:
    """Yield the spectra of a file, or of a folder of MassBank records, one at a time.

    Parameters
    ----------
    path
        MGF, MSP, GNPS library JSON, MassSpecGym TSV, mzML, mzXML, MassBank records or an archive of them; plain or
        compressed by gzip, xz or bzip2.
    format
        One of the suffixes in ``FORMATS``, with or without its dot; None to tell by content and suffix.
    on_problem
        Called with each record that cannot be read, which is then left out. None: the first such record raises.

    Raises
    ------
    ReadError
        The file is missing, empty, of no known format, or holds no spectra; or, without ``on_problem``, a record cannot
        be read.

    Notes
    -----
    Identifiers are unique within the file: a repeated one gets ``#2``, ``#3``... Memory does not grow with the number
    of spectra but for this: some 60 bytes for each identifier that was seen.
    """
    file = Path(path)
    reader = FORMATS[_chosen(format)] if format else FORMATS[detect_suffix(file, suffixes=FORMATS)]
    problems = _Problems(on_problem)
    n_spectra = 0
    for spectrum in _with_unique_identifiers(reader(file, on_problem=problems)):
        n_spectra += 1
        yield spectrum
    if not n_spectra and not problems.count:
        raise ReadError(f"{file}: no spectra in it; expected at least one MS/MS spectrum")


def _chosen(format: str) -> str:
    suffix = f".{format.lower().removeprefix('.')}"
    if suffix not in FORMATS:
        raise ReadError(f"format {format!r} is unknown; expected one of {', '.join(sorted(FORMATS))}")
    return suffix


class _Problems:
    """Counts the problems that it hands on; raises them where nobody wants them."""

    def __init__(self, on_problem: Callable[[ReadError], None] | None) -> None:
        self._on_problem = on_problem
        self.count = 0

    def __call__(self, error: ReadError) -> None:
        self.count += 1
        if self._on_problem is None:
            raise error
        self._on_problem(error)


def _with_unique_identifiers(spectra: Iterator[Spectrum]) -> Iterator[Spectrum]:
    seen: set[int] = set()
    repeats: dict[str, int] = {}
    for spectrum in spectra:
        identifier = spectrum.identifier
        while (key := hash(identifier)) in seen:
            repeats[spectrum.identifier] = repeats.get(spectrum.identifier, 1) + 1
            identifier = f"{spectrum.identifier}#{repeats[spectrum.identifier]}"
        seen.add(key)
        yield spectrum if identifier == spectrum.identifier else spectrum.with_changes(identifier=identifier)
