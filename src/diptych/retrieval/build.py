"""Building a structure library from a list: standardise, embed, merge; what was killed goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from diptych import __version__
from diptych.errors import LibraryError, ReadError
from diptych.files import replacing_folder
from diptych.molecules.parallel import CHUNK_ROWS, Featuriser, StandardisedChunk, standardise_rows
from diptych.molecules.structure import TOOLKIT
from diptych.molecules.tables import StructureRow, read_structure_rows
from diptych.retrieval.description import DESCRIPTION, FORMAT_VERSION, LibraryDescription
from diptych.retrieval.merging import write_library
from diptych.retrieval.parts import Part, PartStore

_CHUNKS_PER_PART = 20

Progress = Callable[[int, int | None], None]


class StructureEncoderPart(Protocol):
    """The structure tower as far as a build sees it."""

    @property
    def featuriser(self) -> Featuriser:
        """What the worker processes call."""


class StructureModel(Protocol):
    """What can embed structures: a `JointEmbedding`, or anything with the same names."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def digest(self) -> str:
        """What tells it from every other model."""

    @property
    def embedding_dim(self) -> int:
        """Length of its vectors."""

    @property
    def structure_encoder(self) -> StructureEncoderPart:
        """Holds the featuriser."""

    def encode_structure_features(self, features: Any, /) -> NDArray[np.float32]:  # noqa: ANN401 - the featuriser's own
        """Return one unit vector per row of features: float32, of shape (n, embedding_dim)."""


def build_library(
    source: Path,
    folder: Path,
    *,
    model: StructureModel,
    workers: int | None = None,
    progress: Progress | None = None,
    smiles_column: str | None = None,
    inchi_column: str | None = None,
    name_column: str | None = None,
    source_column: str | None = None,
    licence_column: str | None = None,
) -> LibraryDescription:
    """Make a folder of the structures of a list, embedded by a model, and return its description.

    Parameters
    ----------
    source
        See `read_structure_rows`, also for the columns.
    folder
        Replaced if it is a library; the new one takes its place only when it is whole.
    workers
        Processes that standardise; all processors by default. See `standardise_rows`.
    progress
        Called with the number of rows done, and None as their total is not known.

    Raises
    ------
    ReadError
        The source cannot be read.
    LibraryError
        The folder holds something else than a library, no row gave a structure, or the model gave no finite vectors.
    OutputError
        The folder cannot be written.

    Notes
    -----
    Finished parts are kept in the folder that `work_folder` names; the same call takes them up again after it was
    killed. They are removed when the library is done.
    """
    source, folder = Path(source), Path(folder)
    _check_target(folder)
    columns = {
        "smiles_column": smiles_column,
        "inchi_column": inchi_column,
        "name_column": name_column,
        "source_column": source_column,
        "licence_column": licence_column,
    }
    rows = _rows(source, columns)
    store = PartStore.open(work_folder(folder), key=_key(source, model, columns), dim=model.embedding_dim)
    store = _with_all_parts(store, rows, model=model, workers=workers, progress=progress or _no_progress)
    _check_parts(store, source)
    with replacing_folder(folder) as temporary:
        description = write_library(store, temporary, model=model)
    store.remove()
    return description


def work_folder(folder: Path) -> Path:
    """Return where the finished parts of a library are kept while it is built."""
    return folder.with_name(f".{folder.name}.parts")


def _rows(source: Path, columns: Mapping[str, str | None]) -> Iterator[StructureRow]:
    """Return the rows of the source, after a look at the first, so that a bad source fails before anything is made."""
    rows = read_structure_rows(source, **columns)
    first = next(rows, None)
    if first is None:
        raise ReadError(f"{source}: holds no rows; expected structures")
    return chain([first], rows)


def _with_all_parts(
    store: PartStore,
    rows: Iterator[StructureRow],
    *,
    model: StructureModel,
    workers: int | None,
    progress: Progress,
) -> PartStore:
    """Return the store with the parts that it lacked."""
    n_done = store.n_rows
    progress(n_done, None)
    remaining = islice(rows, n_done, None)
    featuriser = model.structure_encoder.featuriser
    with _one_thread(), closing(standardise_rows(remaining, featuriser=featuriser, workers=workers)) as chunks:
        while True:
            part = Part()
            for chunk in islice(chunks, _CHUNKS_PER_PART):
                part.add(chunk, _embedded(chunk, model))
                n_done += chunk.n_rows
                progress(n_done, None)
            if not part.n_rows:
                return store
            store = store.with_part(part)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep torch to one thread, as the processors are busy standardising and threads that wait for one another spin."""
    import torch

    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


def _embedded(chunk: StandardisedChunk, model: StructureModel) -> NDArray[np.float16]:
    """Return the vectors of a chunk's structures, float16 of shape (n, dim)."""
    if not len(chunk):
        return np.empty((0, model.embedding_dim), dtype=np.float16)
    vectors = model.encode_structure_features(chunk.features)
    expected = (len(chunk), model.embedding_dim)
    if vectors.shape != expected:
        raise LibraryError(f"model {model.name}: vectors of shape {vectors.shape}; expected {expected}")
    half = vectors.astype(np.float16)
    is_finite = np.isfinite(half).all(axis=1)
    if not is_finite.all():
        smiles = chunk.smiles[int(np.argmin(is_finite))]
        raise LibraryError(f"model {model.name}: the vector of {smiles} is not finite; expected a unit vector")
    return half


def _key(source: Path, model: StructureModel, columns: Mapping[str, str | None]) -> dict[str, Any]:
    """Return all that a finished part depends on."""
    status = source.stat()
    return {
        "source": str(source.resolve()),
        "size": status.st_size,
        "modified_ns": status.st_mtime_ns,
        "columns": columns,
        "model_digest": model.digest,
        "rows_per_part": CHUNK_ROWS * _CHUNKS_PER_PART,
        "format_version": FORMAT_VERSION,
        "diptych": __version__,
        "toolkit": TOOLKIT,
    }


def _check_target(folder: Path) -> None:
    if folder.is_file():
        raise LibraryError(f"{folder}: a file; expected a folder, or a name that is free")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / DESCRIPTION).is_file():
        raise LibraryError(f"{folder}: holds something else than a library; expected an empty or new folder")


def _check_parts(store: PartStore, source: Path) -> None:
    if not any(part.shape[0] for part in store.embeddings()):
        failure = store.failures()[0]
        store.remove()
        raise LibraryError(
            f"{source}: none of {store.n_rows} rows gave a structure; the first failed in row {failure.row_number}: "
            f"{failure.reason}"
        )


def _no_progress(n_done: int, n_total: int | None) -> None:
    """Tell nobody."""
