"""From questions and their vectors to ranked candidates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from diptych.annotation.annotation import Annotation, Candidate
from diptych.annotation.calibration import ScoreCalibration
from diptych.annotation.questions import Question
from diptych.annotation.second_look import SecondLook
from diptych.retrieval import StructureLibrary
from diptych.spectra import Spectrum
from diptych.spectra.adduct import adduct_weight

Spans = tuple[slice, ...]


@dataclass(frozen=True, kw_only=True)
class CandidateSearch:
    """Looks for the candidates of questions in a library.

    Attributes
    ----------
    library
        Sorted by exact mass, hence one contiguous slice per mass window.
    calibration
        None where the model was not calibrated; candidates then have no probability.
    ppm
        For the reason that is given where a window is empty.
    top
        Number of candidates kept.
    second_look
        Puts the first candidates into a new order; None leaves that of the cosines.
    """

    library: StructureLibrary
    calibration: ScoreCalibration | None
    ppm: float
    top: int
    second_look: SecondLook | None = None

    def spans(self, questions: Sequence[Question]) -> list[Spans]:
        """Return for each question the slice of library rows of each of its windows, by one binary search for all."""
        windows = [window for question in questions for window in question.windows]
        mass = np.array([window.neutral_mass for window in windows])
        half_width = np.array([window.half_width_da for window in windows])
        starts = np.searchsorted(self.library.exact_mass, mass - half_width, side="left").tolist()
        stops = np.searchsorted(self.library.exact_mass, mass + half_width, side="right").tolist()
        slices = iter([slice(start, stop) for start, stop in zip(starts, stops, strict=True)])
        return [tuple(next(slices) for _ in question.windows) for question in questions]

    def nothing(self, question: Question) -> Annotation:
        """Return the answer to a question whose windows are all empty."""
        nothing, doubts = f"no structure in the library within {self.ppm:g} ppm", question.blank.reason
        return replace(question.blank, reason=f"{nothing}: {doubts}" if doubts else nothing)

    def answer(
        self, question: Question, spans: Spans, vector: NDArray[np.float32], *, spectra: Sequence[Spectrum]
    ) -> Annotation:
        """Return the best candidates for a question.

        Parameters
        ----------
        spans
            Library rows of each window of the question; at least one of them not empty.
        vector
            Unit vector of the spectrum, float32, of shape (dim,).
        spectra
            The spectra behind the vector, for the second look.
        """
        rows, scores, window_of = self._scored(question, spans, vector)
        if self.second_look is not None:
            again = self.library.structures(rows[self.second_look.first(scores)].tolist())
            scores = self.second_look.scores(spectra, again, cosines=scores)
        expected = scores + self._preference(question)[window_of]
        best = np.argsort(-expected, kind="stable")[: self.top]
        probability = (
            self.calibration.probabilities(expected)[best].tolist() if self.calibration else [None] * best.size
        )
        errors = self._mass_errors(question, rows[best], window_of[best]).tolist()
        structures = self.library.structures(rows[best].tolist())
        described = zip(structures, window_of[best].tolist(), scores[best].tolist(), probability, errors, strict=True)
        candidates = tuple(
            Candidate(
                rank=rank,
                structure=structure,
                adduct=question.windows[window].adduct,
                score=score,
                probability=chance,
                mass_error_ppm=error,
            )
            for rank, (structure, window, score, chance, error) in enumerate(described, start=1)
        )
        return replace(question.blank, n_candidates=int(rows.size), candidates=candidates)

    def _preference(self, question: Question) -> NDArray[np.float32]:
        """Return what is added to the scores of each window where its adduct is only supposed, float32 (n_windows,).

        With the temperature T of the calibration, softmax((s + T log w) / T) is proportional to w exp(s / T): the
        weight w of the adduct is the prior probability of its candidates. Without a calibration all are alike.
        """
        windows = question.windows
        if len(windows) == 1 or self.calibration is None:
            return np.zeros(len(windows), dtype=np.float32)
        weights = np.array([adduct_weight(window.adduct) for window in windows])
        added: NDArray[np.float32] = self.calibration.temperature * np.log(weights / weights.max(), dtype=np.float32)
        return added

    def _scored(
        self, question: Question, spans: Spans, vector: NDArray[np.float32]
    ) -> tuple[NDArray[np.intp], NDArray[np.float32], NDArray[np.intp]]:
        """Return rows ascending and distinct, their scores, and the window of the question each was found in."""
        rows = np.concatenate([np.arange(span.start, span.stop) for span in spans])
        window_of = np.repeat(np.arange(len(spans)), [span.stop - span.start for span in spans])
        if len(spans) > 1:
            error = np.abs(self._mass_errors(question, rows, window_of))
            order = np.lexsort((error, rows))
            first = np.diff(rows[order], prepend=-1) > 0
            rows, window_of = rows[order][first], window_of[order][first]
        scores = self.library.scores(vector, rows if len(spans) > 1 else spans[0])
        return rows, scores, window_of

    def _mass_errors(
        self, question: Question, rows: NDArray[np.intp], window_of: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """Return (measured - theoretical) / theoretical precursor m/z in ppm, float64, of the shape of ``rows``."""
        adducts = [window.adduct for window in question.windows]
        n_molecules = np.array([adduct.n_molecules for adduct in adducts])[window_of]
        shift = np.array([adduct.mass_shift for adduct in adducts])[window_of]
        charge = np.array([abs(adduct.charge) for adduct in adducts])[window_of]
        theoretical = (n_molecules * self.library.exact_mass[rows] + shift) / charge
        measured = question.blank.precursor_mz or 0.0
        return np.asarray((measured - theoretical) / theoretical * 1e6)
