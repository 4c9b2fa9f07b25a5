"""Structure lists standardised, and featurised, chunk by chunk over worker processes; the order is kept."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from types import ModuleType
from typing import Any, NamedTuple, Protocol

from rdkit import Chem, rdBase

from diptych.errors import StructureError
from diptych.molecules.structure import Structure, mol_from_inchi, mol_from_smiles, standardise
from diptych.molecules.tables import StructureRow

CHUNK_ROWS = 1000
_CHUNKS_PER_WORKER = 3  # one in work, the others wait, so that a slow consumer never starves a worker
_SHOWN_CHARACTERS = 200


class Featuriser(Protocol):
    """What turns molecules into one row of features each; it is pickled once per worker and must not need torch."""

    def __call__(self, mols: Sequence[Chem.Mol], /) -> Any:  # noqa: ANN401 - each structure tower has its own features
        """Return the features of the molecules, one row each."""


class RowFailure(NamedTuple):
    """A row that gave no structure."""

    row_number: int
    text: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StandardisedChunk:
    """What became of some consecutive rows.

    Attributes
    ----------
    n_rows
        Rows that went in: ``len(chunk) + len(failures)``.
    smiles, inchikeys, formulas, exact_masses, names, inchis
        The fields of the structures, one entry per row that gave one, in the order of the rows; as columns, which pass
        between processes ten times faster than objects do.
    sources, licences
        Of the same rows.
    features
        Of the featuriser, one row per structure; None without one, or where no row gave a structure.
    failures
        The rows that gave none.
    """

    n_rows: int
    smiles: list[str]
    inchikeys: list[str]
    formulas: list[str]
    exact_masses: list[float]
    names: list[str]
    inchis: list[str]
    sources: list[str]
    licences: list[str]
    features: Any
    failures: list[RowFailure]

    def __len__(self) -> int:
        return len(self.smiles)

    def structures(self) -> list[Structure]:
        """Return the structures as objects."""
        columns = (self.smiles, self.inchikeys, self.formulas, self.exact_masses, self.names, self.inchis)
        return [
            Structure(smiles=smiles, inchikey=inchikey, formula=formula, exact_mass=exact_mass, name=name, inchi=inchi)
            for smiles, inchikey, formula, exact_mass, name, inchi in zip(*columns, strict=True)
        ]


def available_workers() -> int:
    """Return the number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def standardise_rows(
    rows: Iterable[StructureRow],
    *,
    featuriser: Featuriser | None = None,
    workers: int | None = None,
    chunk_size: int = CHUNK_ROWS,
) -> Generator[StandardisedChunk, None, None]:
    """Yield what became of the rows, ``chunk_size`` rows at a time, in their order.

    Parameters
    ----------
    featuriser
        Called in the workers with the standardised molecules of a chunk.
    workers
        Processes; all processors by default. With 1, or with one chunk of rows, the work is done in this process.
    chunk_size
        Rows per chunk. Memory is bounded by a few chunks per worker, whatever the number of rows.

    Raises
    ------
    StructureError
        A worker process died: out of memory, or killed.
    """
    chunks = _chunks(iter(rows), chunk_size)
    n_workers = available_workers() if workers is None else workers
    first = list(islice(chunks, 2))
    if n_workers <= 1 or len(first) == 1:
        for chunk in chain(first, chunks):
            yield standardise_chunk(chunk, featuriser=featuriser)
    else:
        yield from _in_processes(chain(first, chunks), featuriser=featuriser, workers=n_workers)


def standardise_chunk(rows: Sequence[StructureRow], *, featuriser: Featuriser | None = None) -> StandardisedChunk:
    """Return what became of the rows, worked on in this process."""
    kept: list[tuple[StructureRow, Structure]] = []
    mols = []
    failures = []
    with rdBase.BlockLogs():
        for row in rows:
            try:
                mol = standardise(_mol(row))
                kept.append((row, Structure.from_standardised(mol, name=row.name)))
                mols.append(mol)
            except StructureError as error:
                text = row.smiles or row.inchi or row.name
                failures.append(RowFailure(row.row_number, text[:_SHOWN_CHARACTERS], " ".join(str(error).split())))
        features = featuriser(mols) if featuriser and mols else None
    return StandardisedChunk(
        n_rows=len(rows),
        smiles=[structure.smiles for _, structure in kept],
        inchikeys=[structure.inchikey for _, structure in kept],
        formulas=[structure.formula for _, structure in kept],
        exact_masses=[structure.exact_mass for _, structure in kept],
        names=[structure.name for _, structure in kept],
        inchis=[structure.inchi for _, structure in kept],
        sources=[row.source for row, _ in kept],
        licences=[row.licence for row, _ in kept],
        features=features,
        failures=failures,
    )


def _in_processes(
    chunks: Iterator[list[StructureRow]], *, featuriser: Featuriser | None, workers: int
) -> Iterator[StandardisedChunk]:
    """Yield the chunks' results in order, with a bounded number of chunks under way."""
    # Spawned, not forked: a fork of a process in which torch has started threads may hang.
    executor = ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn"), initializer=_start_worker, initargs=(featuriser,)
    )
    under_way: deque[tuple[list[StructureRow], Future[StandardisedChunk]]] = deque()
    try:
        for chunk in chunks:
            with _main_hidden(unless_it_holds=featuriser):
                under_way.append((chunk, executor.submit(_work, chunk)))
            if len(under_way) > workers * _CHUNKS_PER_WORKER:
                yield _result(*under_way.popleft())
        while under_way:
            yield _result(*under_way.popleft())
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _main_hidden(*, unless_it_holds: object) -> Iterator[None]:
    """Keep new processes from importing the user's script again, with torch and whatever else it imports."""
    main = sys.modules["__main__"]
    if getattr(unless_it_holds, "__module__", None) != "__main__":
        sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _result(chunk: Sequence[StructureRow], future: Future[StandardisedChunk]) -> StandardisedChunk:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise StructureError(
            f"a worker process died near rows {chunk[0].row_number} to {chunk[-1].row_number}: out of memory or "
            "killed; workers=1 works without processes"
        ) from error


_worker_featuriser: Featuriser | None = None


def _start_worker(featuriser: Featuriser | None) -> None:
    # Ctrl-C reaches all processes of the terminal; the parent alone answers it, by shutting the workers down.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    global _worker_featuriser
    _worker_featuriser = featuriser


def _end_with_parent() -> None:
    """Stop this worker when the parent was killed and cannot tell it to."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(chunk: list[StructureRow]) -> StandardisedChunk:
    return standardise_chunk(chunk, featuriser=_worker_featuriser)


def _mol(row: StructureRow) -> Chem.Mol:
    """Return the molecule that a row holds, in whichever notation."""
    if row.smiles:
        return mol_from_smiles(row.smiles)
    if row.inchi:
        return mol_from_inchi(row.inchi)
    if not row.molblock:
        raise StructureError("no structure; expected a SMILES, an InChI or a molblock")
    mol = Chem.MolFromMolBlock(row.molblock)
    if mol is None:
        raise StructureError("molblock cannot be parsed; expected an MDL molfile with valid valences")
    return mol


def _chunks(rows: Iterator[StructureRow], chunk_size: int) -> Iterator[list[StructureRow]]:
    while chunk := list(islice(rows, chunk_size)):
        yield chunk
