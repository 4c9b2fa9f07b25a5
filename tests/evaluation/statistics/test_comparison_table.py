import math
from dataclasses import replace

import numpy as np
import pytest

from diptych.errors import EvaluationError
from diptych.evaluation.results.query_results import QueryResults
from diptych.evaluation.statistics.comparison_table import adjusted, compare, holm, p_legend, paired_bootstrap, shown_p


def results(ranks: list[float], *, prefix: str = "q") -> QueryResults:
    n = len(ranks)
    unknown = np.full(n, math.nan)
    return QueryResults(
        queries=tuple(f"{prefix}{i}" for i in range(n)),
        targets=tuple(f"M{i}" for i in range(n)),
        ranks=np.array(ranks, dtype=float),
        n_candidates=np.full(n, 10),
        target_scores=unknown,
        best_scores=unknown,
        best=("",) * n,
    )


def test_holm_worked_out_by_hand():
    # Ascending 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1, each at least the one before it.
    np.testing.assert_allclose(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])


def test_a_test_that_could_not_be_made_does_not_count_as_one():
    np.testing.assert_array_equal(holm([0.01, math.nan]), [0.01, math.nan])


def test_methods_are_compared_on_the_queries_they_share():
    methods = {"base": results([2] * 30), "better": results([1] * 31), "same": results([2] * 30)}
    better, same = compare(methods, against="base", n_bootstrap=200)
    assert (better.first, better.second, better.n_queries) == ("better", "base", 30)
    assert (better.difference, better.only_first, better.only_second) == (1.0, 30, 0)
    assert better.p_bootstrap == pytest.approx(2 / 201)
    assert better.p_mcnemar == pytest.approx(2 * 0.5**30)
    assert better.p_adjusted == pytest.approx(2 * 2 / 201)
    assert better.mark == "*"
    assert (same.difference, same.p_adjusted, same.mark, same.is_significant) == (0.0, 1.0, "", False)


def test_mcnemar_s_p_values_are_adjusted_over_the_table_as_well():
    # The base hits the last two queries alone. Won and lost against it 8 and 0, 7 and 1, 8 and 1: by hand
    # 2 / 2^8, 2 (1 + 8) / 2^8 and 2 (1 + 9) / 2^9. Ascending times 3, 2, 1, each at least the one before it.
    base = results([2] * 8 + [1, 1])
    methods = {
        "base": base,
        "eight to none": results([1] * 10),
        "seven to one": results([1] * 7 + [2, 2, 1]),
        "eight to one": results([1] * 8 + [2, 1]),
    }
    found = compare(methods, against="base", n_bootstrap=20)
    assert [(one.only_first, one.only_second) for one in found] == [(8, 0), (7, 1), (8, 1)]
    assert [one.p_mcnemar for one in found] == pytest.approx([2 / 256, 18 / 256, 20 / 512])
    # 3 x 0.0078125, then 2 x 0.0390625, then 1 x 0.0703125, which may not be below the one before it.
    assert [one.p_mcnemar_adjusted for one in found] == pytest.approx([0.0234375, 0.078125, 0.078125])


def test_a_p_at_the_floor_of_its_resamples_is_given_as_a_bound():
    methods = {"base": results([2] * 30), "better": results([1] * 30), "same": results([2] * 30)}
    better, same = compare(methods, against="base", n_bootstrap=200)
    assert better.p_floor == same.p_floor == pytest.approx(2 * 2 / 201)
    assert shown_p(better.p_adjusted, floor=better.p_floor) == "≤ 0.02"
    assert shown_p(same.p_adjusted, floor=same.p_floor) == "1"
    (alone,) = adjusted([better])
    assert alone.p_floor == pytest.approx(2 / 201)
    assert shown_p(math.nan, floor=0.02) == "–"


def test_the_legend_states_the_floor_and_leaves_out_marks_that_cannot_be_reached():
    assert p_legend(10_000, n_comparisons=9) == (
        "Of 10,000 resamples and 9 comparisons no adjusted p of the bootstrap can be below 0.0018: one that stands "
        "there is given as ≤ 0.0018. By the bootstrap * < 0.05, ** < 0.01."
    )
    assert p_legend(10_000, n_comparisons=1).endswith("By the bootstrap * < 0.05, ** < 0.01, *** < 0.001.")
    assert p_legend(20, n_comparisons=1).endswith("No mark can be reached.")


def test_one_comparison_alone_is_not_adjusted():
    (only,) = compare({"base": results([2] * 8), "better": results([1] * 8)}, against="base", n_bootstrap=20)
    assert only.p_mcnemar_adjusted == only.p_mcnemar == pytest.approx(2 / 256)


def test_one_molecule_gives_no_p_value():
    assert np.isnan(paired_bootstrap(np.ones(3), ["A"] * 3)).all()


def test_methods_that_share_no_query_or_are_unknown_are_refused():
    methods = {"base": results([1, 2]), "other": results([1, 2], prefix="r")}
    with pytest.raises(EvaluationError, match="'other' and 'base' were asked no query in common"):
        compare(methods, against="base")
    with pytest.raises(EvaluationError, match="no method 'nearest' to compare with; expected one of base, other"):
        compare(methods, against="nearest")


@pytest.mark.parametrize(("n_molecules", "least"), [(2, 0.5), (3, 0.25), (8, 2**-7)])
def test_few_molecules_cannot_be_more_significant_than_their_signs(n_molecules: int, least: float):
    names = [f"M{number}" for number in range(n_molecules)]
    assert paired_bootstrap(np.ones(n_molecules), names)[2] == least
    # Two spectra that balance each other are no further molecule.
    assert paired_bootstrap(np.append(np.ones(n_molecules), [1.0, -1.0]), [*names, "A", "A"])[2] >= least


def test_queries_that_were_asked_among_other_lists_or_for_other_answers_are_left_out():
    first = results([1, 2])
    for other in (replace(first, n_candidates=np.array([10, 12])), replace(first, targets=("M0", "M2"))):
        (one,) = compare({"a": first, "b": other}, against="a", n_bootstrap=10)
        assert (one.n_queries, one.n_molecules) == (1, 1)


def test_methods_of_which_no_query_was_asked_alike_are_not_compared():
    first = results([1, 2])
    other = replace(first, n_candidates=np.array([11, 12]))
    with pytest.raises(EvaluationError, match=r"'q0' asks for M0 among 1\d candidates with .*, and no other query is"):
        compare({"a": first, "b": other}, against="a", n_bootstrap=10)
