"""MassBank records: one file, a folder of files, or an archive of them read as a stream.

The record format: https://github.com/MassBank/MassBank-web/blob/main/Documentation/MassBankRecordFormat.md
"""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePath, PurePosixPath

from diptych.errors import DiptychError, ReadError
from diptych.spectra.readers.harmonise import build_spectrum
from diptych.spectra.readers.text import DAMAGED, OnProblem, decode, open_text
from diptych.spectra.spectrum import Spectrum

RECORD_SUFFIXES = (".txt", ".massbank")
_TAR_SUFFIXES = (".tar", ".tar.xz", ".tar.gz", ".tar.bz2", ".txz", ".tgz", ".tbz2")

# The value of these tags begins with a tag of its own: "CH$LINK: INCHIKEY ...".
_TWO_LEVEL_TAGS = frozenset(
    {"AC$MASS_SPECTROMETRY", "AC$CHROMATOGRAPHY", "AC$GENERAL", "MS$FOCUSED_ION", "MS$DATA_PROCESSING"}
    | {"CH$LINK", "SP$LINK"}
)
_UNKNOWN = frozenset({"", "N/A", "NA", "n/a", "NULL", "null"})
_DAMAGED = (*DAMAGED, tarfile.TarError, zipfile.BadZipFile)


@dataclass(frozen=True, kw_only=True)
class _Document:
    """One file that holds records: its name for messages, the folder it lies in, its lines."""

    path: Path
    contributor: str
    lines: Iterable[str]


@dataclass(kw_only=True)
class _Record:
    """The lines of one record, sorted into metadata and peaks as they come."""

    first_line: int
    metadata: dict[str, str] = field(default_factory=dict)
    annotation: list[str] = field(default_factory=list)
    peaks: list[str] = field(default_factory=list)
    peak_columns: int = 3
    block: list[str] | None = None

    def add(self, line: str) -> None:
        if line.startswith(" ") and self.block is not None:
            self.block.append(line)
            return
        tag, colon, value = line.partition(":")
        if not colon:
            raise ReadError(f"expected 'TAG: value', got {line[:60]!r}")
        self.block = None
        value = value.strip()
        if tag == "PK$PEAK":
            self.block, self.peak_columns = self.peaks, max(2, len(value.split()))
        elif tag == "PK$ANNOTATION":
            self.block = self.annotation
            self.annotation.append(value)
        else:
            self._add_value(tag.strip(), value)

    def _add_value(self, tag: str, value: str) -> None:
        if tag in _TWO_LEVEL_TAGS:
            subtag, _, value = value.partition(" ")
            tag = f"{tag}:{subtag}"
            value = value.strip()
        if value in _UNKNOWN:
            return
        key = tag.lower()
        if key == "ch$name" and key in self.metadata:
            key = "synonyms"
        self.metadata[key] = f"{self.metadata[key]}; {value}" if key in self.metadata else value

    def numbers(self) -> list[float]:
        words = " ".join(self.peaks).split()
        return [] if words == ["N/A"] else list(map(float, words))


def read_massbank(path: Path, *, on_problem: OnProblem) -> Iterator[Spectrum]:
    """Yield the spectra of MassBank records, one at a time.

    Parameters
    ----------
    path
        A record file (several records are separated by ``//``), a folder (searched to the bottom, in sorted order), a
        tar archive (plain, gzip, bzip2 or xz; read once from front to back) or a zip archive.
    on_problem
        Called with each record, or rest of an archive, that cannot be read.

    Notes
    -----
    Memory does not grow with the number of records. Repeated tags are joined with "; ", the second and further
    ``CH$NAME`` become ``synonyms``; values such as "N/A" are left out; ``contributor`` is the folder that the record
    lies in, or else the middle part of its accession.
    """
    ordinal = 0
    for document in _documents(path, on_problem):
        for record in _records(document, on_problem):
            ordinal += 1
            try:
                yield _spectrum(record, document, ordinal=ordinal)
            except DiptychError as error:
                on_problem(_placed(error, document.path, record.first_line))


def _placed(error: Exception, path: Path, line: int) -> ReadError:
    if str(error).startswith(str(path)):
        return ReadError(str(error))
    return ReadError(f"{path}, line {line}: {error}")


def _spectrum(record: _Record, document: _Document, *, ordinal: int) -> Spectrum:
    accession = record.metadata.get("accession")
    if accession is None:
        raise ReadError("a MassBank record without ACCESSION; expected 'ACCESSION: ...' as its first line")
    try:
        numbers = record.numbers()
    except ValueError as error:
        raise ReadError(f"record {accession}: a peak is not a number: {error}; expected 'm/z int. rel.int.'") from error
    if len(numbers) % record.peak_columns:
        raise ReadError(
            f"record {accession}: {len(numbers)} numbers under PK$PEAK; expected a multiple of {record.peak_columns}"
        )
    raw = dict(record.metadata)
    raw["contributor"] = document.contributor or _contributor_of(accession)
    if record.annotation:
        raw["pk$annotation"] = "; ".join(line.strip() for line in record.annotation)
    return build_spectrum(
        raw,
        numbers[:: record.peak_columns],
        numbers[1 :: record.peak_columns],
        path=document.path,
        line=record.first_line,
        ordinal=ordinal,
    )


