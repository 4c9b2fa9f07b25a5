"""Pairs of what was measured and what it was measured of: datasets on disk, their folds, lists of candidates.

Names are imported when first asked for, because pyarrow and RDKit take a moment to load.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diptych.data.annotated import AnnotatedSpectrum
    from diptych.data.build import BuildReport, BuildSettings, build_dataset
    from diptych.data.candidate_files import read_candidate_file, write_candidate_file
    from diptych.data.candidates import CandidateTable, candidates_by_formula, candidates_by_mass, read_candidate_table
    from diptych.data.dataset import Dataset, read_dataset
    from diptych.data.folds import SplitReport, SplitSettings, read_reference, split_dataset
    from diptych.data.instruments import InstrumentClass, instrument_class
    from diptych.data.screening import Exclusion, MassTolerance
    from diptych.data.splits import Fractions

_HOMES = {
    "AnnotatedSpectrum": "annotated",
    "BuildReport": "build",
    "BuildSettings": "build",
    "CandidateTable": "candidates",
    "Dataset": "dataset",
    "Exclusion": "screening",
    "Fractions": "splits",
    "InstrumentClass": "instruments",
    "MassTolerance": "screening",
    "SplitReport": "folds",
    "SplitSettings": "folds",
    "build_dataset": "build",
    "candidates_by_formula": "candidates",
    "candidates_by_mass": "candidates",
    "instrument_class": "instruments",
    "read_candidate_file": "candidate_files",
    "read_candidate_table": "candidates",
    "read_dataset": "dataset",
    "read_reference": "folds",
    "split_dataset": "folds",
    "write_candidate_file": "candidate_files",
}

__all__ = [
    "AnnotatedSpectrum",
    "BuildReport",
    "BuildSettings",
    "CandidateTable",
    "Dataset",
    "Exclusion",
    "Fractions",
    "InstrumentClass",
    "MassTolerance",
    "SplitReport",
    "SplitSettings",
    "build_dataset",
    "candidates_by_formula",
    "candidates_by_mass",
    "instrument_class",
    "read_candidate_file",
    "read_candidate_table",
    "read_dataset",
    "read_reference",
    "split_dataset",
    "write_candidate_file",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'diptych.data' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"diptych.data.{_HOMES[name]}"), name)
