"""What became of the spectra, in numbers."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from diptych.annotation.annotation import Annotation


@dataclass(kw_only=True)
class Summary:
    """Counts what was annotated and why the rest was not.

    Attributes
    ----------
    n_spectra
        Spectra (and unreadable records) that were answered.
    n_answers
        Answers; fewer than spectra where spectra of one feature were merged.
    n_annotated
        Answers with at least one candidate.
    n_unreadable
        Answers to records that could not be read.
    n_single
        Answers with one candidate, which stands first whatever its score.
    not_annotated, notes
        Number of answers for each category of reason, without and with candidates.
    """

    n_spectra: int = 0
    n_answers: int = 0
    n_annotated: int = 0
    n_unreadable: int = 0
    n_single: int = 0
    not_annotated: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    _started: float = field(default_factory=time.perf_counter)

    def add(self, annotation: Annotation) -> None:
        """Count one answer."""
        self.n_spectra += max(1, len(annotation.identifiers))
        self.n_answers += 1
        self.n_annotated += annotation.is_annotated
        self.n_unreadable += annotation.is_unreadable
        self.n_single += annotation.n_candidates == 1
        if not annotation.is_annotated:
            self.not_annotated.update(_categories(annotation.reason)[:1])
        else:
            self.notes.update(_categories(annotation.reason))

    @property
    def seconds(self) -> float:
        """Time since the summary was begun."""
        return time.perf_counter() - self._started

    @property
    def spectra_per_second(self) -> float:
        """Spectra answered per second so far."""
        return self.n_spectra / max(self.seconds, 1e-9)

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as JSON holds them."""
        return {
            "spectra": self.n_spectra,
            "answers": self.n_answers,
            "annotated": self.n_annotated,
            "unreadable": self.n_unreadable,
            "not_annotated": dict(self.not_annotated.most_common()),
            "notes": dict(self.notes.most_common()),
        }


def _categories(reason: str) -> list[str]:
    """Return what stands before the particulars of each part of a reason."""
    return [part.partition(":")[0] for part in reason.split("; ") if part]
