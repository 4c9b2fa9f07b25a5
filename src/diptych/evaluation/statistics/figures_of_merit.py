"""All figures of merit of saved results, by spectrum and by molecule, each with its interval over molecules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diptych.errors import EvaluationError
from diptych.evaluation.evaluation import MetricValue
from diptych.evaluation.statistics.bootstrap import molecule_intervals
from diptych.evaluation.statistics.metrics import counted_ranks, gains, sum_by_molecule

if TYPE_CHECKING:
    from diptych.evaluation.results.query_results import QueryResults

FARTHEST_MCES = 15.0
"""Distance that counts where nothing stood first; distances above it are counted as it."""


def values_per_query(results: QueryResults, *, ks: Sequence[int] = (1, 5, 20)) -> dict[str, NDArray[np.float64]]:
    """Return what each query contributes to each figure: name -> float64 of shape (n_queries,).

    Parameters
    ----------
    results
        Of one method.
    ks
        Of ``hit_rate@k`` and what is built of it.

    Notes
    -----
    ``hit_rate@k`` (which is recall@k), ``precision@k``, ``mrr`` (which is MAP, since one candidate alone is right),
    ``rank`` (a miss just below its list), ``chance@k`` (the hit rate of random scores in these lists), and where known
    ``tanimoto`` and ``mces`` of the first candidate to the answer. A query for which nothing stood first counts
    Tanimoto 0 and MCES 15.
    """
    values = gains(results.ranks, ks)
    values |= {f"precision@{k}": values[f"hit_rate@{k}"] / k for k in ks}
    values["rank"] = counted_ranks(results.ranks, results.n_candidates)
    values |= {f"chance@{k}": results.random_hits(k) for k in ks}
    if "tanimoto" in results.numbers:
        values["tanimoto"] = np.nan_to_num(results.numbers["tanimoto"], nan=0.0)
    if "mces" in results.numbers:
        values["mces"] = np.minimum(np.nan_to_num(results.numbers["mces"], nan=FARTHEST_MCES), FARTHEST_MCES)
    return values


def figures_of_merit(
    results: QueryResults, *, ks: Sequence[int] = (1, 5, 20), n_bootstrap: int = 2000, seed: int = 0
) -> dict[str, MetricValue]:
    """Return every figure of `values_per_query` as means by spectrum and by molecule, with 95 % BCa intervals.

    Raises
    ------
    EvaluationError
        There is no query.
    """
    return summarised(values_per_query(results, ks=ks), molecules=results.targets, n_bootstrap=n_bootstrap, seed=seed)


def summarised(
    values: Mapping[str, NDArray[np.float64]], *, molecules: Sequence[str], n_bootstrap: int = 2000, seed: int = 0
) -> dict[str, MetricValue]:
    """Return means of per-query values by spectrum and by molecule, with 95 % BCa intervals over molecules.

    One molecule has no interval: its ends are NaN.

    Raises
    ------
    EvaluationError
        There is no query.
    """
    if not len(molecules):
        raise EvaluationError("no query to summarise; expected at least one")
    table = sum_by_molecule(list(values.values()), molecules)
    spectrum, molecule = molecule_intervals(table, n_bootstrap=n_bootstrap, seed=seed)
    columns = (table.by_spectrum, table.by_molecule, spectrum.low, spectrum.high, molecule.low, molecule.high)
    return {
        name: MetricValue(
            spectrum=float(columns[0][i]),
            molecule=float(columns[1][i]),
            low=float(columns[2][i]),
            high=float(columns[3][i]),
            molecule_low=float(columns[4][i]),
            molecule_high=float(columns[5][i]),
        )
        for i, name in enumerate(values)
    }
