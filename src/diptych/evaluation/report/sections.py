"""What a report says of saved results, section by section: a remark, a table, a picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diptych.evaluation.report import figures_report
from diptych.evaluation.report.groups import length_section, strata_sections
from diptych.evaluation.report.section import Section
from diptych.evaluation.report.tables import COMPARED, comparison_legend, comparison_row
from diptych.evaluation.results.query_results import QueryResults
from diptych.evaluation.statistics.answer_absent import auroc as auroc_of
from diptych.evaluation.statistics.answer_absent import expected_calibration_error, risk_coverage, take_out_answers
from diptych.evaluation.statistics.comparison_table import compare
from diptych.evaluation.statistics.figures_of_merit import figures_of_merit
from diptych.evaluation.statistics.metrics import hits
from diptych.evaluation.statistics.pair_scores import PairCurve, pair_curve
from diptych.evaluation.statistics.unscored import unscored_line

if TYPE_CHECKING:
    from diptych.evaluation.evaluation import MetricValue
    from diptych.evaluation.results.scores import CandidateScores

_EXTRA = {"tanimoto": "Tanimoto of first", "mces": "MCES of first"}
_MCES = {
    "bound": "the bound below it by neighbourhoods",
    "exact": "exact up to 15",
    "": "as its table has it, exact or a bound",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Method:
    """Saved results of one method.

    Attributes
    ----------
    results
        Its table.
    scores
        Of all candidates; None where they were not saved.
    mces
        Which MCES distance the table has: ``bound`` or ``exact``; empty where that is not known.
    saved_as
        What its report calls it; empty where that is not known.
    """

    results: QueryResults
    scores: CandidateScores | None = None
    mces: str = ""
    saved_as: str = ""


def result_sections(methods: Mapping[str, Method], *, n_bootstrap: int = 10_000, seed: int = 0) -> list[Section]:
    """Return everything that follows from saved results alone.

    Parameters
    ----------
    methods
        Name -> results; the first is the one reported, the others stand beside it, as do the controls in its table.
    n_bootstrap, seed
        Of intervals and p-values.
    """
    first = next(iter(methods.values()))
    bootstrap = {"n_bootstrap": n_bootstrap, "seed": seed}
    tables = {name: method.results for name, method in methods.items()}
    every = tables | {
        name: _of_ranks(first.results, ranks)
        for name, ranks in first.results.control_ranks.items()
        if name not in tables and not _stands_there(name, ranks, list(methods.values()))
    }
    found = [
        _figures(every, said=_which_mces(methods) + _which_unscored(methods), **bootstrap),
        _differences(every, **bootstrap),
        Section(
            title="Rank curves",
            text="Fraction of answers among the first k, by spectrum.",
            picture=figures_report.rank_curves(
                {name: results.ranks for name, results in every.items()}, first.results.random_hits
            ),
        ),
        *_scores(methods),
        *_confidence(tables, methods),
        length_section(tables, **bootstrap),
        *strata_sections(tables, **bootstrap),
    ]
    return [section for section in found if section.rows or section.picture]


def _of_ranks(results: QueryResults, ranks: Any) -> QueryResults:  # noqa: ANN401 - an array of ranks
    unknown = np.full(len(results), np.nan)
    return replace(
        results,
        ranks=ranks,
        target_scores=unknown,
        best_scores=unknown,
        best=("",) * len(results),
        numbers={name: values for name, values in results.numbers.items() if name == "n_structures"},
        texts={name: values for name, values in results.texts.items() if name == "target_listed"},
        control_ranks={},
        metadata={},
    )


def _which_mces(methods: Mapping[str, Method]) -> str:
    """Return a sentence that says which MCES distance is shown of which method; empty where none is."""
    kinds: dict[str, list[str]] = {}
    for name, method in methods.items():
        if "mces" in method.results.numbers:
            kinds.setdefault(_MCES.get(method.mces, _MCES[""]), []).append(name)
    return "".join(f" The MCES distance of {', '.join(names)} is {kind}." for kind, names in kinds.items())


def _which_unscored(methods: Mapping[str, Method]) -> str:
    lines = {
        name: unscored_line(method.results.ranks, method.scores.per_query)
        for name, method in methods.items()
        if method.scores is not None
    }
    return "".join(f" {name}: {line}." for name, line in lines.items() if line)


def _stands_there(control: str, ranks: NDArray[np.float64], methods: Sequence[Method]) -> bool:
    """Return whether a control of the first results is one of the others, whatever that is called here."""
    return any(
        one.saved_as == control
        and one.results.queries == methods[0].results.queries
        and np.array_equal(one.results.ranks, ranks)
        for one in methods[1:]
    )


def _figures(methods: Mapping[str, QueryResults], *, said: str, n_bootstrap: int, seed: int) -> Section:
    values = {name: figures_of_merit(results, n_bootstrap=n_bootstrap, seed=seed) for name, results in methods.items()}
    header = ("method", "queries", "molecules", "@1", "@5", "@20", "MRR = MAP", "mean rank", "@1 by molecule")
    extra = [name for name in _EXTRA if any(name in found for found in values.values())]
    rows = [
        (
            name,
            f"{len(methods[name]):,}",
            f"{methods[name].n_molecules:,}",
            *(_percent(found[key]) for key in ("hit_rate@1", "hit_rate@5", "hit_rate@20", "mrr")),
            f"{found['rank'].spectrum:.1f}",
            f"{100 * found['hit_rate@1'].molecule:.1f}",
            *(f"{found[key].spectrum:.2f}" if key in found else "" for key in extra),
        )
        for name, found in values.items()
    ]
    return Section(
        title="Figures of merit",
        text="In %, by spectrum unless said otherwise, with 95 % BCa intervals over molecules; ties count against the "
        "answer, a missing answer is a miss. One candidate alone is right, so recall at k is the hit rate, "
        "precision at k a k-th of it. Tanimoto and MCES distance are those of the first candidate to the answer."
        + said,
        header=(*header, *(_EXTRA[key] for key in extra)),
        rows=rows,
        data={name: {key: _numbers(value) for key, value in found.items()} for name, found in values.items()},
    )


def _differences(methods: Mapping[str, QueryResults], *, n_bootstrap: int, seed: int) -> Section:
    first = next(iter(methods))
    found = compare(methods, against=first, n_bootstrap=n_bootstrap, seed=seed) if len(methods) > 1 else []
    return Section(
        title=f"Differences to {first}",
        text="Hit rate at 1 of each method less that of the first, in points, on the queries of both. "
        + comparison_legend(found),
        header=("method", *COMPARED),
        rows=[comparison_row(one, name=one.first) for one in found],
        data=[
            {
                "method": one.first,
                "difference": one.difference,
                "p_adjusted": _known(one.p_adjusted),
                "p_floor": one.p_floor,
                "p_mcnemar": _known(one.p_mcnemar),
                "p_mcnemar_adjusted": _known(one.p_mcnemar_adjusted),
            }
            for one in found
        ],
    )


def _scores(methods: Mapping[str, Method]) -> list[Section]:
    scored = {name: method.scores for name, method in methods.items() if method.scores is not None}
    curves: dict[str, PairCurve] = {
        name: pair_curve(scores.scores, scores.is_target) for name, scores in scored.items() if not _no_curve(scores)
    }
    found = [
        Section(
            title="Scores of answers and of other candidates",
            text="Over all queries together. A score that means the same in every query tells the two apart here, too.",
            picture=figures_report.score_distributions({name: scored[name] for name in curves}) if curves else "",
        ),
        Section(
            title="Pair scores",
            text="Each pair of a spectrum and a candidate, right or wrong, over all queries together; by chance "
            "average precision is the prevalence."
            + "".join(f" {name} has no curve: {_no_curve(scored[name])}." for name in scored if name not in curves),
            header=("method", "AUROC", "average precision", "prevalence", "pairs without score"),
            rows=[_pair_row(name, scores, curves.get(name)) for name, scores in scored.items()],
            picture=figures_report.pair_curves(curves) if curves else "",
            data={
                name: {
                    "auroc": curve.auroc,
                    "average_precision": curve.average_precision,
                    "prevalence": curve.prevalence,
                }
                for name, curve in curves.items()
            },
        ),
    ]
    return found if scored else []


def _no_curve(scores: CandidateScores) -> str:
    """Return why there is nothing to draw of scores; empty where there is something."""
    n_right = int(scores.is_target.sum())
    if not np.isfinite(scores.scores).any():
        return "no candidate has a score"
    return "" if 0 < n_right < scores.scores.size else f"{n_right:,} of {scores.scores.size:,} pairs are right"


def _pair_row(name: str, scores: CandidateScores, curve: PairCurve | None) -> tuple[str, ...]:
    if curve is None:
        return name, "–", "–", "–", f"{int(np.isnan(scores.scores).sum()):,}"
    figures = (curve.auroc, curve.average_precision, curve.prevalence)
    return name, *(f"{figure:.3f}" for figure in figures), f"{curve.n_unscored:,}"


def _confidence(tables: Mapping[str, QueryResults], methods: Mapping[str, Method]) -> list[Section]:
    stated = {name: results for name, results in tables.items() if not np.isnan(results.number("probability")).all()}
    if not stated:
        return []
    data = {name: _trust(results, methods[name].scores) for name, results in stated.items()}
    return [
        Section(
            title="Confidence",
            text="Left: stated probability of the first candidate against how often it is right, points as large as "
            "their "
            "bins. Right: what is wrong if only the surest are answered. Probabilities presuppose that the answer "
            "is in the "
            "list; the last column is how well the best score tells lists with their answer from the same without it.",
            header=(
                "method",
                "queries",
                "calibration error",
                "area under risk-coverage",
                "AUROC answer present / absent",
            ),
            rows=[
                (
                    name,
                    f"{found['queries']:,}",
                    f"{found['calibration_error']:.3f}",
                    f"{found['risk_coverage_area']:.3f}",
                    "" if found["absent_auroc"] is None else f"{found['absent_auroc']:.3f}",
                )
                for name, found in data.items()
            ],
            picture=figures_report.confidence(stated),
            data=data,
        )
    ]


def _trust(results: QueryResults, scores: CandidateScores | None) -> dict[str, Any]:
    probability, right = results.number("probability"), hits(1, results.ranks)
    known = ~np.isnan(probability)
    top = None if scores is None else take_out_answers(scores.per_query, scores.positions)
    return {
        "queries": int(known.sum()),
        "calibration_error": expected_calibration_error(probability[known], right[known]),
        "risk_coverage_area": risk_coverage(probability[known], right[known]).area,
        "absent_auroc": None if top is None else _known(auroc_of(top.present, top.absent)),
    }


def _percent(value: MetricValue) -> str:
    shown = f"{100 * value.spectrum:.1f}"
    return shown if math.isnan(value.low) else f"{shown} ({100 * value.low:.1f} to {100 * value.high:.1f})"


def _numbers(value: MetricValue) -> dict[str, float | None]:
    fields = ("spectrum", "low", "high", "molecule", "molecule_low", "molecule_high")
    return {name: _known(getattr(value, name)) for name in fields}


def _known(number: float) -> float | None:
    return float(number) if math.isfinite(number) else None
