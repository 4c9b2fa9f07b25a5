"""A library of structures that is searched by vector and mass."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diptych.errors import ForeignModelError, LibraryError, reason_of
from diptych.molecules.formula import Formula
from diptych.molecules.structure import Structure
from diptych.retrieval.description import EMBEDDINGS, MASSES, STRUCTURES, LibraryDescription
from diptych.retrieval.search import Hits, best_hits, scores_of, search_everything
from diptych.retrieval.structure_table import StructureTable
from diptych.spectra.masses import ELECTRON_MASS

_FORMULA_HALF_WIDTH_DA = 0.001  # wide enough for any two tables of atomic masses to agree


class NamedModel(Protocol):
    """What a library needs to know of a model to tell whether it was embedded by it."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def digest(self) -> str:
        """What tells it from every other model."""


@dataclass(frozen=True, kw_only=True, eq=False)
class StructureLibrary:
    """Structures and their vectors, sorted by mass; on disk, and read from there as needed.

    Attributes
    ----------
    folder
        Where it lives.
    description
        Counts, origin and digests.
    exact_mass
        float64, of shape (n,), Da, ascending; of equal masses the first InChIKey in the alphabet comes first. These are
        neutral masses, as `Adduct.neutral_mass` gives them: of a structure that stays charged, the mass with the
        electrons of its charge put back (`Structure.neutral_mass`).
    embeddings
        float16, of shape (n, dim), memory-mapped: one unit vector per structure.
    table
        The structures.

    Examples
    --------
    >>> library = StructureLibrary.load(Path("library"))  # doctest: +SKIP
    >>> hits = library.search(vector, neutral_mass=194.0804, half_width_da=0.002, top=5)  # doctest: +SKIP
    >>> library.structures(hits.rows)  # doctest: +SKIP
    """

    folder: Path
    description: LibraryDescription
    exact_mass: NDArray[np.float64]
    embeddings: NDArray[np.float16]
    table: StructureTable

    @classmethod
    def load(cls, folder: Path | str, *, model: NamedModel | None = None) -> Self:
        """Return the library in a folder; with a model, after making sure that it was embedded by that model.

        Raises
        ------
        LibraryError
            A file is missing, truncated, foreign or of another format version.
        ForeignModelError
            The library was embedded by another model.
        """
        folder = Path(folder)
        description = LibraryDescription.read(folder)
        n, dim = description.n_structures, description.embedding_dim
        library = cls(
            folder=folder,
            description=description,
            exact_mass=_mapped(folder / MASSES, dtype=np.float64, shape=(n,)),
            embeddings=_mapped(folder / EMBEDDINGS, dtype=np.float16, shape=(n, dim)),
            table=StructureTable(folder / STRUCTURES),
        )
        if len(library.table) != n:
            raise LibraryError(f"{folder / STRUCTURES}: {len(library.table)} structures; expected {n}")
        if model is not None:
            library.require_model(model)
        return library

    def __len__(self) -> int:
        return self.description.n_structures

    @property
    def model_digest(self) -> str:
        """Digest of the model that embedded the structures."""
        return self.description.model_digest

    @property
    def model_name(self) -> str:
        """Name of the model that embedded the structures."""
        return self.description.model_name

    def require_model(self, model: NamedModel) -> None:
        """Refuse a model whose vectors live in another space than those of the library.

        Raises
        ------
        ForeignModelError
            Names both models.
        """
        if model.digest != self.model_digest:
            raise ForeignModelError(
                f"{self.folder}: embedded by the model {self.model_name} ({self.model_digest[:12]}), but searched with "
                f"{model.name} ({model.digest[:12]}); build the library again with that model"
            )

    def window(self, neutral_mass: float, half_width_da: float) -> slice:
        """Return the rows whose mass is at most ``half_width_da`` away from ``neutral_mass``, both ends included."""
        start = np.searchsorted(self.exact_mass, neutral_mass - half_width_da, side="left")
        stop = np.searchsorted(self.exact_mass, neutral_mass + half_width_da, side="right")
        return slice(int(start), max(int(start), int(stop)))

    def formula_rows(self, formula: Formula | str) -> NDArray[np.int64]:
        """Return the rows of the structures with a molecular formula, int64, ascending.

        Raises
        ------
        FormulaError
            The text is not a formula.
        """
        wanted = Formula.parse(formula) if isinstance(formula, str) else formula
        neutral_mass = wanted.exact_mass + wanted.charge * ELECTRON_MASS
        return self.table.rows_of_formula(wanted.hill, within=self.window(neutral_mass, _FORMULA_HALF_WIDTH_DA))

    def structure(self, row: int) -> Structure:
        """Return the structure of a row."""
        return self.table.structure(row)

    def structures(self, rows: Iterable[int]) -> list[Structure]:
        """Return the structures of some rows, in their order."""
        return self.table.structures(rows)

    def scores(self, query_vector: ArrayLike, rows: slice | NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the scores of some rows, float32, in their order: dot products of the query with their vectors.

        Raises
        ------
        LibraryError
            The query is not a finite vector of the library's length.
        """
        return scores_of(self.embeddings[rows], self._query(query_vector))

    def search(
        self,
        query_vector: ArrayLike,
        *,
        neutral_mass: float | None = None,
        half_width_da: float | None = None,
        top: int = 10,
    ) -> Hits:
        """Return the best rows for a query, within a mass window or, without one, of the whole library.

        Parameters
        ----------
        query_vector
            Of shape (dim,); a unit vector for scores that are cosines.
        neutral_mass, half_width_da
            Da; both or neither.
        top
            At most so many hits.

        Raises
        ------
        LibraryError
            The query is not a finite vector of the library's length, or one half of the window is missing.
        """
        if neutral_mass is None and half_width_da is None:
            return best_hits(self.scores(query_vector, slice(None)), top=top)
        if neutral_mass is None or half_width_da is None:
            raise LibraryError("a mass window needs a neutral_mass and a half_width_da; got only one of them")
        rows = self.window(neutral_mass, half_width_da)
        hits = best_hits(self.scores(query_vector, rows), top=top)
        return Hits(rows=hits.rows + rows.start, scores=hits.scores)

    def search_many(self, query_vectors: ArrayLike, *, top: int = 10) -> list[Hits]:
        """Return for each query the best rows of the whole library, which is read once for all of them.

        Parameters
        ----------
        query_vectors
            Of shape (n_queries, dim).

        Raises
        ------
        LibraryError
            The queries are not finite vectors of the library's length.
        """
        queries = np.array([self._query(query) for query in np.asarray(query_vectors)], dtype=np.float32)
        return search_everything(self.embeddings, queries, top=top) if queries.size else []

    def _query(self, query_vector: ArrayLike) -> NDArray[np.float32]:
        query = np.ascontiguousarray(query_vector, dtype=np.float32)
        expected = (self.description.embedding_dim,)
        if query.shape != expected or not np.isfinite(query).all():
            raise LibraryError(f"{self.folder}: a query of shape {query.shape}; expected {expected}, all finite")
        return query


def _mapped(path: Path, *, dtype: type[np.generic], shape: tuple[int, ...]) -> NDArray[Any]:
    """Return the array in a file, memory-mapped."""
    try:
        # Copy-on-write, which never happens: torch warns when it is given memory that it must not write.
        array = np.load(path, mmap_mode="c", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise LibraryError(f"{path}: no readable array: {reason_of(error)}") from error
    if array.dtype != dtype or array.shape != shape:
        raise LibraryError(f"{path}: {array.dtype} of shape {array.shape}; expected {np.dtype(dtype)} of shape {shape}")
    # A plain view, as each slice of numpy's own memmap class costs some microseconds more.
    return np.asarray(array)
