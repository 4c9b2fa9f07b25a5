"""What a question and an answer are, and the rankers that need no network: baselines and controls."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diptych.ranking.controls import PrecursorRanker, RandomRanker, ShuffledSpectraRanker
    from diptych.ranking.fusion import FusionRanker
    from diptych.ranking.modified_cosine import ModifiedCosineScorer
    from diptych.ranking.neighbours import NearestNeighbourRanker
    from diptych.ranking.peak_matching import CosineScorer, SpectralEntropyScorer
    from diptych.ranking.query import CandidateList, Query
    from diptych.ranking.ranking import Ranker, Ranking, rank_against_ties
    from diptych.ranking.spectrum_scorers import BinnedCosineScorer, PrecursorScorer, SpectrumScorer

_HOMES = {
    "BinnedCosineScorer": "spectrum_scorers",
    "CandidateList": "query",
    "CosineScorer": "peak_matching",
    "FusionRanker": "fusion",
    "ModifiedCosineScorer": "modified_cosine",
    "NearestNeighbourRanker": "neighbours",
    "PrecursorRanker": "controls",
    "PrecursorScorer": "spectrum_scorers",
    "Query": "query",
    "RandomRanker": "controls",
    "Ranker": "ranking",
    "Ranking": "ranking",
    "ShuffledSpectraRanker": "controls",
    "SpectralEntropyScorer": "peak_matching",
    "SpectrumScorer": "spectrum_scorers",
    "rank_against_ties": "ranking",
}

__all__ = [
    "BinnedCosineScorer",
    "CandidateList",
    "CosineScorer",
    "FusionRanker",
    "ModifiedCosineScorer",
    "NearestNeighbourRanker",
    "PrecursorRanker",
    "PrecursorScorer",
    "Query",
    "RandomRanker",
    "Ranker",
    "Ranking",
    "ShuffledSpectraRanker",
    "SpectralEntropyScorer",
    "SpectrumScorer",
    "rank_against_ties",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'diptych.ranking' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"diptych.ranking.{_HOMES[name]}"), name)
