"""A joint embedding as a ranker, and its spectrum-blind control."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from diptych.retrieval.listed_formulas import asked_spectra
from diptych.retrieval.prior import check_prior, spectrum_vectors
from diptych.spectra.quality import reject_reason

if TYPE_CHECKING:
    from diptych.molecules.structure import Structure
    from diptych.ranking.query import Query
    from diptych.spectra.spectrum import Spectrum

# Products in other batch shapes differ in their last bits; candidates of one vector must tie on every machine.
_DECIMALS = 6
WITHOUT_PRIOR = "without_prior"
_MASS_HALF_WIDTH_DA = 0.001  # wide enough for any two tables of atomic masses to agree
_NOWHERE = -1


class Embedding(Protocol):
    """What a ranker needs of a `JointEmbedding`."""

    @property
    def name(self) -> str:
        """What reports call the model."""
        ...

    def encode_spectra(self, spectra: Sequence[Spectrum], *, blind: bool = False) -> NDArray[np.float32]:
        """Return unit vectors, of shape (n, dim)."""
        ...

    def encode_structures(self, structures: Sequence[Structure]) -> NDArray[np.float32]:
        """Return unit vectors, of shape (n, dim)."""
        ...


class EmbeddingRanker:
    """Scores a candidate by the cosine of its vector to the spectrum's, in [-1, 1].

    Parameters
    ----------
    model
        The two towers.
    blind
        Whether the peaks are withheld from the spectrum tower: the control that shows what the candidates alone give
        away.
    prior
        How much of what the model says of a candidate without peaks counts, from 0 to 1 (`diptych.retrieval.prior`).
    """

    def __init__(self, model: Embedding, *, blind: bool = False, prior: float = 1.0) -> None:
        check_prior(prior)
        self.model = model
        self.blind = blind
        self.prior = prior
        self.name = "spectrum_blind" if blind else model.name
        self._vectors = _StructureVectors(model)

    def blinded(self) -> EmbeddingRanker:
        """Return the spectrum-blind control; the two share the vectors of their candidates."""
        control = EmbeddingRanker(self.model, blind=True)
        control._vectors = self._vectors
        return control

    def without_prior(self) -> EmbeddingRanker:
        """Return the same ranker less what it says without peaks, named so; they share the vectors of candidates."""
        other = EmbeddingRanker(self.model, prior=0.0)
        other.name, other._vectors = WITHOUT_PRIOR, self._vectors
        return other

    def score(self, queries: Sequence[Query]) -> list[NDArray[np.floating]]:
        """Return cosines, one float32 array per query; each distinct candidate is embedded once.

        Spectra that cannot be worked with (no peaks, no precursor m/z, contradictions) score NaN: they are missed.
        """
        if not queries:
            return []
        lists = {id(query.candidates): query.candidates for query in queries}
        distinct = {s.inchikey_first_block: s for candidates in lists.values() for s in candidates.structures}
        self._vectors.add(distinct)
        rows = {key: self._vectors.rows(list(candidates.positions)) for key, candidates in lists.items()}
        usable = [i for i, query in enumerate(queries) if reject_reason(query.spectrum) is None]
        scores = [np.full(len(query.candidates.structures), np.nan, dtype=np.float32) for query in queries]
        if usable:
            asked = asked_spectra([queries[i] for i in usable])
            vectors = spectrum_vectors(self.model, asked, blind=self.blind, prior=self.prior)
            structures = self._vectors.table.reshape(-1, vectors.shape[1])
            for i, vector in zip(usable, vectors, strict=True):
                scores[i] = np.round(structures[rows[id(queries[i].candidates)]] @ vector, _DECIMALS)
        return list(scores)


class RowsByMass(Protocol):
    """What finding structures in a library needs of it."""

    def window(self, neutral_mass: float, half_width_da: float) -> slice:
        """Return the rows within a window of neutral mass."""
        ...

    def structures(self, rows: Iterable[int]) -> list[Structure]:
        """Return the structures of some rows."""
        ...


def target_rows(library: RowsByMass, targets: Sequence[Structure | None]) -> NDArray[np.int64]:
    """Return the row of each structure in a library, found by mass and first block; -1 where it is not there."""
    rows: dict[str, int] = {}
    for target in targets:
        if target is None or target.inchikey_first_block in rows:
            continue
        window = library.window(target.neutral_mass, _MASS_HALF_WIDTH_DA)
        near = range(window.start, window.stop)
        blocks = [structure.inchikey_first_block for structure in library.structures(near)]
        found = [row for row, block in zip(near, blocks, strict=True) if block == target.inchikey_first_block]
        rows[target.inchikey_first_block] = found[0] if found else _NOWHERE
    return np.array(
        [_NOWHERE if target is None else rows[target.inchikey_first_block] for target in targets], dtype=np.int64
    )


class FirstBlocks:
    """First blocks of a library's rows, each read when it is asked for; cheapest in ascending order."""

    def __init__(self, library: RowsByMass) -> None:
        self._library = library

    def __getitem__(self, row: int) -> str:
        return self._library.structures([row])[0].inchikey_first_block


def usable_vectors(
    model: Embedding, spectra: Sequence[Spectrum], *, blind: bool = False, prior: float = 1.0
) -> NDArray[np.float32]:
    """Return unit vectors of spectra, float32 of shape (n, dim); NaN where a spectrum cannot be worked with."""
    usable = [i for i, spectrum in enumerate(spectra) if reject_reason(spectrum) is None]
    found = spectrum_vectors(model, [spectra[i] for i in usable], blind=blind, prior=prior)
    vectors = np.full((len(spectra), found.shape[1]), np.nan, dtype=np.float32)
    vectors[usable] = found
    return vectors


class BlindRanker(EmbeddingRanker):
    """The spectrum-blind control of a model: the same towers, asked with the peaks withheld."""

    def __init__(self, model: Embedding) -> None:
        super().__init__(model, blind=True)


class _StructureVectors:
    """Vectors of every structure seen so far, each computed once."""

    def __init__(self, model: Embedding) -> None:
        self._model = model
        self._row: dict[str, int] = {}
        self.table: NDArray[np.float32] = np.empty((0, 0), dtype=np.float32)

    def add(self, structures: dict[str, Structure]) -> None:
        new = {block: structure for block, structure in structures.items() if block not in self._row}
        if not new:
            return
        vectors = self._model.encode_structures(list(new.values()))
        self.table = np.concatenate([self.table, vectors]) if self._row else vectors
        self._row.update({block: len(self._row) + i for i, block in enumerate(new)})

    def rows(self, blocks: Sequence[str]) -> NDArray[np.int64]:
        return np.array([self._row[block] for block in blocks], dtype=np.int64)
