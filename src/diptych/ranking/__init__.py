"""What a question and an answer are, and the rankers that need no network: baselines and controls."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diptych.ranking.bond_disconnection import BondDisconnectionRanker
    from diptych.ranking.controls import FormulaRanker, PrecursorRanker, RandomRanker, ShuffledSpectraRanker
    from diptych.ranking.fusion import FusionRanker, RankFusionRanker, SumScorer
    from diptych.ranking.match_evidence import MatchEvidenceScorer
    from diptych.ranking.matchms_scorer import MatchmsScorer
    from diptych.ranking.modified_cosine import ModifiedCosineScorer
    from diptych.ranking.molecule_prior import MoleculePriorRanker, NearestMoleculeRanker
    from diptych.ranking.neighbours import NearestNeighbourRanker
    from diptych.ranking.peak_matching import CosineScorer, SpectralEntropyScorer
    from diptych.ranking.predicted_fingerprints import ClassifierRanker, FingerprintPredictor, FingerprintRanker
    from diptych.ranking.query import CandidateList, Query
    from diptych.ranking.ranking import Ranker, Ranking, rank_against_ties
    from diptych.ranking.registry import RANKERS, Training, make_ranker
    from diptych.ranking.spectrum_scorers import (
        BinnedCosineScorer,
        PrecursorMatchScorer,
        PrecursorScorer,
        SpectrumScorer,
    )
    from diptych.ranking.vector_scorer import VectorScorer

_HOMES = {
    "BinnedCosineScorer": "spectrum_scorers",
    "BondDisconnectionRanker": "bond_disconnection",
    "CandidateList": "query",
    "ClassifierRanker": "predicted_fingerprints",
    "CosineScorer": "peak_matching",
    "FingerprintPredictor": "predicted_fingerprints",
    "FingerprintRanker": "predicted_fingerprints",
    "FormulaRanker": "controls",
    "FusionRanker": "fusion",
    "MatchEvidenceScorer": "match_evidence",
    "MatchmsScorer": "matchms_scorer",
    "ModifiedCosineScorer": "modified_cosine",
    "MoleculePriorRanker": "molecule_prior",
    "NearestMoleculeRanker": "molecule_prior",
    "NearestNeighbourRanker": "neighbours",
    "PrecursorRanker": "controls",
    "PrecursorMatchScorer": "spectrum_scorers",
    "PrecursorScorer": "spectrum_scorers",
    "Query": "query",
    "RANKERS": "registry",
    "RandomRanker": "controls",
    "RankFusionRanker": "fusion",
    "Ranker": "ranking",
    "Ranking": "ranking",
    "ShuffledSpectraRanker": "controls",
    "SpectralEntropyScorer": "peak_matching",
    "SpectrumScorer": "spectrum_scorers",
    "SumScorer": "fusion",
    "Training": "registry",
    "VectorScorer": "vector_scorer",
    "make_ranker": "registry",
    "rank_against_ties": "ranking",
}

__all__ = [
    "RANKERS",
    "BinnedCosineScorer",
    "BondDisconnectionRanker",
    "CandidateList",
    "ClassifierRanker",
    "CosineScorer",
    "FingerprintPredictor",
    "FingerprintRanker",
    "FormulaRanker",
    "FusionRanker",
    "MatchEvidenceScorer",
    "MatchmsScorer",
    "ModifiedCosineScorer",
    "MoleculePriorRanker",
    "NearestMoleculeRanker",
    "NearestNeighbourRanker",
    "PrecursorMatchScorer",
    "PrecursorRanker",
    "PrecursorScorer",
    "Query",
    "RandomRanker",
    "RankFusionRanker",
    "Ranker",
    "Ranking",
    "ShuffledSpectraRanker",
    "SpectralEntropyScorer",
    "SpectrumScorer",
    "SumScorer",
    "Training",
    "VectorScorer",
    "make_ranker",
    "rank_against_ties",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'diptych.ranking' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"diptych.ranking.{_HOMES[name]}"), name)
