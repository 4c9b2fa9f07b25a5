"""Structure lists as users keep them: CSV, TSV, SMI, SDF and Parquet, read lazily row by row."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, NamedTuple, TextIO

from diptych.errors import ReadError, reason_of
from diptych.molecules.compression import TRUNCATED, decompressed, without_compression_suffix

COLUMN_NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "smiles": (
            "smiles",
            "canonical_smiles",
            "isomeric_smiles",
            "smi",
            "structure",
            "structure_smiles",
            "mol_smiles",
        ),
        "inchi": ("inchi", "standard_inchi", "structure_inchi", "std_inchi"),
        "name": (
            *("name", "compound_name", "preferred_name", "pref_name", "title", "iupac_name"),
            *("id", "identifier", "compound_id", "cid", "chembl_id", "molecule_chembl_id", "dtxsid", "zinc_id"),
        ),
        "source": ("source", "sources", "database"),
        "licence": ("licence", "license"),
    }
)
"""What each field of a row may be called, the best first; compared without case, spaces and a ``PUBCHEM_`` in front."""

_PARQUET_BATCH_ROWS = 8192


class StructureRow(NamedTuple):
    """One entry of a structure list, as text that nobody has looked at yet.

    Attributes
    ----------
    row_number
        Line of the file, as an editor counts, for CSV, TSV and SMI; ordinal of the record, from 1, for SDF and Parquet.
    smiles, inchi, molblock
        The structure; at least one is set unless the file left the cell empty.
    name, source, licence
        As the file says; may be empty.
    """

    row_number: int
    smiles: str = ""
    inchi: str = ""
    molblock: str = ""
    name: str = ""
    source: str = ""
    licence: str = ""


def read_structure_rows(
    path: Path,
    *,
    smiles_column: str | None = None,
    inchi_column: str | None = None,
    name_column: str | None = None,
    source_column: str | None = None,
    licence_column: str | None = None,
) -> Iterator[StructureRow]:
    """Yield the rows of a structure list; columns that are not told are guessed by `COLUMN_NAMES`.

    The format follows from the suffix (see `FORMATS`); ``.gz``, ``.xz`` and ``.bz2`` are unpacked on the way. Memory
    does not grow with the file.

    Raises
    ------
    ReadError
        The file is missing, empty, truncated, not text in UTF-8 (or UTF-16 with a byte-order mark), of an unknown
        format, or has no column of structures or not the column that was told.
    """
    told = {
        "smiles": smiles_column,
        "inchi": inchi_column,
        "name": name_column,
        "source": source_column,
        "licence": licence_column,
    }
    columns = {field: column for field, column in told.items() if column is not None}
    suffix = without_compression_suffix(path).suffix.lower()
    if suffix not in FORMATS:
        raise ReadError(
            f"{path}: suffix {suffix!r} is no known format; expected {', '.join(FORMATS)}, or these with .gz, .xz, .bz2"
        )
    try:
        with decompressed(path) as stream:
            yield from FORMATS[suffix](stream, path, columns)
    except FileNotFoundError as error:
        raise ReadError(f"{path}: no such file; expected a structure list") from error
    except UnicodeDecodeError as error:
        raise _not_utf8(path, error) from error
    except TRUNCATED as error:
        raise ReadError(f"{path}: truncated or damaged: {error}") from error
    except (IsADirectoryError, PermissionError) as error:
        raise ReadError(f"{path}: cannot be opened: {reason_of(error)}") from error


def _not_utf8(path: Path, error: UnicodeDecodeError) -> ReadError:
    """Return what to say of a file in another encoding; its lines are read again, to name the first that is wrong."""
    place = f"{path}"
    with suppress(*TRUNCATED), decompressed(path) as stream:
        for number, line in enumerate(stream if error.encoding == "utf-8" else (), start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                place = f"{path}, line {number}"
                break
    byte = f"byte {error.object[error.start]:#04x}"
    return ReadError(f"{place}: not UTF-8 text ({error.reason}, {byte}); save the file as 'CSV UTF-8' or text in UTF-8")


def _read_delimited(stream: BinaryIO, path: Path, columns: Mapping[str, str]) -> Iterator[StructureRow]:
    """Yield the rows of a CSV or TSV file with a header; the delimiter is the one that its header uses most."""
    text = _as_text(stream, path, newline="")
    first_line = text.readline()
    if not first_line.strip():
        raise ReadError(f"{path}: empty first line; expected a header that names the columns")
    delimiter = max("\t,;", key=first_line.count)
    header = next(csv.reader([first_line], delimiter=delimiter))
    positions = _positions(header, columns, path)
    reader = csv.reader(text, delimiter=delimiter)
    try:
        for cells in reader:
            if cells:
                found = {field: cells[at].strip() for field, at in positions.items() if at < len(cells)}
                yield _row(reader.line_num + 1, found)
    except csv.Error as error:
        raise ReadError(f"{path}, line {reader.line_num + 1}: {error}; expected one structure per line") from error


def _read_smi(stream: BinaryIO, path: Path, columns: Mapping[str, str]) -> Iterator[StructureRow]:
    """Yield the rows of a SMI file: a SMILES, blank space, and the rest of the line as name; a header is skipped."""
    if columns:
        raise ReadError(
            f"{path}: column {next(iter(columns.values()))!r} was told, but a SMI file has no named columns"
        )
    n_rows = 0
    for line_number, line in enumerate(_as_text(stream, path), start=1):
        smiles, _, name = line.strip().replace("\t", " ", 1).partition(" ")
        if not smiles or smiles.startswith("#") or (line_number == 1 and _plain(smiles) in COLUMN_NAMES["smiles"]):
            continue
        n_rows += 1
        yield _row(line_number, {"smiles": smiles, "name": name.strip()})
    if not n_rows:
        raise ReadError(f"{path}: empty; expected a SMILES on each line")


def _read_sdf(stream: BinaryIO, path: Path, columns: Mapping[str, str]) -> Iterator[StructureRow]:
    """Yield the records of an SDF file: the molblock as text, its title as name, and the data items that are known."""
    lines: list[str] = []
    n_records = 0
    for line in _as_text(stream, path):
        if not line.startswith("$$$$"):
            lines.append(line)
            continue
        n_records += 1
        yield _sdf_row(n_records, lines, columns, path)
        lines = []
    if any(line.strip() for line in lines):
        n_records += 1
        yield _sdf_row(n_records, lines, columns, path)
    if not n_records:
        raise ReadError(f"{path}: empty; expected SDF records that end in $$$$")


def _sdf_row(row_number: int, lines: Sequence[str], columns: Mapping[str, str], path: Path) -> StructureRow:
    end = next((at for at, line in enumerate(lines) if line.startswith("M  END")), None)
    if end is None:
        return _row(row_number, {"molblock": "".join(lines), "name": lines[0].strip() if lines else ""})
    items = _sdf_items(lines[end + 1 :])
    positions = _positions(list(items), columns, path, is_structure_needed=False)
    values = list(items.values())
    found = {
        field: values[at] for field, at in positions.items() if field not in {"smiles", "inchi"} or field in columns
    }
    title = lines[0].strip()
    if title and "name" not in columns:
        found["name"] = title
    if not {"smiles", "inchi"} & set(columns):
        found["molblock"] = "".join(lines[: end + 1])
    return _row(row_number, found)


def _sdf_items(lines: Sequence[str]) -> dict[str, str]:
    """Return the data items of one record: ``> <NAME>`` and the first line that follows."""
    items = {}
    for at, line in enumerate(lines[:-1]):
        if line.startswith(">") and "<" in line:
            items[line[line.index("<") + 1 :].rstrip().rstrip(">").split(">")[0]] = lines[at + 1].strip()
    return items


def _read_parquet(stream: BinaryIO, path: Path, columns: Mapping[str, str]) -> Iterator[StructureRow]:
    """Yield the rows of a Parquet table."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(stream)
        positions = _positions(table.schema_arrow.names, columns, path)
        names = {field: table.schema_arrow.names[at] for field, at in positions.items()}
        n_before = 0
        for batch in table.iter_batches(batch_size=_PARQUET_BATCH_ROWS, columns=list(set(names.values()))):
            values = {field: batch.column(name).to_pylist() for field, name in names.items()}
            for at in range(batch.num_rows):
                found = {field: str(v[at]).strip() for field, v in values.items() if v[at] is not None}
                yield _row(n_before + at + 1, found)
            n_before += batch.num_rows
    except pa.ArrowException as error:
        raise ReadError(f"{path}: no readable Parquet table: {error}") from error


