"""What the package brings along: a structure list, embedded into a library on first use, and example spectra."""

from __future__ import annotations

import hashlib
import lzma
import os
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from diptych.errors import LibraryError, OutputError, ReadError, reason_of
from diptych.retrieval import StructureLibrary, build_library

if TYPE_CHECKING:
    from diptych.embedding import JointEmbedding

_SHIPPED = Path(__file__).parents[1] / "shipped"
_STRUCTURES = _SHIPPED / "structures.tsv.xz"
_EXAMPLE = _SHIPPED / "example.mgf"

_ABANDONED_SECONDS = 3600

Progress = Callable[[int, int | None], None]


def shipped_example() -> Path:
    """Return the file of example spectra.

    Raises
    ------
    ReadError
        The package was installed without it.
    """
    if not _EXAMPLE.is_file():
        raise ReadError(f"{_EXAMPLE}: the example spectra are missing; install diptych again")
    return _EXAMPLE


def cache_folder() -> Path:
    """Return the folder for what can be made again: ``DIPTYCH_CACHE``, else the platform's cache folder of the user."""
    chosen = os.environ.get("DIPTYCH_CACHE", "")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "diptych" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "diptych"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "diptych"


def shipped_library(
    model: JointEmbedding, *, workers: int | None = 1, progress: Progress | None = None
) -> StructureLibrary:
    """Return the library of the shipped structures, embedded by a model; made on first use, then kept in the cache.

    Parameters
    ----------
    model
        Each model has its own library.
    workers
        Processes that standardise while the library is made; None for all processors. More than one needs a script
        that guards its entry with ``if __name__ == "__main__":``.
    progress
        Called with the number of structures done and their total while the library is made.

    Raises
    ------
    LibraryError
        The package was installed without its structure list.
    OutputError
        The cache folder cannot be written.

    Notes
    -----
    Made beside its place and then renamed: of two processes that make it at once the first one stays, and neither ever
    reads half a library.
    """
    if not _STRUCTURES.is_file():
        raise LibraryError(
            f"{_STRUCTURES}: the shipped structures are missing; name a library or install diptych again"
        )
    digest = hashlib.sha256(_STRUCTURES.read_bytes()).hexdigest()
    folder = cache_folder() / "libraries" / f"{digest[:16]}-{model.digest[:16]}"
    if folder.is_dir():
        try:
            return StructureLibrary.load(folder)
        except LibraryError:
            _remove(folder)
    _make(folder, model=model, workers=workers, progress=progress)
    return StructureLibrary.load(folder)


def _make(folder: Path, *, model: JointEmbedding, workers: int | None, progress: Progress | None) -> None:
    workshop = folder.with_name(f".{folder.name}.{os.getpid()}")
    told = None if progress is None else _with_total(progress, _n_structures())
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        build_library(_STRUCTURES, workshop / "library", model=model, workers=workers, progress=told)
        _put(workshop / "library", folder)
    except OSError as error:
        raise OutputError(_unwritable(folder, error)) from error
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
    _clear_abandoned(folder)


def _clear_abandoned(folder: Path) -> None:
    """Remove what processes that were killed left of the same library; what still changes is another's work."""
    for path in folder.parent.glob(f".{folder.name}.*"):
        # Its owner may remove it at the same moment.
        with suppress(OSError):
            last_change = max(inner.stat().st_mtime for inner in (path, *path.rglob("*")))
            if time.time() - last_change > _ABANDONED_SECONDS:
                shutil.rmtree(path)


def _n_structures() -> int:
    with lzma.open(_STRUCTURES, "rb") as stream:
        return sum(block.count(b"\n") for block in iter(lambda: stream.read(1 << 20), b"")) - 1


def _with_total(progress: Progress, total: int) -> Progress:
    return lambda done, _: progress(done, total)


def _unwritable(folder: Path, error: OSError) -> str:
    return f"{folder.parent}: cannot be written: {reason_of(error)}; DIPTYCH_CACHE names another cache folder"


def _put(unfinished: Path, folder: Path) -> None:
    try:
        unfinished.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise


def _remove(folder: Path) -> None:
    """Take a damaged library out of the way in one step, so that nobody sees half of it go."""
    retired = folder.with_name(f".{folder.name}.{os.getpid()}.retired")
    try:
        folder.rename(retired)
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputError(_unwritable(folder, error)) from error
    shutil.rmtree(retired, ignore_errors=True)
