"""Search: a structure library that is asked by vector and mass, how it is built, and the ranker that asks a model.

Names are imported when first asked for, because what they need takes a moment to load.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diptych.retrieval.build import build_library
    from diptych.retrieval.description import LibraryDescription
    from diptych.retrieval.library import StructureLibrary
    from diptych.retrieval.rankers import BlindRanker, EmbeddingRanker
    from diptych.retrieval.search import Hits
    from diptych.retrieval.spectral_library import Match, Matches, SpectralLibrary

_HOMES = {
    "BlindRanker": "diptych.retrieval.rankers",
    "EmbeddingRanker": "diptych.retrieval.rankers",
    "Hits": "diptych.retrieval.search",
    "LibraryDescription": "diptych.retrieval.description",
    "Match": "diptych.retrieval.spectral_library",
    "Matches": "diptych.retrieval.spectral_library",
    "SpectralLibrary": "diptych.retrieval.spectral_library",
    "StructureLibrary": "diptych.retrieval.library",
    "build_library": "diptych.retrieval.build",
}

__all__ = [
    "BlindRanker",
    "EmbeddingRanker",
    "Hits",
    "LibraryDescription",
    "Match",
    "Matches",
    "SpectralLibrary",
    "StructureLibrary",
    "build_library",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'diptych.retrieval' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_HOMES[name]), name)
