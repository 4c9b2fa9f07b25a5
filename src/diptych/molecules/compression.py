"""Files that may be packed by gzip, xz or bzip2, recognised by their first bytes."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import BinaryIO

COMPRESSION_SUFFIXES = (".gz", ".xz", ".bz2")
TRUNCATED = (EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile)
"""What the unpackers raise on a damaged file."""

_UNPACKERS: Mapping[bytes, ModuleType] = {b"\x1f\x8b": gzip, b"\xfd7zXZ\x00": lzma, b"BZh": bz2}


def without_compression_suffix(path: Path) -> Path:
    """Return the path as it would be called unpacked.

    Examples
    --------
    >>> without_compression_suffix(Path("structures.tsv.xz")).name
    'structures.tsv'
    """
    return path.with_suffix("") if path.suffix.lower() in COMPRESSION_SUFFIXES else path


@contextmanager
def decompressed(path: Path) -> Iterator[BinaryIO]:
    """Yield the file's bytes as a stream, unpacked where its first bytes say that it is packed."""
    with path.open("rb") as raw:
        head = raw.read(6)
        raw.seek(0)
        unpacker = next((unpacker for magic, unpacker in _UNPACKERS.items() if head.startswith(magic)), None)
        if unpacker is None:
            yield raw
            return
        with unpacker.open(raw) as stream:
            yield stream