FORMATS: Mapping[str, Callable[[BinaryIO, Path, Mapping[str, str]], Iterator[StructureRow]]] = MappingProxyType(
    {
        ".csv": _read_delimited,
        ".tsv": _read_delimited,
        ".tab": _read_delimited,
        ".txt": _read_delimited,
        ".smi": _read_smi,
        ".smiles": _read_smi,
        ".sdf": _read_sdf,
        ".sd": _read_sdf,
        ".parquet": _read_parquet,
    }
)
"""The reader for each suffix."""


def _row(row_number: int, found: Mapping[str, str]) -> StructureRow:
    """Return a row; an InChI that stands in the SMILES column is moved to where it belongs."""
    if found.get("smiles", "").startswith("InChI="):
        found = {**found, "smiles": "", "inchi": found["smiles"]}
    return StructureRow(row_number=row_number, **found)


def _as_text(stream: BinaryIO, path: Path, *, newline: str | None = None) -> TextIO:
    """Return the stream as text, after its first bytes have shown that it is some; ``newline`` as `open` takes it."""
    reader = io.BufferedReader(stream, 1 << 16)  # type: ignore[type-var]  # any binary stream will do
    head = reader.peek(4096)[:4096]
    if not head.strip():
        raise ReadError(f"{path}: empty; expected a structure list")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return io.TextIOWrapper(reader, encoding="utf-16", newline=newline)
    if b"\0" in head:
        raise ReadError(f"{path}: binary data; expected text")
    return io.TextIOWrapper(reader, encoding="utf-8-sig", newline=newline)


def _positions(
    header: Sequence[str], columns: Mapping[str, str], path: Path, *, is_structure_needed: bool = True
) -> dict[str, int]:
    """Return where in the header each field stands: the column that was told, else the best known name."""
    stripped = [name.strip() for name in header]
    plain = [_plain(name) for name in header]
    positions = {}
    for field, known_names in COLUMN_NAMES.items():
        if field in columns:
            if columns[field] not in stripped:
                raise ReadError(f"{path}: no column {columns[field]!r} for the {field}; found {', '.join(stripped)}")
            positions[field] = stripped.index(columns[field])
            continue
        guess = next((plain.index(name) for name in known_names if name in plain), None)
        if guess is not None:
            positions[field] = guess
    if is_structure_needed and not {"smiles", "inchi"} & set(positions):
        raise ReadError(
            f"{path}: no column of SMILES or InChI; found {', '.join(stripped)[:200]}; tell which one it is, with "
            "--smiles-column NAME, or name the file .smi if it has no header"
        )
    return positions


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "_").removeprefix("pubchem_").removeprefix("openeye_")
