"""Files of spectra, whatever their format: one function, one spectrum at a time.

``FORMATS`` says which function reads which file; a format is added by one more entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from diptych.errors import ReadError
from diptych.spectra.readers.detection import detect_suffix, suffix_of
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
    path: Path | str,
    *,
    format: str | None = None,
    on_problem: Callable[[ReadError], None] | None = None,
    on_repeat: Callable[[str], None] | None = None,
) -> Iterator[Spectrum]:
    """Yield the spectra of a file, or of the files in a folder, one at a time.

    Parameters
    ----------
    path
        MGF, MSP, GNPS library JSON, MassSpecGym TSV, mzML, mzXML, MassBank records or an archive of them; plain or
        compressed by gzip, xz or bzip2. Of a folder, searched to the bottom, the MassBank records (``*.txt``) come
        first, then the other files with a suffix in ``FORMATS``, by name; files with other suffixes are passed over.
    format
        One of the suffixes in ``FORMATS``, with or without its dot; None to tell by content and suffix.
    on_problem
        Called with each record that cannot be read, which is then left out. None: the first such record raises.
    on_repeat
        Called with the new identifier of each spectrum whose own one an earlier spectrum has.

    Raises
    ------
    ReadError
        The file is missing, empty, of no known format, or holds no spectra; or, without ``on_problem``, a record cannot
        be read.

    Notes
    -----
    Identifiers are unique within the file or folder: a repeated one gets ``#2``, ``#3``... Which file of a folder a
    spectrum is from stands in ``metadata["file_in_folder"]``, but for MassBank records. Memory does not grow with the
    number of spectra but for this: some 60 bytes for each identifier that was seen.
    """
    file = Path(path)
    problems = _Problems(on_problem)
    n_spectra = 0
    for spectrum in _with_unique_identifiers(_reader_of(file, format)(file, on_problem=problems), on_repeat):
        n_spectra += 1
        yield spectrum
    if not n_spectra and not problems.count:
        known = f", in files of suffix {', '.join(sorted(FORMATS))}" if file.is_dir() else ""
        raise ReadError(f"{file}: no spectra in it; expected at least one MS/MS spectrum{known}")


def _reader_of(file: Path, format: str | None) -> Reader:
    if format:
        return FORMATS[_chosen(format)]
    return _read_folder if file.is_dir() else FORMATS[detect_suffix(file, suffixes=FORMATS)]


def _read_folder(path: Path, *, on_problem: Callable[[ReadError], None]) -> Iterator[Spectrum]:
    """Yield the MassBank records of a folder, then the spectra of its other files, each with the name of its file."""
    from diptych.spectra.readers.massbank import is_record_name

    yield from _read_massbank(path, on_problem=on_problem)
    for file in sorted(path.rglob("*")):
        inside = file.relative_to(path)
        is_hidden = any(part.startswith(".") for part in inside.parts)
        if is_hidden or is_record_name(inside) or not suffix_of(file, suffixes=FORMATS) or not file.is_file():
            continue
        try:
            reader = FORMATS[detect_suffix(file, suffixes=FORMATS)]
            for spectrum in reader(file, on_problem=on_problem):
                yield spectrum.with_changes(metadata={**spectrum.metadata, "file_in_folder": inside.as_posix()})
        except ReadError as error:
            on_problem(error)


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


def _with_unique_identifiers(
    spectra: Iterator[Spectrum], on_repeat: Callable[[str], None] | None
) -> Iterator[Spectrum]:
    seen: set[int] = set()
    repeats: dict[str, int] = {}
    for spectrum in spectra:
        identifier = spectrum.identifier
        while (key := hash(identifier)) in seen:
            repeats[spectrum.identifier] = repeats.get(spectrum.identifier, 1) + 1
            identifier = f"{spectrum.identifier}#{repeats[spectrum.identifier]}"
        seen.add(key)
        if identifier == spectrum.identifier:
            yield spectrum
            continue
        if on_repeat is not None:
            on_repeat(identifier)
        yield spectrum.with_changes(identifier=identifier)
