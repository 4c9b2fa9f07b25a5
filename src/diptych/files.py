"""Files that are either whole or absent: written under a temporary name, then renamed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from diptych.errors import OutputError, reason_of


def check_writable(path: Path, *, is_folder: bool = False, read: Iterable[Path | None] = ()) -> None:
    """Refuse a file or folder that cannot be written, before what goes there is computed; nothing is made.

    Parameters
    ----------
    path
        What is to be written.
    is_folder
        Whether it is a folder.
    read
        Files that are read to write it, and would be lost.

    Raises
    ------
    OutputError
        It is one of those read, or of the other kind, or it, or the nearest folder above it that is there, takes no
        file.
    """
    if any(path.resolve() == one.resolve() for one in read if one is not None):
        raise OutputError(f"{path}: cannot be written: it is read to write it, and would be lost; name another file")
    folder = path if is_folder else path.absolute().parent
    try:
        there = path.exists()
        above = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {reason_of(error)}") from error
    if there and path.is_dir() != is_folder:
        expected = "it is a file; expected a folder" if is_folder else "it is a folder; expected a file"
        raise OutputError(f"{path}: cannot be written: {expected}")
    if not above.is_dir():
        raise OutputError(f"{path}: cannot be written: {above} is no folder")
    if not os.access(above, os.W_OK | os.X_OK):
        raise OutputError(f"{path}: cannot be written: {above} takes no file")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that takes its place when the block ends without an error.

    Raises
    ------
    OutputError
        The folder cannot be made or the file cannot be written (full disk, no permission).
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {reason_of(error)}") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder that takes the place of ``path`` when the block ends without an error."""
    path = path.absolute()
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    retired = path.with_name(f".{path.name}.{os.getpid()}.retired")
    try:
        temporary.mkdir(parents=True)
        yield temporary
        if path.exists():
            path.replace(retired)
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {reason_of(error)}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(retired, ignore_errors=True)
