"""The baseline to beat: the most similar training spectra, and how much their molecules resemble each candidate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import is_not
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from diptych.errors import EvaluationError
from diptych.molecules.similarity import packed_fingerprints

if TYPE_CHECKING:
    from diptych.molecules.structure import Structure
    from diptych.ranking.query import CandidateList, Query
    from diptych.ranking.spectrum_scorers import SpectrumScorer
    from diptych.spectra.spectrum import Spectrum

_QUERIES_AT_A_TIME = 128
_MAX_MZ = 5_000.0
# Equal candidates must stay equal after sums over them, else rounding decides ties.
_DECIMALS = 6


@dataclass(frozen=True, kw_only=True, eq=False)
class Neighbours:
    """The reference molecules whose spectra are most similar to each query.

    Attributes
    ----------
    molecules
        One int64 array per query: numbers of reference molecules, in no order. More than were asked for where several
        are as near as the last of them, fewer where no others share anything with the query.
    similarity
        One float32 array per query, as long: cosine of the molecule's most similar spectrum, in (0, 1].
    """

    molecules: Sequence[NDArray[np.int64]]
    similarity: Sequence[NDArray[np.float32]]


class NearestNeighbourRanker:
    """Scores a candidate by its Tanimoto similarity to the reference molecules whose spectra are nearest to the query.

    Parameters
    ----------
    spectra, structures
        The reference, usually the training fold: one structure per spectrum.
    n_neighbours
        Number of molecules that vote, each once, with the cosine of its most similar spectrum as weight; those as near
        as the last of them vote, too.
    bin_width_da
        Width of the m/z bins.
    scorer
        Another measure of likeness between spectra; None for the cosine of binned spectra.

    Raises
    ------
    EvaluationError
        There is no reference, or not one structure per spectrum.

    Notes
    -----
    s(c) = sum_i cos(q, i) T(i, c) / sum_i cos(q, i) over the n nearest reference molecules i and those as
    near as the nth (to 6 decimals), so that the order of the reference decides nothing; spectra are vectors of
    square-rooted intensities in m/z bins, T is the Tanimoto similarity of Morgan bits (radius 2, 4096). Every query is
    scored: one that shares no bin with the reference gives 0 to all candidates, so that all tie.
    """

    def __init__(
        self,
        spectra: Sequence[Spectrum],
        structures: Sequence[Structure],
        *,
        n_neighbours: int = 1,
        bin_width_da: float = 0.05,
        scorer: SpectrumScorer | None = None,
    ) -> None:
        if not spectra or len(spectra) != len(structures):
            raise EvaluationError(
                f"nearest neighbour: {len(spectra)} reference spectra with {len(structures)} structures; expected at "
                "least one spectrum and one structure for each"
            )
        self.bin_width_da = bin_width_da
        self.name = _name(n_neighbours, scorer)
        self.scorer = scorer
        self._fingerprints = _Fingerprints()
        # The molecules come first, so that their numbers are their rows among the fingerprints.
        molecules = self._fingerprints.rows(structures)
        order = np.argsort(molecules, kind="stable")
        self._spectra = [spectra[row] for row in order]
        self._reference = binned(self._spectra if scorer is None else [], bin_width_da=bin_width_da).T.tocsr()
        self._first_spectra = np.flatnonzero(np.diff(molecules[order], prepend=-1))
        self.n_neighbours = min(n_neighbours, self._first_spectra.size)

        self._asked: list[Spectrum] = []
        self._found: Neighbours | None = None

    def score(self, queries: Sequence[Query]) -> list[NDArray[np.floating]]:
        """Return weighted mean Tanimoto similarities, in [0, 1], one float64 array per query."""
        return self.vote(queries, self.neighbours([query.spectrum for query in queries])) if queries else []

    def of_fewer(self, n_neighbours: int) -> FewerNeighboursRanker:
        """Return the ranker that lets fewer neighbours vote; the two look for them once."""
        return FewerNeighboursRanker(self, n_neighbours=n_neighbours)

    def vote(
        self, queries: Sequence[Query], nearest: Neighbours, *, n_neighbours: int | None = None
    ) -> list[NDArray[np.floating]]:
        """Return the scores that neighbours found before give, by the nearest ``n_neighbours`` of them alone."""
        rows = {id(query.candidates): self._list_rows(query.candidates) for query in queries}
        table = self._fingerprints.table()
        scores: list[NDArray[np.floating]] = []
        for query, molecules, similarity in zip(queries, nearest.molecules, nearest.similarity, strict=True):
            chosen = nearest_rows(similarity, n_neighbours or self.n_neighbours)
            alike = tanimoto(table[rows[id(query.candidates)]], table[molecules[chosen]])
            scores.append(_weighted_mean(alike, similarity[chosen].astype(np.float64)))
        return scores

    def neighbours(self, spectra: Sequence[Spectrum]) -> Neighbours:
        """Return the nearest molecules of some spectra, compared a few at a time; the last answer is remembered."""
        if self._found is None or len(spectra) != len(self._asked) or any(map(is_not, spectra, self._asked)):
            parts = list(self._nearest(spectra))
            self._found = Neighbours(
                molecules=[molecules for molecules, _ in parts], similarity=[similarity for _, similarity in parts]
            )
            self._asked = list(spectra)
        return self._found

    def _nearest(self, spectra: Sequence[Spectrum]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Yield the nearest molecules of each spectrum and how near they are."""
        for similarity in self._similarities(spectra):
            for best in np.maximum.reduceat(similarity, self._first_spectra, axis=1).round(_DECIMALS):
                molecules = nearest_rows(best, self.n_neighbours)
                yield molecules, best[molecules]

    def _similarities(self, spectra: Sequence[Spectrum]) -> Iterator[NDArray[np.float32]]:
        """Yield similarities of a few spectra to all of the reference, float32, at least 0."""
        if self.scorer is None:
            for start in range(0, len(spectra), _QUERIES_AT_A_TIME):
                some = spectra[start : start + _QUERIES_AT_A_TIME]
                yield (binned(some, bin_width_da=self.bin_width_da) @ self._reference).toarray()
            return
        for block in self.scorer.scores(spectra, self._spectra):
            # A pair without a score is unlike; a negative cosine must not vote against its molecule.
            yield np.maximum(np.nan_to_num(block, nan=0.0), 0.0).astype(np.float32)

    def _list_rows(self, candidates: CandidateList) -> NDArray[np.int64]:
        return self._fingerprints.rows(candidates.structures)