def _contributor_of(accession: str) -> str:
    """Return the middle part of an accession.

    >>> _contributor_of("MSBNK-Eawag-EA000401")
    'Eawag'
    >>> _contributor_of("EA000401")
    ''
    """
    parts = accession.split("-")
    return "-".join(parts[1:-1])


def _records(document: _Document, on_problem: OnProblem) -> Iterator[_Record]:
    record: _Record | None = None
    damaged = False
    try:
        for number, line in enumerate(document.lines, start=1):
            text = line.rstrip("\r\n")
            if text.startswith("//"):
                if record is not None and not damaged:
                    yield record
                record, damaged = None, False
            elif text.strip() and not damaged:
                record = record or _Record(first_line=number)
                damaged = not _added(record, text, document, number, on_problem)
    except (*_DAMAGED, ReadError) as error:
        on_problem(ReadError(str(error) if isinstance(error, ReadError) else f"{document.path}: cut short: {error}"))
        return
    if record is not None and not damaged:
        yield from _unended(record, document, on_problem)


def _added(record: _Record, text: str, document: _Document, number: int, on_problem: OnProblem) -> bool:
    try:
        record.add(text)
    except ReadError as error:
        on_problem(_placed(error, document.path, number))
        return False
    return True


def _unended(record: _Record, document: _Document, on_problem: OnProblem) -> Iterator[_Record]:
    """Yield a record whose closing ``//`` is missing only if all of its peaks are there."""
    announced = record.metadata.get("pk$num_peak", "")
    if announced.isdigit() and len(record.peaks) == int(announced):
        yield record
        return
    on_problem(
        ReadError(
            f"{document.path}, line {record.first_line}: record {record.metadata.get('accession', '?')} is cut short: "
            f"{len(record.peaks)} peaks and no closing '//'; expected {announced or 'PK$NUM_PEAK'} peaks"
        )
    )


def _documents(path: Path, on_problem: OnProblem) -> Iterator[_Document]:
    if path.is_dir():
        yield from _folder_documents(path)
    elif path.name.lower().endswith(_TAR_SUFFIXES) or _is_archive(tarfile.is_tarfile, path):
        yield from _tar_documents(path, on_problem)
    elif path.name.lower().endswith(".zip") or _is_archive(zipfile.is_zipfile, path):
        yield from _zip_documents(path, on_problem)
    else:
        yield _file_document(path, contributor="")


def _is_archive(test: Callable[[Path], bool], path: Path) -> bool:
    try:
        return test(path)
    except DAMAGED:
        return False


def _file_document(path: Path, *, contributor: str) -> _Document:
    return _Document(path=path, contributor=contributor, lines=_lines_of(path))


def _lines_of(path: Path) -> Iterator[str]:
    with open_text(path) as stream:
        yield from stream


def _folder_documents(folder: Path) -> Iterator[_Document]:
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if is_record_name(PurePosixPath(inside.as_posix())) and path.is_file():
            yield _file_document(path, contributor=inside.parent.name)


def is_record_name(name: PurePath) -> bool:
    """Return whether a file of a folder or an archive is taken for MassBank records."""
    return name.suffix.lower() in RECORD_SUFFIXES and not name.name.startswith(".")


def _member_document(archive: Path, name: PurePosixPath, content: bytes) -> _Document:
    lines = io.StringIO(decode(content), newline="\n")
    return _Document(path=archive / name, contributor=name.parent.name, lines=lines)


def _tar_documents(path: Path, on_problem: OnProblem) -> Iterator[_Document]:
    try:
        with path.open("rb") as stream, tarfile.open(fileobj=stream, mode="r|*") as archive:
            for member in archive:
                name = PurePosixPath(member.name)
                content = archive.extractfile(member) if member.isfile() and is_record_name(name) else None
                if content is not None:
                    yield _member_document(path, name, content.read())
                # tarfile remembers every member it has passed; forgetting them keeps memory constant.
                archive.members.clear()  # type: ignore[attr-defined] # public, but not in the stubs
    except _DAMAGED as error:
        on_problem(ReadError(f"{path}: the archive is damaged or cut short: {error}; what came before it was read"))


def _zip_documents(path: Path, on_problem: OnProblem) -> Iterator[_Document]:
    try:
        with zipfile.ZipFile(path) as archive:
            for info in sorted(archive.infolist(), key=lambda info: info.filename):
                name = PurePosixPath(info.filename)
                if not info.is_dir() and is_record_name(name):
                    with suppress(KeyError):
                        yield _member_document(path, name, archive.read(info))
    except _DAMAGED as error:
        on_problem(ReadError(f"{path}: the archive is damaged or cut short: {error}; what came before it was read"))
