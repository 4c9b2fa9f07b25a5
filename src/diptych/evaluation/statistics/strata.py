"""Hit rates of queries that have something in common: the same adduct, about as many peaks, a formula seen before."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from diptych.evaluation.statistics.against_controls import Against, group_rate

if TYPE_CHECKING:
    from diptych.evaluation.results.query_results import QueryResults

UNKNOWN = "unknown"
OTHERS = "others"

EDGES: Mapping[str, tuple[float, ...]] = {
    "collision_energy": (0, 10, 20, 30, 40, 60),
    "normalised_collision_energy": (0, 20, 40, 60, 90),
    "n_peaks": (1, 5, 10, 20, 50, 100),
    "precursor_mz": (0, 150, 250, 350, 500, 700),
    "nearest_training": (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.85),
    "ring_systems": (0, 1, 2, 3, 4),
    "n_candidates": (1, 2, 5, 10, 20, 50, 100, 256),
}
"""Columns of numbers, and the borders of their bins; a bin reaches from one border to just below the next."""

_WHOLE = {"n_peaks", "ring_systems", "n_candidates"}

COLUMNS = (
    "adduct",
    "polarity",
    "instrument_class",
    "collision_energy",
    "normalised_collision_energy",
    "n_peaks",
    "precursor_mz",
    "ring_systems",
    "structural_class",
    "formula_seen",
    "scaffold_seen",
    "nearest_training",
    "contributor",
)
"""The columns by which errors are shown, where the results have them."""

_TITLES = {
    "n_peaks": "peaks",
    "precursor_mz": "precursor m/z",
    "collision_energy": "collision energy (eV)",
    "nearest_training": "Tanimoto to training",
}


def column_title(column: str) -> str:
    """Return what people are told a column is called.

    Examples
    --------
    >>> column_title("precursor_mz"), column_title("ring_systems")
    ('precursor m/z', 'ring systems')
    """
    return _TITLES.get(column, column.replace("_", " "))


class _How(TypedDict):
    controls: Sequence[str]
    k: int
    n_bootstrap: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class Stratum:
    """Queries with one value of one column.

    Attributes
    ----------
    column, label
        Which.
    n_queries, n_molecules
        How many; a bin of numbers may be empty, then every figure is NaN.
    hit_rate, low, high
        With its 95 % interval over molecules; NaN ends of one molecule.
    chance
        Hit rate of random scores in these lists.
    against
        Controls on the same queries, and the method less each.
    """

    column: str
    label: str
    n_queries: int
    n_molecules: int
    hit_rate: float = math.nan
    low: float = math.nan
    high: float = math.nan
    chance: float = math.nan
    against: tuple[Against, ...] = ()

    @property
    def is_small(self) -> bool:
        """Whether it is of fewer than 20 molecules, of which no interval should be believed."""
        return self.n_molecules < 20


def by_stratum(
    results: QueryResults,
    column: str,
    *,
    k: int = 1,
    at_most: int = 12,
    controls: Sequence[str] = (),
    n_bootstrap: int = 2000,
    seed: int = 0,
) -> list[Stratum]:
    """Return the hit rate of every stratum of a column; together they hold every query once.

    Parameters
    ----------
    results
        Of one method.
    column
        Of metadata, or ``n_candidates``. Columns of `EDGES` are numbers, divided into bins of which the empty are
        listed too; of others the commonest values are told apart, the rest are ``others``. What is not known,
        or no number where one belongs, is the stratum ``unknown``.
    k
        Of the hit rate.
    at_most
        Values of a column that are told apart.
    controls
        Of the table, to stand beside: `strongest_controls`.
    n_bootstrap, seed
        Of the intervals.
    """
    labels = labels_of(results, column, at_most=at_most)
    how: _How = {"controls": controls, "k": k, "n_bootstrap": n_bootstrap, "seed": seed}
    found = [
        _stratum(results.take([given == label for given in labels]), column, label, how)
        for label in _order(labels, column)
    ]
    return [stratum for stratum in found if stratum.n_queries or stratum.label not in {UNKNOWN, OTHERS}]


def labels_of(results: QueryResults, column: str, *, at_most: int = 12) -> list[str]:
    """Return the stratum of every query."""
    values = tuple(map(str, results.n_candidates)) if column == "n_candidates" else results.text(column)
    if column in EDGES:
        return [_bin_of(value, column) for value in values]
    common = [value for value, _ in Counter(value for value in values if value).most_common(at_most)]
    return [(value if value in common else OTHERS) if value else UNKNOWN for value in values]


def _stratum(results: QueryResults, column: str, label: str, how: _How) -> Stratum:
    if not len(results):
        against = tuple(Against(name=name) for name in how["controls"])
        return Stratum(column=column, label=label, n_queries=0, n_molecules=0, against=against)
    found = group_rate(results, how["controls"], k=how["k"], n_bootstrap=how["n_bootstrap"], seed=how["seed"])
    return Stratum(
        column=column,
        label=label,
        n_queries=len(results),
        n_molecules=results.n_molecules,
        hit_rate=found.hit_rate,
        low=found.low,
        high=found.high,
        chance=float(results.random_hits(how["k"]).mean()),
        against=found.against,
    )


def _order(labels: Sequence[str], column: str) -> list[str]:
    """Return the labels of a column: bins ascending, or values by how common they are; then the rest."""
    if column in EDGES:
        return [*_bin_labels(column), UNKNOWN]
    counts = Counter(label for label in labels if label not in {UNKNOWN, OTHERS})
    return [*sorted(counts, key=lambda label: (-counts[label], label)), OTHERS, UNKNOWN]


def _bin_labels(column: str) -> list[str]:
    last = f"{EDGES[column][-1]:g} and more"
    return [_bin_label(low, high, whole=column in _WHOLE) for low, high in pairwise(EDGES[column])] + [last]


def _bin_label(low: float, high: float, *, whole: bool) -> str:
    if not whole:
        return f"{low:g} to < {high:g}"
    return f"{low:g}" if high - low == 1 else f"{low:g} to {high - 1:g}"


def _bin_of(value: str, column: str) -> str:
    try:
        number = float(value)
    except ValueError:
        return UNKNOWN
    position = int(np.searchsorted(np.asarray(EDGES[column], dtype=np.float64), number, side="right")) - 1
    return UNKNOWN if position < 0 or math.isnan(number) else _bin_labels(column)[position]
