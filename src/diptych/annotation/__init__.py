"""The main job: spectra and a structure library to ranked candidates with probabilities, and to files.

``annotating`` is the job; ``questions`` turns a spectrum into mass windows, ``search`` windows and vectors into
candidates, ``second_look`` puts the first of these into a better order, ``merging`` the spectra of one feature into one
question, ``calibration`` scores into probabilities; ``writers`` and ``summary`` say what came out; ``shipped`` holds
what the package brings along.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diptych.annotation.annotating import annotate, parse_adducts
    from diptych.annotation.annotation import Annotation, Candidate
    from diptych.annotation.calibration import ScoreCalibration, expected_calibration_error, fit_temperature
    from diptych.annotation.provenance import Provenance
    from diptych.annotation.second_look import calibration_of
    from diptych.annotation.shipped import cache_folder, shipped_example, shipped_library
    from diptych.annotation.summary import Summary
    from diptych.annotation.writers import Results, writing

_HOMES = {
    "Annotation": "annotation",
    "Candidate": "annotation",
    "Provenance": "provenance",
    "Results": "writers",
    "ScoreCalibration": "calibration",
    "Summary": "summary",
    "annotate": "annotating",
    "cache_folder": "shipped",
    "calibration_of": "second_look",
    "expected_calibration_error": "calibration",
    "fit_temperature": "calibration",
    "parse_adducts": "annotating",
    "shipped_example": "shipped",
    "shipped_library": "shipped",
    "writing": "writers",
}

__all__ = [
    "Annotation",
    "Candidate",
    "Provenance",
    "Results",
    "ScoreCalibration",
    "Summary",
    "annotate",
    "cache_folder",
    "calibration_of",
    "expected_calibration_error",
    "fit_temperature",
    "parse_adducts",
    "shipped_example",
    "shipped_library",
    "writing",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'diptych.annotation' has no attribute {name!r}")
    found = getattr(import_module(f"diptych.annotation.{_HOMES[name]}"), name)
    globals()[name] = found
    return found
