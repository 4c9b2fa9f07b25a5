"""What the package brings along: a structure list, embedded into a library on first use, and example spectra."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from diptych.embedding import JointEmbedding
from diptych.errors import LibraryError, OutputError, ReadError
from diptych.retrieval import StructureLibrary, build_library

_SHIPPED = Path(__file__).parents[1] / "shipped"
_STRUCTURES = _SHIPPED / "structures.tsv.xz"
_EXAMPLE = _SHIPPED / "example.mgf"

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


def shipped_library(model: JointEmbedding, *, progress: Progress | None = None) -> StructureLibrary:
    """Return the library of the shipped structures, embedded by a model; made on first use, then kept in the cache.

    Parameters
    ----------
    model
        Each model has its own library.
    progress
        Called with the number of structures done and their total (None while unknown) while the library is made.

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
    _make(folder, model=model, progress=progress)
    return StructureLibrary.load(folder)


def _make(folder: Path, *, model: JointEmbedding, progress: Progress | None) -> None:
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        build_library(_STRUCTURES, unfinished, model=model, progress=progress)
        _put(unfinished, folder)
    except OSError as error:
        raise OutputError(
            f"{folder.parent}: cannot be written: {error.strerror or error}; DIPTYCH_CACHE names another cache folder"
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


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
        raise OutputError(f"{folder}: damaged, and cannot be removed: {error.strerror or error}") from error
    shutil.rmtree(retired, ignore_errors=True)
