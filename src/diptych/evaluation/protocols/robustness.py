"""Robustness: what is left of the hit rate as the spectra of the queries are spoiled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from diptych.evaluation.evaluation import MetricValue, evaluate
from diptych.evaluation.protocols.perturbations import STRENGTHS, OtherEnergies, Perturbation

if TYPE_CHECKING:
    from diptych.ranking.query import Query
    from diptych.ranking.ranking import Ranker
    from diptych.spectra.spectrum import Spectrum

_OTHER_ENERGY = "other_energy_ev"


@dataclass(frozen=True, kw_only=True)
class RobustnessRow:
    """What one ranker reaches on spoiled spectra.

    Attributes
    ----------
    ranker, perturbation, strength
        Of what. ``perturbation`` is "none" for the spectra as they were measured.
    n_queries, n_molecules
        That were asked.
    n_without_peaks
        Queries whose spectrum was left without any peak (or had none): they stay, a miss for whoever needs peaks.
    metrics
        As those of an evaluation.
    """

    ranker: str
    perturbation: str
    strength: float
    n_queries: int
    n_molecules: int
    n_without_peaks: int
    metrics: Mapping[str, MetricValue]

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON-able data; an interval that is unknown is None."""
        metrics = {
            name: {key: number if np.isfinite(number) else None for key, number in asdict(value).items()}
            for name, value in self.metrics.items()
        }
        fields = ("ranker", "perturbation", "strength", "n_queries", "n_molecules", "n_without_peaks")
        return {name: getattr(self, name) for name in fields} | {"metrics": metrics}


def default_perturbations(*, seed: int = 0) -> list[Perturbation]:
    """Return every perturbation at each of its usual strengths."""
    return [
        Perturbation(name=name, strength=strength, seed=seed)
        for name, strengths in STRENGTHS.items()
        for strength in strengths
    ]


def robustness(
    ranker: Ranker,
    queries: Sequence[Query],
    *,
    perturbations: Sequence[Perturbation] | None = None,
    n_bootstrap: int = 2000,
    seed: int = 0,
) -> list[RobustnessRow]:
    """Return the metrics of a ranker on spectra as measured, then on spectra spoiled in each way.

    Every row is of the same queries; the lists stay as they are, and so does what the ranker learned from.

    Raises
    ------
    EvaluationError
        There is no query, or the ranker gave scores of a wrong shape.
    """
    chosen = default_perturbations(seed=seed) if perturbations is None else perturbations
    how = {"n_bootstrap": n_bootstrap, "seed": seed}
    rows = [_row(ranker, queries, "none", 0.0, **how)]
    for perturbation in chosen:
        spoiled = [replace(query, spectrum=perturbation(query.spectrum)) for query in queries]
        rows.append(_row(ranker, spoiled, perturbation.name, perturbation.strength, **how))
    return rows


def energy_robustness(
    ranker: Ranker,
    queries: Sequence[Query],
    *,
    pool: Mapping[str, tuple[Spectrum, ...]] | None = None,
    distances_ev: Sequence[float] = (5.0, 15.0, 30.0),
    n_bootstrap: int = 2000,
    seed: int = 0,
) -> list[RobustnessRow]:
    """Return the metrics where each spectrum is replaced by its nearest replicate at another collision energy.

    Parameters
    ----------
    ranker, queries
        Who is asked what.
    pool
        First block -> spectra that may take a query's place: of the same adduct and instrument type, at an energy at
        least so many eV away. None: the queries themselves.
    distances_ev
        Least distances of energy.
    n_bootstrap, seed
        Of the intervals.

    Returns
    -------
    list
        Two rows per distance: "none" for the queries that have such a replicate, as they were measured, and the same
        queries replaced. A distance that no query has is left out.
    """
    energies = OtherEnergies.of(_by_molecule(queries) if pool is None else pool)
    how = {"n_bootstrap": n_bootstrap, "seed": seed}
    rows = []
    for distance in distances_ev:
        found = [energies.nearest(query.target, query.spectrum, at_least_ev=distance) for query in queries]
        pairs = [(query, other) for query, other in zip(queries, found, strict=True) if other is not None]
        if not pairs:
            continue
        rows.append(_row(ranker, [query for query, _ in pairs], "none", distance, **how))
        moved = [replace(query, spectrum=other) for query, other in pairs]
        rows.append(_row(ranker, moved, _OTHER_ENERGY, distance, **how))
    return rows


def robustness_lines(rows: Sequence[RobustnessRow]) -> list[str]:
    """Return the rows as a Markdown table, in %."""
    lines = [
        "| ranker | perturbation | strength | queries | without peaks | @1 | 95 % | @5 | MRR |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        first = row.metrics["hit_rate@1"]
        interval = "" if np.isnan(first.low) else f"{100 * first.low:.1f} to {100 * first.high:.1f}"
        others = (f"{100 * row.metrics[name].spectrum:.1f}" for name in ("hit_rate@5", "mrr"))
        counts = (f"{row.n_queries:,}", f"{row.n_without_peaks:,}")
        cells = (row.ranker, row.perturbation, f"{row.strength:g}", *counts)
        lines.append(f"| {' | '.join((*cells, f'{100 * first.spectrum:.1f}', interval, *others))} |")
    return lines


def _by_molecule(queries: Sequence[Query]) -> dict[str, tuple[Spectrum, ...]]:
    found: dict[str, tuple[Spectrum, ...]] = {}
    for query in queries:
        found[query.target] = (*found.get(query.target, ()), query.spectrum)
    return found


def _row(
    ranker: Ranker, queries: Sequence[Query], perturbation: str, strength: float, *, n_bootstrap: int, seed: int
) -> RobustnessRow:
    evaluation = evaluate(ranker, queries, n_bootstrap=n_bootstrap, seed=seed)
    return RobustnessRow(
        ranker=ranker.name,
        perturbation=perturbation,
        strength=strength,
        n_queries=len(queries),
        n_molecules=evaluation.n_molecules,
        n_without_peaks=sum(not query.spectrum.n_peaks for query in queries),
        metrics=evaluation.metrics,
    )