class FewerNeighboursRanker:
    """Lets only the nearest of the molecules vote that another ranker finds."""

    def __init__(self, search: NearestNeighbourRanker, *, n_neighbours: int) -> None:
        self.search, self.n_neighbours = search, n_neighbours
        self.name = _name(n_neighbours, search.scorer)

    def score(self, queries: Sequence[Query]) -> list[NDArray[np.floating]]:
        """Return weighted mean Tanimoto similarities, in [0, 1], one float64 array per query."""
        if not queries:
            return []
        nearest = self.search.neighbours([query.spectrum for query in queries])
        return self.search.vote(queries, nearest, n_neighbours=self.n_neighbours)


def nearest_rows(similarity: NDArray[np.float32], n_rows: int) -> NDArray[np.int64]:
    """Return the rows of the greatest similarities above 0, and of those that equal the last of them, ascending.

    Examples
    --------
    >>> nearest_rows(np.array([0.5, 0.0, 0.9, 0.5, 0.1], dtype=np.float32), 2).tolist()
    [0, 2, 3]
    >>> nearest_rows(np.array([0.5, 0.0], dtype=np.float32), 2).tolist()
    [0]
    """
    n_left_out = similarity.size - n_rows
    last = np.partition(similarity, n_left_out)[n_left_out] if n_left_out > 0 else 0.0
    return np.flatnonzero((similarity >= last) & (similarity > 0))


def binned(spectra: Sequence[Spectrum], *, bin_width_da: float) -> sparse.csr_matrix:
    """Return spectra as unit vectors of square-rooted intensities, sparse float32 of shape (n_spectra, n_bins)."""
    n_bins = int(_MAX_MZ / bin_width_da) + 1
    lengths = [spectrum.n_peaks for spectrum in spectra]
    mz = np.concatenate([spectrum.mz for spectrum in spectra] or [np.empty(0)])
    intensity = np.concatenate([spectrum.intensity for spectrum in spectra] or [np.empty(0, np.float32)])
    columns = np.minimum(mz / bin_width_da, n_bins - 1).astype(np.int32)
    indptr = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    matrix = sparse.csr_matrix(
        (np.sqrt(intensity.astype(np.float32)), columns, indptr), shape=(len(spectra), n_bins), dtype=np.float32
    )
    matrix.sum_duplicates()
    norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return sparse.diags_array(1 / np.maximum(norms, np.finfo(np.float32).tiny), dtype=np.float32) @ matrix


def tanimoto(first: NDArray[np.uint64], second: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Return Tanimoto similarities of packed bits of shapes (n, n_words) and (m, n_words): float64 of shape (n, m)."""
    shared = np.bitwise_count(first[:, None, :] & second[None, :, :]).sum(axis=2, dtype=np.int64)
    bits = [np.bitwise_count(table).sum(axis=1, dtype=np.int64) for table in (first, second)]
    either = bits[0][:, None] + bits[1][None, :] - shared
    return np.asarray(shared / np.maximum(either, 1), dtype=np.float64)


def _name(n_neighbours: int, scorer: SpectrumScorer | None) -> str:
    kind = "nearest" if scorer is None else scorer.name
    return f"{kind}_neighbour" if n_neighbours == 1 else f"{kind}_neighbours_{n_neighbours}"


def _weighted_mean(alike: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    total = float(weights.sum())
    return (alike @ weights / (total or 1.0)).round(_DECIMALS)


class _Fingerprints:
    """Packed Morgan bits of every molecule seen so far, each computed once."""

    def __init__(self) -> None:
        self._row: dict[str, int] = {}
        self._parts: list[NDArray[np.uint64]] = []

    def rows(self, structures: Sequence[Structure]) -> NDArray[np.int64]:
        new = {s.inchikey_first_block: s for s in structures if s.inchikey_first_block not in self._row}
        if new:
            self._row.update({block: len(self._row) + i for i, block in enumerate(new)})
            self._parts.append(packed_fingerprints([structure.smiles for structure in new.values()]))
        return np.array([self._row[structure.inchikey_first_block] for structure in structures], dtype=np.int64)

    def table(self) -> NDArray[np.uint64]:
        self._parts = [np.concatenate(self._parts)]
        return self._parts[0]
