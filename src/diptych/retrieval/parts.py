"""The finished parts of a library that is being built, kept on disk so that a build that was killed can go on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from diptych.errors import OutputError, reason_of
from diptych.files import replacing
from diptych.molecules.parallel import RowFailure, StandardisedChunk
from diptych.retrieval.structure_table import TABLE_SCHEMA

_MANIFEST = "manifest.json"


@dataclass(kw_only=True)
class Part:
    """What became of some thousand consecutive rows of the source, collected chunk by chunk."""

    n_rows: int = 0
    batches: list[pa.RecordBatch] = field(default_factory=list)
    embeddings: list[NDArray[np.float16]] = field(default_factory=list)
    failures: list[RowFailure] = field(default_factory=list)

    def add(self, chunk: StandardisedChunk, embeddings: NDArray[np.float16]) -> None:
        """Take up a chunk and the vectors of its structures, float16 of shape (n_structures, dim)."""
        self.n_rows += chunk.n_rows
        self.failures += chunk.failures
        if len(chunk):
            self.batches.append(_batch(chunk))
            self.embeddings.append(embeddings)


@dataclass(frozen=True, kw_only=True)
class PartStore:
    """A work folder that holds the parts of one build: source, model and settings are its key.

    Parts are finished in order, so that their rows added up say where the build goes on.
    """

    folder: Path
    n_parts: int
    n_rows: int
    dim: int

    @classmethod
    def open(cls, folder: Path, *, key: Mapping[str, Any], dim: int) -> PartStore:
        """Return the store in a folder with what it holds already; parts of another build are thrown away.

        Raises
        ------
        OutputError
            The folder cannot be written.
        """
        manifest = folder / _MANIFEST
        text = json.dumps(dict(key), indent=2, sort_keys=True)
        if not manifest.is_file() or manifest.read_text(encoding="utf-8", errors="replace") != text:
            shutil.rmtree(folder, ignore_errors=True)
            _make(folder)
            with replacing(manifest) as temporary:
                temporary.write_text(text, encoding="utf-8")
        n_parts = n_rows = 0
        while _table_path(folder, n_parts).is_file():
            n_rows += int(_read_json(_failures_path(folder, n_parts))["n_rows"])
            n_parts += 1
        return cls(folder=folder, n_parts=n_parts, n_rows=n_rows, dim=dim)

    def with_part(self, part: Part) -> PartStore:
        """Write a part and return the store that holds it.

        Raises
        ------
        OutputError
            The disk is full or the folder cannot be written.
        """
        nothing = np.empty((0, self.dim), dtype=np.float16)
        with replacing(_embeddings_path(self.folder, self.n_parts)) as temporary, temporary.open("wb") as stream:
            np.save(stream, np.concatenate([nothing, *part.embeddings]), allow_pickle=False)
        with replacing(_failures_path(self.folder, self.n_parts)) as temporary:
            temporary.write_text(json.dumps({"n_rows": part.n_rows, "failures": part.failures}), encoding="utf-8")
        # The table comes last: where it is, the part is whole.
        with (
            replacing(_table_path(self.folder, self.n_parts)) as temporary,
            pa.OSFile(str(temporary), "wb") as stream,
            pa.ipc.new_file(stream, TABLE_SCHEMA) as writer,
        ):
            for batch in part.batches:
                writer.write_batch(batch)
        return PartStore(folder=self.folder, n_parts=self.n_parts + 1, n_rows=self.n_rows + part.n_rows, dim=self.dim)

    def table(self) -> pa.Table:
        """Return the structures of all parts, memory-mapped."""
        tables = [TABLE_SCHEMA.empty_table()]
        for index in range(self.n_parts):
            with pa.memory_map(str(_table_path(self.folder, index))) as stream:
                tables.append(pa.ipc.open_file(stream).read_all())
        return pa.concat_tables(tables)

    def embeddings(self) -> list[NDArray[np.float16]]:
        """Return the vectors of each part, memory-mapped, float16 of shape (n, dim)."""
        return [np.load(_embeddings_path(self.folder, index), mmap_mode="r") for index in range(self.n_parts)]

    def failures(self) -> list[RowFailure]:
        """Return the rows of all parts that gave no structure."""
        documents = [_read_json(_failures_path(self.folder, index)) for index in range(self.n_parts)]
        return [RowFailure(*failure) for document in documents for failure in document["failures"]]

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _batch(chunk: StandardisedChunk) -> pa.RecordBatch:
    columns: Sequence[Sequence[Any]] = (
        chunk.smiles,
        chunk.inchikeys,
        chunk.formulas,
        chunk.exact_masses,
        chunk.names,
        chunk.inchis,
        chunk.sources,
        chunk.licences,
    )
    arrays = [pa.array(column, type=entry.type) for column, entry in zip(columns, TABLE_SCHEMA, strict=True)]
    return pa.record_batch(arrays, schema=TABLE_SCHEMA)


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {reason_of(error)}") from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OutputError(
            f"{path}: a finished part is damaged: {reason_of(error)}; remove {path.parent} and start again"
        ) from error
    return document


def _table_path(folder: Path, index: int) -> Path:
    return folder / f"part-{index:05}.arrow"


def _embeddings_path(folder: Path, index: int) -> Path:
    return folder / f"part-{index:05}.npy"


def _failures_path(folder: Path, index: int) -> Path:
    return folder / f"part-{index:05}.json"
