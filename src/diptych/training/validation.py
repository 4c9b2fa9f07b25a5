"""Validation by the final metric: the evaluation that prints the published table, asked of the present weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diptych.evaluation import evaluate
from diptych.retrieval.rankers import EmbeddingRanker

if TYPE_CHECKING:
    from diptych.embedding import JointEmbedding
    from diptych.molecules.structure import Structure
    from diptych.ranking import Query
    from diptych.spectra.spectrum import Spectrum


@dataclass(frozen=True, kw_only=True, eq=False)
class PreparedEmbedding:
    """A model whose structure features are made already, as `EmbeddingRanker` asks it.

    Attributes
    ----------
    model
        The weights to judge.
    features
        Of all candidates, as the structure tower's featuriser makes them.
    row_of
        First block -> row of ``features``.
    """

    model: JointEmbedding
    features: Any
    row_of: Mapping[str, int]

    @property
    def name(self) -> str:
        """What reports call the model."""
        return self.model.name

    def encode_spectra(self, spectra: Sequence[Spectrum], *, blind: bool = False) -> NDArray[np.float32]:
        """Return unit vectors, float32 of shape (n, embedding_dim)."""
        return self.model.encode_spectra(spectra, blind=blind)

    def encode_structures(self, structures: Sequence[Structure]) -> NDArray[np.float32]:
        """Return unit vectors, float32 of shape (n, embedding_dim)."""
        rows = np.array([self.row_of[structure.inchikey_first_block] for structure in structures], dtype=np.int64)
        return self.model.encode_structure_features(self.features.take(rows))


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
        return self._measure(model, blind=self.blind)

    def measure_blind(self, model: JointEmbedding) -> dict[str, float]:
        """Return the same figures of the same model asked without peaks: the spectrum-blind control."""
        return self._measure(model, blind=True)

    def scores_and_answers(self, model: JointEmbedding) -> tuple[list[NDArray[np.floating]], list[int]]:
        """Return scores and the position of the answer for every query that can be scored and lists its answer."""
        queries = [query for query in self.queries if query.target in query.candidates.positions]
        scored = zip(queries, self._ranker(model, blind=self.blind).score(queries), strict=True)
        pairs = [(s, query.candidates.positions[query.target]) for query, s in scored if np.isfinite(s).all()]
        return [scores for scores, _ in pairs], [position for _, position in pairs]

    def _ranker(self, model: JointEmbedding, *, blind: bool) -> EmbeddingRanker:
        prepared = PreparedEmbedding(model=model, features=self.features, row_of=self.row_of)
        return EmbeddingRanker(prepared, blind=blind)

    def _measure(self, model: JointEmbedding, *, blind: bool) -> dict[str, float]:
        evaluation = evaluate(self._ranker(model, blind=blind), self.queries, n_bootstrap=0)
        return {name: value.spectrum for name, value in evaluation.metrics.items()}
