"""Answer absent, as a protocol: what each method's scores say of whether, and how surely, the answer is in a list."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diptych.errors import EvaluationError
from diptych.evaluation.results.rows import highest_probability
from diptych.evaluation.statistics.answer_absent import (
    auroc,
    expected_calibration_error,
    risk_coverage,
    take_out_answers,
)
from diptych.evaluation.statistics.conformal_splits import N_SPLITS, conformal_splits
from diptych.ranking.ranking import known_scores, rank_against_ties

ERROR_RATE = 0.1
_AT_LEAST = 2
_COLUMNS = (
    "ranker",
    "queries",
    "left_out",
    "auroc",
    "low",
    "high",
    "auroc_probability",
    "risk_coverage_area",
    "calibration_error",
    "conformal_coverage",
    "conformal_coverage_deviation",
    "conformal_size",
    "conformal_size_deviation",
    "conformal_empty",
    "conformal_calibration_molecules",
    "conformal_tested",
    "conformal_unbounded_splits",
)
Scores = Sequence[NDArray[np.floating]]


@dataclass(frozen=True, kw_only=True)
class AskedLists:
    """The lists that every method scored.

    Attributes
    ----------
    molecules
        First block of each query's answer.
    positions
        Of the answer within each list; None where the list lacks it.
    """

    molecules: Sequence[str]
    positions: Sequence[int | None]

    def __post_init__(self) -> None:
        if len(self.molecules) != len(self.positions):
            raise EvaluationError(
                f"{len(self.molecules)} molecules and {len(self.positions)} positions; expected one for each query"
            )


def answer_absent_table(
    scores: Mapping[str, Scores],
    asked: AskedLists,
    *,
    temperatures: Mapping[str, float] | None = None,
    error_rate: float = ERROR_RATE,
    n_bootstrap: int = 2000,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Return for every method how well its scores tell that the answer is absent, and how far they can be trusted.

    Parameters
    ----------
    scores
        Method -> for each query the scores of its candidates; NaN where there is none, and an infinity is none.
    asked
        The lists.
    temperatures
        Of the methods whose scores are calibrated: probabilities are the softmax of score / T.
    error_rate
        Of the conformal sets, see `conformal_splits`: means over random splits of the molecules.
    n_bootstrap, seed
        Resamples of molecules for the 95 % percentile intervals; the seed draws the splits, too.

    Returns
    -------
    list of dicts
        ``ranker``, ``queries``, ``left_out`` (those whose list lacks the answer, or in whose list the answer or all
        others have no score); ``auroc`` of the best score with the answer in the list against without
        (``low``, ``high``); the same of the first probability, ``auroc_probability``, where calibrated;
        ``risk_coverage_area`` by score, or by probability where calibrated; ``calibration_error`` where calibrated;
        of the conformal sets, means over 100 splits, ``conformal_coverage`` and ``conformal_size``, each with its
        standard deviation over the splits (``..._deviation``), ``conformal_empty`` (fraction of sets),
        ``conformal_calibration_molecules``, ``conformal_tested`` (queries), and ``conformal_unbounded_splits``, those
        in which every candidate is taken, as so few molecules set no threshold. None where unknown.
    """
    known = temperatures or {}
    scores = {name: [known_scores(one) for one in given] for name, given in scores.items()}
    rows = [
        {"ranker": name, **_row(given, asked, known.get(name), error_rate, n_bootstrap=n_bootstrap, seed=seed)}
        for name, given in scores.items()
    ]
    return [{column: row.get(column) for column in _COLUMNS} for row in rows]


def _row(
    scores: Scores, asked: AskedLists, temperature: float | None, error_rate: float, *, n_bootstrap: int, seed: int
) -> dict[str, Any]:
    answered = [(i, position) for i, position in enumerate(asked.positions) if position is not None]
    told = [(i, position) for i, position in answered if _can_be_told(scores[i], position)]
    kept, positions = [scores[i] for i, _ in told], [position for _, position in told]
    molecules = np.array([asked.molecules[i] for i, _ in told])
    row: dict[str, Any] = {"queries": len(told), "left_out": len(scores) - len(told)}
    if len(np.unique(molecules)) < _AT_LEAST:
        return row
    top = take_out_answers(kept, positions)
    low, high = _interval(top.present, top.absent, molecules, n_bootstrap=n_bootstrap, seed=seed)
    row |= {"auroc": auroc(top.present, top.absent), "low": low, "high": high}
    right = [rank_against_ties(given, position) == 1 for given, position in zip(kept, positions, strict=True)]
    sure = top.present
    if temperature is not None:
        sure = np.array([highest_probability(given, temperature) for given in kept])
        others = [np.delete(given, position) for given, position in zip(kept, positions, strict=True)]
        absent = np.array([highest_probability(given, temperature) for given in others])
        row |= {
            "auroc_probability": auroc(sure, absent),
            "calibration_error": expected_calibration_error(sure, right),
        }
    row["risk_coverage_area"] = risk_coverage(sure, right).area
    return row | _conformal(kept, positions, molecules.tolist(), error_rate=error_rate, seed=seed)


def conformal_notes(rows: Sequence[Mapping[str, Any]], *, error_rate: float = ERROR_RATE) -> list[str]:
    """Return a sentence for every row of `answer_absent_table` whose conformal sets hold every candidate."""
    needed = math.ceil(round(1 / error_rate, 9)) - 1
    return [
        f"{row['ranker']}: the conformal sets of {row['conformal_unbounded_splits']} of {N_SPLITS} splits hold every "
        f"candidate, so that their coverage says nothing; {row['conformal_calibration_molecules']} molecules set the "
        f"threshold, and an error rate of {error_rate:g} needs at least {needed}."
        for row in rows
        if row["conformal_unbounded_splits"]
    ]


def _conformal(
    scores: Scores, positions: Sequence[int], molecules: Sequence[str], *, error_rate: float, seed: int
) -> dict[str, float | None]:
    found = conformal_splits(scores, positions, molecules, error_rate=error_rate, seed=seed)
    return {
        "conformal_coverage": found.coverage,
        "conformal_coverage_deviation": found.coverage_deviation,
        "conformal_size": found.size,
        "conformal_size_deviation": found.size_deviation,
        "conformal_empty": found.empty,
        "conformal_calibration_molecules": found.n_calibration_molecules,
        "conformal_tested": found.n_tested,
        "conformal_unbounded_splits": found.n_unbounded,
    }


def _can_be_told(scores: NDArray[np.floating], position: int) -> bool:
    """Return whether the answer is scored, and another candidate is."""
    return not np.isnan(scores[position]) and int(np.count_nonzero(~np.isnan(scores))) >= _AT_LEAST


def _interval(
    present: NDArray[np.float64],
    absent: NDArray[np.float64],
    molecules: NDArray[np.str_],
    *,
    n_bootstrap: int,
    seed: int,
) -> tuple[float | None, float | None]:
    """Return the 95 % percentile interval of the AUROC, molecules drawn with all their queries."""
    if not n_bootstrap:
        return None, None
    rng = np.random.default_rng(seed)
    codes = np.unique(molecules, return_inverse=True)[1]
    rows_of = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    found = []
    for _ in range(n_bootstrap):
        rows = np.concatenate([rows_of[i] for i in rng.integers(len(rows_of), size=len(rows_of))])
        found.append(auroc(present[rows], absent[rows]))
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)
