"""Validation by the final metric: the evaluation that prints the published table, asked of the present weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diptych.evaluation import evaluate

if TYPE_CHECKING:
    from diptych.embedding import JointEmbedding
    from diptych.ranking import Query


@dataclass(frozen=True, kw_only=True, eq=False)
class FeatureRanker:
    """Scores candidates by cosine, from structure features made once; the same scores as ``EmbeddingRanker``.

    Attributes
    ----------
    model
        The weights to judge.
    features
        Of all candidates, as the structure tower's featuriser makes them.
    row_of
        First block -> row of ``features``.
    blind
        Whether the peaks are withheld.
    name
        What reports call it.
    """

    model: JointEmbedding
    features: Any
    row_of: Mapping[str, int]
    blind: bool
    name: str = "model"

    def score(self, queries: Sequence[Query]) -> list[NDArray[np.floating]]:
        """Return the cosine of each query's spectrum and its candidates, one float32 array per query."""
        structures = self.model.encode_structure_features(self.features)
        spectra = self.model.encode_spectra([query.spectrum for query in queries], blind=self.blind)
        rows_of = {id(query.candidates): self._rows(query) for query in queries}
        return [
            structures[rows_of[id(query.candidates)]] @ vector for query, vector in zip(queries, spectra, strict=True)
        ]

    def _rows(self, query: Query) -> NDArray[np.int64]:
        blocks = (structure.inchikey_first_block for structure in query.candidates.structures)
        return np.array([self.row_of[block] for block in blocks], dtype=np.int64)


@dataclass(frozen=True, kw_only=True, eq=False)
class ValidationSet:
    """Queries whose answers are known, and the features of all their candidates.

    Attributes
    ----------
    queries
        Spectra of the validation fold with candidate lists of at least two.
    features
        Of all candidates.
    row_of
        First block -> row of ``features``.
    blind
        Whether the model is trained blind, and hence asked so.
    """

    queries: Sequence[Query]
    features: Any
    row_of: Mapping[str, int]
    blind: bool

    def measure(self, model: JointEmbedding) -> dict[str, float]:
        """Return ``hit_rate@1``, ``hit_rate@5``, ``hit_rate@20`` and ``mrr``, averaged over spectra."""
        return self._measure(self._ranker(model, blind=self.blind))

    def measure_blind(self, model: JointEmbedding) -> dict[str, float]:
        """Return the same figures of the same model asked without peaks: the spectrum-blind control."""
        return self._measure(self._ranker(model, blind=True))

    def scores_and_answers(self, model: JointEmbedding) -> tuple[list[NDArray[np.floating]], list[int]]:
        """Return scores and the position of the answer for every query that has its answer in the list."""
        queries = [query for query in self.queries if query.target in query.candidates.positions]
        positions = [query.candidates.positions[query.target] for query in queries]
        return self._ranker(model, blind=self.blind).score(queries), positions

    def _ranker(self, model: JointEmbedding, *, blind: bool) -> FeatureRanker:
        return FeatureRanker(model=model, features=self.features, row_of=self.row_of, blind=blind)

    def _measure(self, ranker: FeatureRanker) -> dict[str, float]:
        evaluation = evaluate(ranker, self.queries, n_bootstrap=0)
        return {name: value.spectrum for name, value in evaluation.metrics.items()}
