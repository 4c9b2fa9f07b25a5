"""Everything that is measured of one trained model."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from diptych.embedding import JointEmbedding
from diptych.evaluation import Evaluation, evaluate
from diptych.evaluation.protocols.few_shot import few_shot
from diptych.evaluation.protocols.library_search import search
from diptych.evaluation.questions.known import KnownSpectra
from diptych.evaluation.questions.random_lists import queries_from_random_lists
from diptych.ranking import PrecursorRanker, Query, Ranker, SpectrumScorer
from diptych.retrieval.consensus import ConsensusEmbedding, grouped_queries
from diptych.retrieval.rankers import EmbeddingRanker
from diptych.retrieval.reranking import model_ranker
from diptych.retrieval.spectrum_scorer import EmbeddingScorer, RememberedVectors, with_match_evidence
from diptych.spectra.quality import reject_reason
from diptych.training.module import parameter_count
from diptych.training.validation import PreparedEmbedding

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from questions import Asked, KeptRanker, Material, ask_with

from library_search import figures_of

N_OTHERS = 255
CONSENSUS_OF = 8
_AT_LEAST = 2
_TIMED_SPECTRA, _TIMED_STRUCTURES = 4096, 16384


class Measures:
    """The figures of one model on one fold.

    Parameters
    ----------
    model
        Both towers.
    material
        What is asked.
    cache
        Folder for described candidates and the answers of the nearest neighbours.
    n_bootstrap
        Resamples of molecules for the intervals.
    """

    def __init__(self, model: JointEmbedding, material: Material, *, cache: Path, n_bootstrap: int) -> None:
        self.model, self.material, self.cache, self.n_bootstrap = model, material, cache, n_bootstrap

    def all(self, *, ranks_structures: bool) -> dict[str, Any]:
        """Return every figure; candidate ranking only of models whose structure tower has been trained."""
        spectra_alone = {
            "parameters": self.parameters(),
            "few_shot": self.few_shot(),
            "library_search": self.library_search(),
        }
        if not ranks_structures:
            return {**spectra_alone, "speed": self.speed(structures=False)}
        ranking = {kind: self.ranking(kind) for kind in self._asked.queries}
        return {
            **spectra_alone,
            "ranking": ranking,
            "consensus": self.consensus(),
            "zero_shot": self.zero_shot(),
            "speed": self.speed(structures=True),
        }

    @cached_property
    def _asked(self) -> Asked:
        return ask_with(self.model.structure_encoder.featuriser, self.material, cache=self.cache)

    @cached_property
    def _prepared(self) -> PreparedEmbedding:
        table = self._asked.parsed.table
        return PreparedEmbedding(model=self.model, features=table.features, row_of=table.row_of)

    def parameters(self) -> dict[str, int]:
        """Return the number of weights of each tower; a shared table of masses counts in both, in the total once."""
        return {
            "spectrum": parameter_count(self.model.spectrum_encoder),
            "structure": parameter_count(self.model.structure_encoder),
            "total": parameter_count(self.model),
        }

    def ranking(self, kind: str) -> dict[str, Any]:
        """Return how candidates are ranked, beside its controls; measured ones without prior, too."""
        ranker = model_ranker(self._prepared)
        neighbours = KeptRanker("nearest_neighbours_20", self.material.neighbours, folder=self.cache)
        masses = [PrecursorRanker()] if kind == "mass" else []
        queries = self._asked.queries[kind]
        figures = self._judged(ranker, queries, [ranker.blinded(), neighbours, *masses])
        if kind == "measured":
            figures["without_prior"] = self._judged(ranker.without_prior(), queries, [neighbours])
        return figures

    def consensus(self) -> dict[str, Any]:
        """Return the same on the formula lists with up to eight spectra of a molecule and adduct as one query."""
        grouped = grouped_queries(self._asked.queries["formula"], at_most=CONSENSUS_OF)
        ranker = EmbeddingRanker(ConsensusEmbedding(model=self._prepared, spectra_of=grouped.spectra_of))
        figures = self._judged(ranker, grouped.queries, [ranker.blinded()])
        return {"at_most": CONSENSUS_OF, "spectra_per_query": grouped.mean_size, **figures}

    def zero_shot(self) -> dict[str, Any]:
        """Return how often a molecule is told from 255 random ones of the fold, beside what the mass alone tells."""
        questions = queries_from_random_lists(KnownSpectra(spectra=self.material.known), n_others=N_OTHERS)
        ranker = EmbeddingRanker(self.model)
        return self._judged(ranker, questions.queries, [ranker.blinded(), PrecursorRanker()])

    def _judged(self, ranker: Ranker, queries: Sequence[Query], controls: Sequence[Ranker]) -> dict[str, Any]:
        return _figures(
            evaluate(ranker, queries, controls=controls, n_bootstrap=self.n_bootstrap, min_list_length=_AT_LEAST)
        )

    def few_shot(self) -> dict[str, Any]:
        """Return 5-way 5-shot re-identification of molecules, and that of the blind control."""
        usable = [item for item in self.material.known if reject_reason(item.spectrum) is None]
        molecules = [item.target for item in usable]
        figures = {}
        for name, blind in (("model", False), ("spectrum_blind", True)):
            vectors = self.model.encode_spectra([item.spectrum for item in usable], blind=blind)
            result = few_shot(_not_zero(vectors), molecules)
            low, high = result.interval(n_bootstrap=self.n_bootstrap)
            figures[name] = {"accuracy": result.accuracy, "low": low, "high": high, "molecules": result.n_eligible}
        return figures

    def library_search(self) -> dict[str, Any]:
        """Return the hit rates of every form on the harder library, and those of the blind control."""
        spectra, queries, references = self.material.library_search()
        figures: dict[str, Any] = {"queries": int(queries.size), "references": int(references.size)}
        model = RememberedVectors(self.model)
        scorers: dict[str, SpectrumScorer] = {
            "model": EmbeddingScorer(model),
            "with_match_evidence": with_match_evidence(model),
            "spectrum_blind": EmbeddingScorer(model, blind=True),
        }
        for name, scorer in scorers.items():
            answers = search(scorer, spectra, queries=queries, references=references)
            figures[name] = {answer.form.name: figures_of(answer) for answer in answers}
        return figures

    def speed(self, *, structures: bool) -> dict[str, Any]:
        """Return embeddings per second of each tower: spectra cleaned and collated, structures featurised before."""
        asked = [item.spectrum for item in self.material.known[:_TIMED_SPECTRA]]
        figures = {"threads": torch.get_num_threads(), "device": str(self.model.device)}
        figures["spectra_per_second"] = _per_second(lambda: self.model.encode_spectra(asked), len(asked))
        if structures:
            features = self._prepared.features
            features = features.take(np.arange(min(_TIMED_STRUCTURES, len(features))))
            figures["structures_per_second"] = _per_second(
                lambda: self.model.encode_structure_features(features), len(features)
            )
        return figures


def _figures(evaluation: Evaluation) -> dict[str, Any]:
    report = evaluation.to_report()
    wanted = ("queries", "molecules", "list_length", "metrics", "controls", "above_controls")
    return {**{name: report[name] for name in wanted}, "counts": dict(evaluation.provenance["counts"])}


def _not_zero(vectors: np.ndarray) -> np.ndarray:
    """Return vectors of which none is zero: a tower may have nothing to say without peaks."""
    empty = ~vectors.any(axis=1)
    return np.where(empty[:, None], np.eye(1, vectors.shape[1], dtype=vectors.dtype), vectors)


def _per_second(work: Any, n: int) -> float:  # noqa: ANN401 - a function
    started = time.perf_counter()
    work()
    return round(n / (time.perf_counter() - started), 1)
