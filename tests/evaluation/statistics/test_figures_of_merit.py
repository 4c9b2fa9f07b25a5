import math

import numpy as np
import pytest

from diptych.errors import EvaluationError
from diptych.evaluation.results.query_results import QueryResults
from diptych.evaluation.statistics.figures_of_merit import figures_of_merit, summarised, values_per_query


def results(
    ranks: list[float], *, targets: str, lengths: list[int] | None = None, **numbers: list[float]
) -> QueryResults:
    n = len(ranks)
    unknown = np.full(n, math.nan)
    return QueryResults(
        queries=tuple(map(str, range(n))),
        targets=tuple(targets),
        ranks=np.array(ranks, dtype=float),
        n_candidates=np.array(lengths or [10] * n),
        target_scores=unknown,
        best_scores=unknown,
        best=("",) * n,
        numbers={name: np.array(values) for name, values in numbers.items()},
    )


def test_figures_worked_out_by_hand():
    found = figures_of_merit(
        results(
            [1, 4, math.inf], targets="AAB", lengths=[10, 10, 4], tanimoto=[1, 0.4, math.nan], mces=[0, 20, math.nan]
        ),
        ks=(1, 5),
        n_bootstrap=20,
    )
    assert found["hit_rate@5"].spectrum == pytest.approx(2 / 3)
    assert found["hit_rate@5"].molecule == pytest.approx(1 / 2)
    assert found["precision@5"].spectrum == pytest.approx(2 / 15)
    assert found["mrr"].spectrum == pytest.approx((1 + 1 / 4) / 3)
    assert found["rank"].spectrum == pytest.approx((1 + 4 + 5) / 3)
    assert found["chance@1"].spectrum == pytest.approx((0.1 + 0.1 + 0.25) / 3)
    assert found["chance@5"].spectrum == pytest.approx((0.5 + 0.5 + 1) / 3)
    assert found["tanimoto"].spectrum == pytest.approx(1.4 / 3)
    assert found["mces"].spectrum == pytest.approx((0 + 15 + 15) / 3)


def test_the_figures_that_are_not_known_are_left_out():
    assert "tanimoto" not in values_per_query(results([1], targets="A"))


def test_one_molecule_has_figures_without_an_interval():
    found = figures_of_merit(results([1, 2], targets="AA"), n_bootstrap=20)["hit_rate@1"]
    assert found.spectrum == 0.5
    assert math.isnan(found.low)
    assert math.isnan(found.molecule_high)


def test_no_query_is_an_error():
    with pytest.raises(EvaluationError, match="no query to summarise"):
        summarised({"x": np.empty(0)}, molecules=[])
