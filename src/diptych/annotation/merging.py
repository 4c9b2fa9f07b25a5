"""Several spectra of one feature, answered together by the mean of their unit vectors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from diptych.annotation.annotation import Annotation
from diptych.annotation.questions import Question
from diptych.spectra import Spectrum
from diptych.spectra.wording import quoted


@dataclass(kw_only=True)
class _Group:
    """Spectra of one feature that agree in precursor and adduct: the sum of their vectors, not their peaks."""

    question: Question
    total: NDArray[np.float64]
    identifiers: list[str]
    scans: list[str]
    spectra: list[Spectrum]

    def takes(self, blank: Annotation, *, ppm: float) -> bool:
        mine = self.question.blank
        if mine.precursor_mz is None or blank.precursor_mz is None:
            return False
        agree = abs(mine.precursor_mz - blank.precursor_mz) <= ppm * 1e-6 * mine.precursor_mz
        return agree and mine.adduct == blank.adduct

    def add(self, blank: Annotation, vector: NDArray[np.float32]) -> None:
        self.total += vector
        self.identifiers += blank.identifiers
        self.scans += [blank.scans] if blank.scans else []


@dataclass(frozen=True, kw_only=True)
class MergedQuestion:
    """A question for several spectra at once, its unit vector, float32, of shape (dim,), and the spectra if kept."""

    question: Question
    vector: NDArray[np.float32]
    spectra: tuple[Spectrum, ...] = ()


@dataclass(kw_only=True)
class FeatureGroups:
    """Collects questions of the same feature.

    Attributes
    ----------
    ppm
        Spectra of one feature whose precursors differ by more are answered apart.
    keep_spectra
        Whether peaks are kept as well, for a second look at the candidates.

    Notes
    -----
    The vector of a group is ``sum_i v_i / |sum_i v_i|`` over its unit vectors. Whether another spectrum of a feature
    follows is known only at the end of the file, so each feature is kept until then: ``dim`` floats and its
    identifiers (some 2 kB); its peaks only where they are asked for.
    """

    ppm: float
    keep_spectra: bool = False
    _groups: dict[str, list[_Group]] = field(default_factory=dict)

    def add(
        self, key: str, question: Question, vector: NDArray[np.float32], *, spectrum: Spectrum | None = None
    ) -> None:
        """Add one spectrum to a feature."""
        groups = self._groups.setdefault(key, [])
        group = next((group for group in groups if group.takes(question.blank, ppm=self.ppm)), None)
        if group is None:
            group = _Group(
                question=question, total=np.zeros(vector.shape, np.float64), identifiers=[], scans=[], spectra=[]
            )
            groups.append(group)
        group.add(question.blank, vector)
        if self.keep_spectra and spectrum is not None:
            group.spectra.append(spectrum)

    def merged(self) -> Iterable[MergedQuestion]:
        """Yield the question of each feature in the order in which features first appeared."""
        for key, groups in self._groups.items():
            warning = (
                f"feature split: its spectra differ in precursor or adduct, {quoted(key)}" if len(groups) > 1 else ""
            )
            for group in groups:
                yield _merged(group, key=key, warning=warning)


def _merged(group: _Group, *, key: str, warning: str) -> MergedQuestion:
    blank = group.question.blank
    blank = replace(
        blank,
        identifiers=tuple(group.identifiers),
        feature_id=blank.feature_id or key,
        scans=",".join(dict.fromkeys(group.scans)),
        reason="; ".join(text for text in (blank.reason, warning) if text),
    )
    length = float(np.linalg.norm(group.total)) or 1.0
    return MergedQuestion(
        question=replace(group.question, blank=blank),
        vector=(group.total / length).astype(np.float32),
        spectra=tuple(group.spectra),
    )
