"""Text out of files: decompressed by content, decoded whatever the encoding, line by line."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, cast

from diptych.errors import ReadError, reason_of

OnProblem = Callable[[ReadError], None]

COMPRESSION_SUFFIXES = (".gz", ".xz", ".bz2")
DAMAGED = (EOFError, OSError, lzma.LZMAError, zlib.error, UnicodeError)

_MAGIC: dict[bytes, Callable[[IO[bytes]], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"\xfd7zXZ\x00": lzma.open,
    b"BZh": bz2.open,
}
_BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_HEAD_BYTES = 65_536


def _as_latin1(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    if error.encoding.startswith("utf-16"):
        return "\N{REPLACEMENT CHARACTER}", error.end
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error("diptych.latin1", _as_latin1)


def open_bytes(path: Path) -> IO[bytes]:
    """Return a file's content as a stream of bytes, decompressed if its first bytes say that it is compressed.

    Raises
    ------
    ReadError
        The file cannot be opened.
    """
    try:
        stream = path.open("rb")
        start = stream.read(6)
        stream.seek(0)
    except OSError as error:
        raise ReadError(f"{path}: cannot be opened: {reason_of(error)}") from error
    for magic, decompressed in _MAGIC.items():
        if start.startswith(magic):
            return cast("IO[bytes]", decompressed(stream))
    return stream


def head_of(path: Path) -> bytes:
    """Return the first bytes of a file's content, decompressed, as many as say what it is.

    Raises
    ------
    ReadError
        The file cannot be opened or decompressed.
    """
    with open_bytes(path) as stream:
        try:
            return stream.read(_HEAD_BYTES)
        except DAMAGED as error:
            stream.seek(0)
            content = _read_what_comes(stream)
            if not content:
                raise damage(path, error) from error
            return content


def _read_what_comes(stream: IO[bytes]) -> bytes:
    """Return what a damaged stream still gives."""
    content = bytearray()
    try:
        while len(content) < _HEAD_BYTES and (byte := stream.read(1)):
            content += byte
    except DAMAGED:
        pass
    return bytes(content)


def decode(content: bytes) -> str:
    r"""Return bytes as text: by byte order mark, else UTF-8, in which single bad bytes are taken as Latin-1.

    >>> decode("\ufeffBEGIN IONS".encode("utf-16-le")), decode(b"\xb5-opioid")
    ('BEGIN IONS', 'µ-opioid')
    """
    encoding = _encoding(content)
    return content.decode(encoding, errors="diptych.latin1")


def _encoding(start: bytes) -> str:
    return next((name for mark, name in _BYTE_ORDER_MARKS.items() if start.startswith(mark)), "utf-8")


def open_text(path: Path) -> io.TextIOWrapper:
    """Return a file's content as a stream of text, decompressed and decoded.

    Raises
    ------
    ReadError
        The file cannot be opened.
    """
    stream = open_bytes(path)
    buffered = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(cast("io.RawIOBase", stream))
    try:
        encoding = _encoding(buffered.peek(4)[:4])
    except DAMAGED:
        encoding = "utf-8"
    return io.TextIOWrapper(buffered, encoding=encoding, errors="diptych.latin1")


def lines_of(path: Path, *, on_problem: OnProblem) -> Iterator[str]:
    """Yield the lines of a text file with their ends; of a damaged file those before the damage, which is reported."""
    with open_text(path) as stream:
        try:
            yield from stream
        except DAMAGED as error:
            on_problem(damage(path, error))


def damage(path: Path, error: BaseException) -> ReadError:
    """Return what to say of a file that cannot be read to its end."""
    return ReadError(f"{path}: damaged or cut short: {error}; what came before was read")
