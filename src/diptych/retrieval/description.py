"""What a library says of itself: the JSON file in its folder, and the names of the files beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Self

from diptych import __version__
from diptych.errors import LibraryError

FORMAT: Final = "diptych structure library"
FORMAT_VERSION: Final = 1

DESCRIPTION: Final = "library.json"
STRUCTURES: Final = "structures.parquet"
EMBEDDINGS: Final = "embeddings.npy"
MASSES: Final = "masses.npy"
FAILURES: Final = "failures.tsv"
DATA_FILES: Final = (STRUCTURES, EMBEDDINGS, MASSES)


@dataclass(frozen=True, kw_only=True)
class LibraryDescription:
    """Counts, origin and digests of a structure library.

    Attributes
    ----------
    model_name, model_digest
        The model that embedded it, the only one whose vectors it can be searched with.
    embedding_dim
        Length of each vector.
    n_rows
        Rows read from the source: ``n_structures + n_duplicates + n_failures``.
    n_structures
        Distinct first blocks, the rows of the library.
    n_duplicates
        Rows merged into another of the same first block.
    n_failures
        Rows that gave no structure, listed in ``failures.tsv``.
    n_formulas
        Distinct molecular formulas.
    lightest, heaviest
        Da, neutral masses of the first and last row.
    sources, licences
        Structures by source and by licence; a merged structure counts for each of its own.
    sizes
        Bytes of each file, by which a truncated one is noticed.
    digest
        SHA-256 of the files in hexadecimal digits.
    """

    model_name: str
    model_digest: str
    embedding_dim: int
    n_rows: int
    n_structures: int
    n_duplicates: int
    n_failures: int
    n_formulas: int
    lightest: float
    heaviest: float
    sources: Mapping[str, int]
    licences: Mapping[str, int]
    sizes: Mapping[str, int]
    digest: str
    created_by: str = field(default=f"diptych {__version__}")

    def write(self, folder: Path) -> None:
        """Write the description into a library's folder."""
        document = {"format": FORMAT, "format_version": FORMAT_VERSION, **asdict(self)}
        text = json.dumps(document, indent=2, ensure_ascii=False)
        (folder / DESCRIPTION).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return the description of the library in a folder, after a look at the sizes of its files.

        Raises
        ------
        LibraryError
            The folder is no library, is of another format version, or lacks a file or a part of one.
        """
        path = folder / DESCRIPTION
        document = _document(path)
        if document.get("format") != FORMAT:
            raise LibraryError(f"{path}: not a structure library; expected one made by 'diptych library build'")
        version = document.get("format_version")
        if version != FORMAT_VERSION:
            raise LibraryError(f"{path}: format version {version}; this Diptych reads {FORMAT_VERSION}; build it again")
        names = {entry.name for entry in fields(cls)}
        missing = names - document.keys()
        if missing:
            raise LibraryError(f"{path}: lacks {', '.join(sorted(missing))}; build the library again")
        description = cls(**{name: document[name] for name in names})
        _check_sizes(folder, description.sizes)
        return description


def sizes_and_digest(folder: Path) -> tuple[dict[str, int], str]:
    """Return the size in bytes of each data file, and the SHA-256 over all of them."""
    digest = hashlib.sha256()
    sizes = {}
    for name in DATA_FILES:
        sizes[name] = (folder / name).stat().st_size
        with (folder / name).open("rb") as stream:
            while block := stream.read(1 << 22):
                digest.update(block)
    return sizes, digest.hexdigest()


def _document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise LibraryError(f"{path}: missing; expected a folder made by 'diptych library build'") from error
    except (ValueError, OSError) as error:
        raise LibraryError(f"{path}: truncated or damaged: {error}") from error
    if not isinstance(document, dict):
        raise LibraryError(f"{path}: damaged: holds {type(document).__name__}; expected a JSON object")
    return document


def _check_sizes(folder: Path, sizes: Mapping[str, int]) -> None:
    for name in DATA_FILES:
        path = folder / name
        if not path.is_file():
            raise LibraryError(f"{path}: missing; build the library again")
        size = path.stat().st_size
        if size != sizes.get(name):
            raise LibraryError(f"{path}: truncated or foreign: {size} bytes; expected {sizes.get(name)}")
