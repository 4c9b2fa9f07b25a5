"""What format a file has: by its content where that is clear, else by its suffix."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from diptych.errors import ReadError
from diptych.spectra.readers.massspecgym import PEAK_COLUMNS
from diptych.spectra.readers.text import COMPRESSION_SUFFIXES, decode, head_of

_TAR_MAGIC, _TAR_MAGIC_AT = b"ustar", 257
_ZIP_MAGIC = b"PK\x03\x04"
_BEGIN_IONS = re.compile(r"^\s*BEGIN IONS\s*$", re.IGNORECASE | re.MULTILINE)
_ACCESSION = re.compile(r"^ACCESSION: ", re.MULTILINE)
_NUM_PEAKS = re.compile(r"^\s*num[ _]?peaks\s*:", re.IGNORECASE | re.MULTILINE)
_NAME = re.compile(r"\s*NAME\s*:", re.IGNORECASE)
_BINARY_SHARE = 0.1


def detect_suffix(path: Path, *, suffixes: Collection[str]) -> str:
    """Return which of the known suffixes stands for a file's format.

    Raises
    ------
    ReadError
        The file is missing, empty, or of no known format.
    """
    if not path.exists():
        raise ReadError(f"{path}: no such file or folder")
    if path.is_dir():
        return ".massbank"
    head = head_of(path)
    if not head.strip(b"\x00 \t\r\n\xef\xbb\xbf\xff\xfe"):
        raise ReadError(f"{path}: the file is empty; expected spectra")
    found = _by_content(head) or suffix_of(path, suffixes=suffixes)
    if found is None:
        kind = "binary content" if _is_binary(head) else f"content that begins with {_beginning(head)!r}"
        raise ReadError(f"{path}: {kind} and suffix {path.suffix!r}; expected one of {', '.join(sorted(suffixes))}")
    return found


def _by_content(head: bytes) -> str | None:
    if head.startswith(_ZIP_MAGIC):
        return ".zip"
    if head[_TAR_MAGIC_AT:].startswith(_TAR_MAGIC):
        return ".tar"
    text = decode(head).lstrip("\ufeff \t\r\n\x00")
    return _by_beginning(text) or _by_keys(text)


def _by_beginning(text: str) -> str | None:
    if text.startswith("<"):
        beginning = text[:4096].lower()
        return next(
            (f".{name}" for name in ("mzxml", "mzml") if f"<{name}" in beginning or f"{name}>" in beginning), None
        )
    if text.startswith(("[{", "{")) or re.match(r"\[\s*(\{|\])", text):
        return ".json"
    header = text.partition("\n")[0].split("\t")
    return ".tsv" if set(PEAK_COLUMNS).issubset(cell.strip('" \r') for cell in header) else None


def _by_keys(text: str) -> str | None:
    if _BEGIN_IONS.search(text):
        return ".mgf"
    if _ACCESSION.search(text):
        return ".massbank"
    return ".msp" if _NUM_PEAKS.search(text) or _NAME.match(text) else None


def suffix_of(path: Path, *, suffixes: Collection[str]) -> str | None:
    """Return which of the known suffixes a file's name has, before that of a compression; None for none.

    >>> suffix_of(Path("A.MGF.gz"), suffixes=[".mgf"]), suffix_of(Path("notes.pdf"), suffixes=[".mgf"])
    ('.mgf', None)
    """
    name = path.name.lower()
    for compression in COMPRESSION_SUFFIXES:
        if name.endswith(compression) and not name.endswith(tuple(s for s in suffixes if s.endswith(compression))):
            name = name.removesuffix(compression)
    fitting = [suffix for suffix in suffixes if name.endswith(suffix)]
    return max(fitting, key=len) if fitting else None


def _is_binary(head: bytes) -> bool:
    control = sum(byte < 9 or 13 < byte < 32 for byte in head)
    return control > _BINARY_SHARE * len(head)


def _beginning(head: bytes) -> str:
    return " ".join(decode(head[:80]).split())[:40]
