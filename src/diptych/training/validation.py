"""Validation by the final metric: the evaluation that prints the published table, asked of the present weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diptych.annotation.calibration import fit_temperature
from diptych.evaluation import evaluate
from diptych.evaluation.results.query_results import QueryResults
from diptych.retrieval.reranking import (
    ReRanking,
    ReRankingRanker,
    best_weighted,
    chosen_reranking,
    model_ranker,
)

if TYPE_CHECKING:
    from diptych.embedding import JointEmbedding
    from diptych.encoders.pairs.fragment_interaction import FragmentInteraction
    from diptych.encoders.pairs.tokens import TokenVectors
    from diptych.evaluation.evaluation import Evaluation
    from diptych.molecules.fragment_graphs import FragmentGraphs
    from diptych.molecules.structure import Structure
    from diptych.ranking import Query
    from diptych.retrieval.rankers import EmbeddingRanker
    from diptych.spectra.spectrum import Spectrum
    from diptych.training.structures import StructureTable


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
    fragments
        All candidates, with their fragments for features; None unless the model scores by them.
    """

    model: JointEmbedding
    features: Any
    row_of: Mapping[str, int]
    fragments: StructureTable | None = None

    @property
    def name(self) -> str:
        """What reports call the model."""
        return self.model.name

    def encode_spectra(self, spectra: Sequence[Spectrum], *, blind: bool = False) -> NDArray[np.float32]:
        """Return unit vectors, float32 of shape (n, embedding_dim)."""
        return self.model.encode_spectra(spectra, blind=blind)

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What is known of the model, how it re-ranks among it."""
        return self.model.metadata

    def encode_structures(self, structures: Sequence[Structure]) -> NDArray[np.float32]:
        """Return unit vectors, float32 of shape (n, embedding_dim)."""
        return self.model.encode_structure_features(self._features_of(structures))

    def encode_spectrum_tokens(self, spectra: Sequence[Spectrum], *, blind: bool = False) -> TokenVectors:
        """Return unit vectors of peaks."""
        return self.model.encode_spectrum_tokens(spectra, blind=blind)

    def encode_structure_tokens(self, structures: Sequence[Structure]) -> TokenVectors:
        """Return unit vectors of atoms."""
        return self.model.encode_structure_feature_tokens(self._features_of(structures))

    @property
    def interaction(self) -> FragmentInteraction | None:
        """The interaction of peaks and fragments, where the model has one."""
        return self.model.interaction

    def fragment_graphs(self, structures: Sequence[Structure]) -> FragmentGraphs:
        """Return the fragments of structures."""
        if self.fragments is None:
            return self.model.fragment_graphs(structures)
        row_of = self.fragments.row_of
        rows = np.array([row_of[structure.inchikey_first_block] for structure in structures], dtype=np.int64)
        graphs: FragmentGraphs = self.fragments.features.take(rows)
        return graphs

    def _features_of(self, structures: Sequence[Structure]) -> Any:  # noqa: ANN401 - each tower's own
        rows = np.array([self.row_of[structure.inchikey_first_block] for structure in structures], dtype=np.int64)
        return self.features.take(rows)


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
    fragments
        All candidates, with their fragments for features; None unless the model scores by them.
    """

    queries: Sequence[Query]
    features: Any
    row_of: Mapping[str, int]
    blind: bool
    fragments: StructureTable | None = None

    def measure(self, model: JointEmbedding) -> dict[str, float]:
        """Return ``hit_rate@1``, ``hit_rate@5``, ``hit_rate@20`` and ``mrr``, averaged over spectra."""
        return self._measure(model, blind=self.blind)

    def measure_as_saved(self, model: JointEmbedding, *, recall: int) -> dict[str, float]:
        """Return ``hit_rate@1``, ``hit_rate@5``, ``hit_rate@20``, ``mrr`` with the second look that would be saved.

        Parameters
        ----------
        model
            In training; it knows of no second look yet.
        recall
            How many candidates are looked at twice; 0: none.
        """
        if not recall:
            return self.measure(model)
        ranker = ReRankingRanker(self._prepared(model), ReRanking(recall=recall), blind=self.blind)
        both = ranker.both_scores(self.queries)
        chosen = best_weighted(self.queries, both, recall=recall)
        scored = _Scored([chosen.mixed(*scores) for scores in both])
        return _by_spectrum(evaluate(scored, self.queries, n_bootstrap=0))

    def measure_blind(self, model: JointEmbedding) -> dict[str, float]:
        """Return the same figures of the same model asked without peaks: the spectrum-blind control."""
        return self._measure(model, blind=True)

    def results(self, model: JointEmbedding) -> QueryResults:
        """Return what the model answers to every query."""
        return QueryResults.of_scores(self.queries, self._ranker(model, blind=self.blind).score(self.queries))

    def scores_and_answers(self, model: JointEmbedding) -> tuple[list[NDArray[np.floating]], list[int]]:
        """Return scores and the position of the answer for every query that can be scored and lists its answer."""
        queries = [query for query in self.queries if query.target in query.candidates.positions]
        scored = zip(queries, self._ranker(model, blind=self.blind).score(queries), strict=True)
        pairs = [(s, query.candidates.positions[query.target]) for query, s in scored if np.isfinite(s).all()]
        return [scores for scores, _ in pairs], [position for _, position in pairs]

    def reranking(self, model: JointEmbedding, *, recall: int) -> ReRanking:
        """Return the re-ranking whose weight ranks these queries best, with its temperature.

        Raises
        ------
        ConfigError
            A tower returns no vectors of peaks or atoms.
        """
        chosen = chosen_reranking(self._prepared(model), self.queries, recall=recall, blind=self.blind)
        model.metadata |= chosen.to_metadata()
        scores, answers = self.scores_and_answers(model)
        return replace(chosen, temperature=fit_temperature(scores, answers)) if answers else chosen

    def _prepared(self, model: JointEmbedding) -> PreparedEmbedding:
        return PreparedEmbedding(model=model, features=self.features, row_of=self.row_of, fragments=self.fragments)

    def _ranker(self, model: JointEmbedding, *, blind: bool) -> EmbeddingRanker | ReRankingRanker:
        ranker = model_ranker(self._prepared(model))
        return ranker.blinded() if blind else ranker

    def _measure(self, model: JointEmbedding, *, blind: bool) -> dict[str, float]:
        return _by_spectrum(evaluate(self._ranker(model, blind=blind), self.queries, n_bootstrap=0))


@dataclass(frozen=True)
class _Scored:
    """Scores that are known already, as a ranker."""

    known: Sequence[NDArray[np.floating]]
    name: str = "scored"

    def score(self, _: Sequence[Query]) -> list[NDArray[np.floating]]:
        return list(self.known)


def _by_spectrum(evaluation: Evaluation) -> dict[str, float]:
    return {name: value.spectrum for name, value in evaluation.metrics.items()}
