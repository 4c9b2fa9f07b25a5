"""Rankers that a method must beat: chance, the precursor's mass, another molecule's spectrum."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diptych.errors import EvaluationError
from diptych.spectra.adduct import LIKELY_ADDUCTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diptych.ranking.query import Query
    from diptych.ranking.ranking import Ranker
    from diptych.spectra.spectrum import Spectrum

# Two sums of the same atoms' masses differ in their last bits; below this they are one mass.
_MASS_DECIMALS = 6


@dataclass(frozen=True)
class RandomRanker:
    """Scores by chance: a pure function of seed, query identifier and first block, whatever the order of the list."""

    seed: int = 0
    name: str = "random"

    def score(self, queries: Sequence[Query]) -> list[NDArray[np.floating]]:
        """Return uniform random scores in [0, 1), one float64 array per query."""
        return [self._draw(query) for query in queries]

    def _draw(self, query: Query) -> NDArray[np.float64]:
        key = hashlib.blake2b(query.identifier.encode(), digest_size=8).digest()
        generator = np.random.default_rng([self.seed, int.from_bytes(key, "little")])
        blocks = sorted(query.candidates.positions)
        scores = np.empty(len(blocks))
        scores[[query.candidates.positions[block] for block in blocks]] = generator.random(len(blocks))
        return scores


@dataclass(frozen=True)
class PrecursorRanker:
    """Scores by how well the candidate's mass explains the precursor; sees no peak.

    Among candidates of one formula all tie, so this is also the formula-only control.
    """

    name: str = "precursor_mass"

    def score(self, queries: Sequence[Query]) -> list[NDArray[np.floating]]:
        """Return minus the mass error in Da, one float64 array per query; NaN where the precursor m/z is unknown.

        Without an adduct the best of the polarity's likely ones is taken.
        """
        return [_minus_mass_error(query) for query in queries]


def _minus_mass_error(query: Query) -> NDArray[np.float64]:
    exact = np.array([structure.neutral_mass for structure in query.candidates.structures], dtype=np.float64)
    neutral = _neutral_masses(query.spectrum)
    if not neutral.size:
        return np.full(exact.shape, np.nan)
    errors: NDArray[np.float64] = np.abs(exact[:, None] - neutral[None, :]).min(axis=1)
    return -errors.round(_MASS_DECIMALS)


def _neutral_masses(spectrum: Spectrum) -> NDArray[np.float64]:
    if spectrum.precursor_mz is None:
        return np.empty(0)
    adducts = (spectrum.adduct,) if spectrum.adduct is not None else LIKELY_ADDUCTS[spectrum.polarity or "positive"]
    return np.array([adduct.neutral_mass(spectrum.precursor_mz) for adduct in adducts], dtype=np.float64)


@dataclass(frozen=True)
class FormulaRanker:
    """Scores 1 for candidates of the answer's formula and 0 for others: what a perfect formula predictor would reach.

    It looks at the answer, and so is a yardstick and no method. Candidates of one formula tie, so that it says how much
    of a hit rate on lists of mixed formulas is the formula's.
    """

    name: str = "formula_only"

    def score(self, queries: Sequence[Query]) -> list[NDArray[np.floating]]:
        """Return 0 or 1, one float64 array per query; NaN where the list lacks the answer."""
        return [_is_of_formula(query) for query in queries]


def _is_of_formula(query: Query) -> NDArray[np.float64]:
    structures = query.candidates.structures
    position = query.candidates.positions.get(query.target)
    if position is None:
        return np.full(len(structures), np.nan)
    formula = structures[position].formula
    return np.array([structure.formula == formula for structure in structures], dtype=np.float64)


@dataclass(frozen=True)
class ShuffledSpectraRanker:
    """Asks the inner ranker each query with the spectrum of another query, of another molecule.

    Spectra are drawn by the identifiers of the queries, whatever their order.
    """

    inner: Ranker
    seed: int = 0
    name: str = "shuffled_spectra"

    def score(self, queries: Sequence[Query]) -> list[NDArray[np.floating]]:
        """Return the inner ranker's scores of each query's own candidates for a foreign spectrum.

        Raises
        ------
        EvaluationError
            All queries are of one molecule, so there is no foreign spectrum.
        """
        order = sorted(range(len(queries)), key=lambda row: queries[row].identifier)
        donors = foreign_spectra([queries[row].target for row in order], seed=self.seed)
        spectra = {row: queries[order[donor]].spectrum for row, donor in zip(order, donors, strict=True)}
        return self.inner.score([replace(query, spectrum=spectra[row]) for row, query in enumerate(queries)])


def foreign_spectra(targets: Sequence[str], *, seed: int) -> NDArray[np.int64]:
    """Return for each query the index of a query of another molecule, drawn at random.

    Raises
    ------
    EvaluationError
        There are fewer than two molecules.
    """
    if not targets:
        return np.empty(0, dtype=np.int64)
    molecules = np.unique(np.asarray(targets), return_inverse=True)[1]
    if molecules.max() == 0:
        raise EvaluationError(
            f"shuffled spectra: all {len(targets)} queries are of one molecule ({targets[0]}); expected at least two"
        )
    generator = np.random.default_rng(seed)
    donors = np.arange(molecules.size)
    own = np.arange(molecules.size)
    while own.size:
        donors[own] = generator.integers(molecules.size, size=own.size)
        own = np.flatnonzero(molecules[donors] == molecules)
    return donors
