"""A method beside its strongest control among queries that have something in common, where it may stand below it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from diptych.evaluation.statistics.bootstrap import bca_intervals, jackknife, resample
from diptych.evaluation.statistics.metrics import hits, sum_by_molecule

if TYPE_CHECKING:
    from diptych.evaluation.results.query_results import QueryResults

BLIND = "spectrum_blind"
_NO_BASELINES = frozenset({BLIND, "random", "shuffled_spectra", "formula_only"})
_ROUNDING = 1e-12


@dataclass(frozen=True, kw_only=True)
class Against:
    """A control on some queries, and the method less it.

    Attributes
    ----------
    name
        The control.
    hit_rate
        Of the control; NaN of no query, as everything else is.
    difference, low, high
        Hit rate of the method less that of the control, with the 95 % percentile interval of the paired bootstrap over
        molecules; NaN ends of one molecule.
    """

    name: str
    hit_rate: float = math.nan
    difference: float = math.nan
    low: float = math.nan
    high: float = math.nan

    @property
    def is_below(self) -> bool:
        """Whether the method stands below the control."""
        return self.difference < -_ROUNDING

    @property
    def is_wholly_below(self) -> bool:
        """Whether the whole interval of the difference is below 0."""
        return self.high < -_ROUNDING

    @property
    def mark(self) -> str:
        """``↓`` where the method stands below the control, ``↓↓`` where the whole interval does; empty elsewhere."""
        return "↓" * (self.is_below + (self.is_below and self.is_wholly_below))


class Group(Protocol):
    """Queries that have something in common."""

    @property
    def n_queries(self) -> int:
        """How many; a group may be empty."""

    @property
    def against(self) -> tuple[Against, ...]:
        """The controls beside the method, the same in every group."""


@dataclass(frozen=True, kw_only=True)
class GroupRate:
    """Hit rate of a method on some queries.

    Attributes
    ----------
    hit_rate, low, high
        With its 95 % BCa interval over molecules; NaN ends of one molecule.
    against
        Controls on the same queries.
    """

    hit_rate: float
    low: float
    high: float
    against: tuple[Against, ...]


def with_controls(results: QueryResults, others: Mapping[str, QueryResults]) -> QueryResults:
    """Return results with the ranks of other methods as controls, as far as those were asked all these queries."""
    ranks = dict(results.control_ranks)
    for name, other in others.items():
        row = {query: i for i, query in enumerate(other.queries)}
        if all(query in row for query in results.queries):
            ranks[name] = other.ranks[[row[query] for query in results.queries]]
    return replace(results, control_ranks=ranks)


def strongest_controls(results: QueryResults, *, k: int = 1) -> tuple[str, ...]:
    """Return the control of the highest hit rate over all queries, then the spectrum-blind one; as far as they are.

    ``random`` is no baseline (chance stands beside every figure), nor are the model's own controls
    ``spectrum_blind`` and ``shuffled_spectra``, nor ``formula_only``, which looks at the answer.
    """
    rates = {
        name: float(hits(k, ranks).mean()) for name, ranks in results.control_ranks.items() if name not in _NO_BASELINES
    }
    best = [max(rates, key=lambda name: rates[name])] if rates and len(results) else []
    return (*best, *(name for name in results.control_ranks if name == BLIND))


def group_rate(results: QueryResults, controls: Sequence[str], *, k: int, n_bootstrap: int, seed: int) -> GroupRate:
    """Return the hit rate of some queries, beside controls in their table; all from the same resamples.

    Parameters
    ----------
    results
        Of at least one query.
    controls
        Names of its ``control_ranks``.
    k
        Of the hit rate.
    n_bootstrap, seed
        Of the intervals.
    """
    hit = hits(k, results.ranks)
    others = [hits(k, results.control_ranks[name]) for name in controls]
    table = sum_by_molecule([hit, *(hit - other for other in others)], results.targets)
    low = high = np.full(1 + len(others), np.nan)
    if table.sizes.size > 1 and n_bootstrap > 0:
        resampled = resample(table, n_bootstrap=n_bootstrap, seed=seed).by_spectrum
        left_out = jackknife(table).by_spectrum[:, :1]
        own = bca_intervals(table.by_spectrum[:1], resampled[:, :1], left_out=left_out)
        ends = np.quantile(resampled[:, 1:], (0.025, 0.975), axis=0)
        low, high = np.append(own.low, ends[0]), np.append(own.high, ends[1])
    return GroupRate(
        hit_rate=float(table.by_spectrum[0]),
        low=float(low[0]),
        high=float(high[0]),
        against=tuple(
            Against(
                name=name,
                hit_rate=float(other.mean()),
                difference=float(table.by_spectrum[i]),
                low=float(low[i]),
                high=float(high[i]),
            )
            for i, (name, other) in enumerate(zip(controls, others, strict=True), start=1)
        ),
    )


def controls_named(groups: Iterable[Group]) -> tuple[str, ...]:
    """Return the controls that stand beside the method in these groups."""
    return next((tuple(one.name for one in group.against) for group in groups), ())


def against_said(groups: Sequence[Group]) -> str:
    """Return a sentence that names the controls beside the method, and says what marks mean; empty without any."""
    names = controls_named(groups)
    said = [f"{name} is the strongest of its controls over all queries" for name in names if name != BLIND]
    said += [f"{BLIND} is the same model without peaks" for name in names if name == BLIND]
    if not said:
        return ""
    return (
        f"{' and '.join(said)}. What the method stands above each is paired, with the 2.5th to 97.5th percentile of "
        "the bootstrap over molecules; ↓ where it stands below, ↓↓ where the whole interval does (not adjusted for how "
        "many there are)."
    )


def below_said(groups: Sequence[Group], *, of: str) -> str:
    """Return a sentence that counts the groups in which the method stands below a control; empty where in none.

    Parameters
    ----------
    groups
        With or without queries.
    of
        What they are called: ``strata``, ``bins``.
    """
    filled = [group for group in groups if group.n_queries]
    said = []
    for i, name in enumerate(controls_named(groups)):
        pairs = [group.against[i] for group in filled]
        n_below, n_wholly = sum(one.is_below for one in pairs), sum(one.mark == "↓↓" for one in pairs)
        if n_below:
            said.append(
                f"Below {name} in {n_below} of {len(filled)} {of}, in {n_wholly or 'none'} with the whole interval."
            )
    return " ".join(said)
