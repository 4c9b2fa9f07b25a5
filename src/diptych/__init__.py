"""Diptych: one embedding space for MS/MS spectra and molecular structures.

>>> import diptych
>>> diptych.Adduct.parse("[M+H]+").charge
1
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from diptych.annotation import Annotation, annotate
    from diptych.data import AnnotatedSpectrum
    from diptych.embedding import JointEmbedding
    from diptych.errors import DiptychError
    from diptych.evaluation import Evaluation, evaluate
    from diptych.molecules import Formula, Structure
    from diptych.ranking import Ranker, Ranking
    from diptych.retrieval import SpectralLibrary, StructureLibrary
    from diptych.spectra import Adduct, Spectrum, read_spectra

_HOMES = {
    "Adduct": "diptych.spectra",
    "AnnotatedSpectrum": "diptych.data",
    "Annotation": "diptych.annotation",
    "DiptychError": "diptych.errors",
    "Evaluation": "diptych.evaluation",
    "Formula": "diptych.molecules",
    "JointEmbedding": "diptych.embedding",
    "Ranker": "diptych.ranking",
    "Ranking": "diptych.ranking",
    "SpectralLibrary": "diptych.retrieval",
    "Spectrum": "diptych.spectra",
    "Structure": "diptych.molecules",
    "StructureLibrary": "diptych.retrieval",
    "annotate": "diptych.annotation",
    "evaluate": "diptych.evaluation",
    "read_spectra": "diptych.spectra",
}

__all__ = [
    "Adduct",
    "AnnotatedSpectrum",
    "Annotation",
    "DiptychError",
    "Evaluation",
    "Formula",
    "JointEmbedding",
    "Ranker",
    "Ranking",
    "SpectralLibrary",
    "Spectrum",
    "Structure",
    "StructureLibrary",
    "annotate",
    "evaluate",
    "read_spectra",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'diptych' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
