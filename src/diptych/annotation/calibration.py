"""Scores to probabilities: one temperature, fitted on queries whose answer is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diptych.errors import ModelError

_CONDITION = (
    "the answer is one of the structures in the mass window; nothing is said about structures outside the library"
)
_LOWEST_TEMPERATURE, _HIGHEST_TEMPERATURE = 1e-4, 1e2


@dataclass(frozen=True, kw_only=True)
class ScoreCalibration:
    """How scores become probabilities: ``softmax(score / temperature)`` over all candidates of a query.

    Attributes
    ----------
    temperature
        Positive; in units of the score.
    condition
        What the probabilities presuppose: they are conditional on the answer being in the library. Where it is not,
        they still sum to one, so a high value means "the best of what is here", not "found".
    """

    temperature: float
    condition: str = _CONDITION

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise ModelError(f"calibration temperature is {self.temperature}; expected a positive finite number")

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any]) -> Self | None:
        """Return the calibration that a model's metadata holds; None for a model that was not calibrated.

        Raises
        ------
        ModelError
            The temperature is missing or not a positive number.

        Examples
        --------
        >>> ScoreCalibration.from_metadata({"calibration": {"temperature": 0.05}}).temperature
        0.05
        """
        stored = metadata.get("calibration")
        if stored is None:
            return None
        try:
            return cls(temperature=float(stored["temperature"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"calibration is {stored!r}; expected {{'temperature': a positive number}}") from error

    def probabilities(self, scores: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the probability of each candidate of one query, float64, of shape (n_candidates,), summing to one."""
        exponent = (scores.astype(np.float64) - scores.max(initial=-np.inf)) / self.temperature
        weight = np.exp(exponent)
        return np.asarray(weight / weight.sum())

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON holds them."""
        return asdict(self)


def fit_temperature(scores_per_query: Sequence[ArrayLike], target_positions: Sequence[int]) -> float:
    """Return the temperature that makes ``softmax(score / T)`` most likely for the known answers.

    Parameters
    ----------
    scores_per_query
        For each query the scores of all its candidates, of shape (n_candidates,), finite.
    target_positions
        For each query the position of its answer among its candidates. A query whose answer is not among its
        candidates says nothing here and must be left out by the caller.

    Raises
    ------
    ModelError
        No query is given, a query has no candidates or a score that is not finite, or a position lies outside.

    Notes
    -----
    Temperature scaling, Guo et al. 2017 (arXiv 1706.04599), equation 9: T minimises the negative log-likelihood
    ``sum_q [ log sum_i exp(s_qi / T) - s_qt / T ]``. It is convex in 1/T, hence has one minimum along log T, which
    a golden-section search between 1e-4 and 100 finds. Where all answers stand first (or none stands out) the
    minimum lies at a bound, and the bound is returned. T does not change any rank.

    Examples
    --------
    Two candidates one unit apart, the better one right three times in four: log 3 = 1 / T.

    >>> round(fit_temperature([[1.0, 0.0]] * 4, [0, 0, 0, 1]), 4)
    0.9102
    """
    scores, starts, targets = _flatten(scores_per_query, target_positions)
    lengths = np.diff([*starts, scores.size])
    above_target = scores - np.repeat(scores[targets], lengths)
    highest = np.maximum.reduceat(above_target, starts)
    below_highest = above_target - np.repeat(highest, lengths)

    def loss(log_temperature: float) -> float:
        inverse = math.exp(-log_temperature)
        return float(np.mean(highest * inverse + np.log(np.add.reduceat(np.exp(below_highest * inverse), starts))))

    low, high = math.log(_LOWEST_TEMPERATURE), math.log(_HIGHEST_TEMPERATURE)
    return math.exp(_golden_section(loss, low=low, high=high))


def _flatten(
    scores_per_query: Sequence[ArrayLike], target_positions: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.intp]]:
    arrays = [np.asarray(scores, dtype=np.float64) for scores in scores_per_query]
    if not arrays or len(arrays) != len(target_positions):
        raise ModelError(
            f"a temperature needs queries with known answers; got {len(arrays)} queries and "
            f"{len(target_positions)} answers, expected as many of one as of the other"
        )
    for number, (array, position) in enumerate(zip(arrays, target_positions, strict=True)):
        if not 0 <= position < array.size or not np.isfinite(array).all():
            raise ModelError(
                f"query {number}: answer at position {position} of {array.size} candidates; expected a position among "
                "them and finite scores only"
            )
    starts = np.concatenate([[0], np.cumsum([array.size for array in arrays])[:-1]]).astype(np.intp)
    return np.concatenate(arrays), starts, starts + np.asarray(target_positions, dtype=np.intp)


def _golden_section(function: Callable[[float], float], *, low: float, high: float, tolerance: float = 1e-6) -> float:
    """Return where a function with a single minimum between two bounds is smallest."""
    ratio = (math.sqrt(5) - 1) / 2
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = function(left), function(right)
    while high - low > tolerance:
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = function(right)
    return (low + high) / 2


def expected_calibration_error(confidence: ArrayLike, correct: ArrayLike, *, n_bins: int = 15) -> float:
    """Return the mean distance between stated confidence and observed accuracy, between 0 and 1.

    Parameters
    ----------
    confidence
        Probability of the first-ranked candidate of each query, of shape (n_queries,).
    correct
        Whether it was the answer, of shape (n_queries,).
    n_bins
        Number of bins of equal width between 0 and 1.

    Raises
    ------
    ModelError
        No query is given, or the two lengths differ.

    Notes
    -----
    Guo et al. 2017 (arXiv 1706.04599), equation 3: ``sum_b |B_b| / n * |accuracy(B_b) - confidence(B_b)|``.

    Examples
    --------
    >>> round(expected_calibration_error([0.9, 0.9, 0.9, 0.9], [True, True, True, False]), 6)
    0.15
    """
    stated, observed = np.asarray(confidence, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    if not stated.size or stated.shape != observed.shape:
        raise ModelError(f"got {stated.size} confidences and {observed.size} outcomes; expected as many, and some")
    bins = np.clip(np.ceil(stated * n_bins).astype(np.intp) - 1, 0, n_bins - 1)
    gap = np.bincount(bins, weights=observed - stated, minlength=n_bins)
    return float(np.abs(gap).sum() / stated.size)
