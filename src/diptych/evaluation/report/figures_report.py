"""The pictures of a report; each function draws saved results and returns one SVG element."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from diptych.evaluation.report.figures import COLOURS, GREY, colour_of, drawing, panels, svg
from diptych.evaluation.statistics.answer_absent import risk_coverage
from diptych.evaluation.statistics.metrics import hits
from diptych.evaluation.statistics.pair_scores import PairCurve

if TYPE_CHECKING:
    from diptych.evaluation.results.query_results import QueryResults
    from diptych.evaluation.results.scores import CandidateScores

_KS = (1, 2, 3, 4, 5, 7, 10, 14, 20, 30, 50, 100, 256)
_CALIBRATION_BINS = 10
_REST = "any other"
_CURVE_POINTS = 400
_LINE_STYLES = ("-", ":", "-.")
_LEAST_COVERAGE = 0.01  # of fewer answers the risk is noise


def rank_curves(methods: Mapping[str, ArrayLike], chance: Callable[[int], NDArray[np.float64]]) -> str:
    """Return the hit rate at every k, one line a method, beside that of random scores in the same lists.

    Parameters
    ----------
    methods
        Name -> ranks.
    chance
        Return the chance of a hit at k of each query of the first method.
    """
    with drawing(6.4, 3.8) as (figure, axes):
        for number, (name, ranks) in enumerate(methods.items()):
            rates = [100 * hits(k, ranks).mean() for k in _KS]
            style = _LINE_STYLES[number // (len(COLOURS) - 1) % len(_LINE_STYLES)]
            axes.plot(_KS, rates, color=colour_of(number), linestyle=style, marker="o", markersize=3, label=name)
        axes.plot(_KS, [100 * chance(k).mean() for k in _KS], color=GREY, linestyle="--", linewidth=1, label="chance")
        axes.set_xscale("log")
        axes.set_xticks([1, 5, 20, 100, 256], ["1", "5", "20", "100", "256"])
        axes.minorticks_off()
        axes.set(xlabel="k", ylabel="answers among the first k (%)", ylim=(0, 101))
        figure.legend(loc="outside right upper")
        return svg(figure, "ranks")


def score_distributions(methods: Mapping[str, CandidateScores]) -> str:
    """Return for every method how the finite scores of answers and of other candidates are distributed."""
    with panels(len(methods), columns=2, width=3.3, height=2.4) as (figure, every):
        for axes, (name, scores) in zip(every, methods.items(), strict=True):
            known = np.isfinite(scores.scores)
            edges = np.histogram_bin_edges(scores.scores[known], bins=60).tolist()
            for mask, colour, label in (
                (~scores.is_target, GREY, "other candidates"),
                (scores.is_target, COLOURS[0], "answers"),
            ):
                values = scores.scores[known & mask]
                if not values.size:
                    continue
                axes.hist(values, bins=edges, density=True, color=colour, alpha=0.55, label=label)
            axes.set(xlabel="score", ylabel="density", title=name)
        figure.legend(*every[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
        return svg(figure, "scores")


def pair_curves(curves: Mapping[str, PairCurve]) -> str:
    """Return ROC and precision-recall curves of pair scores, one line a method."""
    with panels(2, columns=2, width=3.3, height=3.0) as (figure, (roc, recall)):
        for number, (name, curve) in enumerate(curves.items()):
            some = np.unique(np.linspace(0, curve.threshold.size - 1, _CURVE_POINTS).astype(int))
            roc.plot(
                np.append(0, curve.false_positive_rate[some]),
                np.append(0, curve.true_positive_rate[some]),
                color=colour_of(number),
                label=name,
            )
            # By recall, as most of the curve's levels lie at its end.
            steps = np.searchsorted(curve.true_positive_rate, np.linspace(0.002, 1, _CURVE_POINTS), side="left")
            steps = np.minimum(steps, curve.threshold.size - 1)
            recall.plot(curve.true_positive_rate[steps], curve.precision[steps], color=colour_of(number))
            recall.axhline(curve.prevalence, color=GREY, linewidth=0.8, linestyle="--")
        roc.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle="--")
        roc.set(xlabel="false positive rate", ylabel="true positive rate", xlim=(0, 1), ylim=(0, 1.01))
        recall.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.01))
        figure.legend(loc="outside lower center", ncols=3)
        return svg(figure, "pairs")


def confidence(methods: Mapping[str, QueryResults]) -> str:
    """Return reliability (stated probability against fraction right) and risk against coverage, one line a method."""
    with panels(2, columns=2, width=3.3, height=3.0) as (figure, (reliability, risk)):
        for number, (name, results) in enumerate(methods.items()):
            probability, right = results.number("probability"), hits(1, results.ranks)
            known = ~np.isnan(probability)
            stated, correct, counts = _reliability(probability[known], right[known])
            reliability.plot(stated, correct, color=colour_of(number), linewidth=1.2, label=name)
            sizes = 6 + 60 * counts / counts.max()
            reliability.scatter(stated, correct, s=sizes, color=colour_of(number), edgecolors="white", zorder=3)
            curve = risk_coverage(probability[known], right[known])
            told = curve.coverage >= _LEAST_COVERAGE
            risk.plot(100 * curve.coverage[told], 100 * curve.risk[told], color=colour_of(number))
        reliability.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle="--")
        reliability.set(xlabel="stated probability of the first", ylabel="fraction right", xlim=(0, 1), ylim=(0, 1))
        risk.set(
            xlabel="queries answered, the surest first (%)", ylabel="of these wrong (%)", xlim=(0, 100), ylim=(0, 100)
        )
        figure.legend(loc="outside lower center", ncols=3)
        return svg(figure, "confidence")


def _reliability(
    probability: NDArray[np.float64], right: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return mean probability, fraction right and size of every bin that holds a query."""
    bins = np.minimum((probability * _CALIBRATION_BINS).astype(int), _CALIBRATION_BINS - 1)
    counts = np.bincount(bins, minlength=_CALIBRATION_BINS).astype(float)
    filled = counts > 0
    stated = np.bincount(bins, weights=probability, minlength=_CALIBRATION_BINS)[filled] / counts[filled]
    correct = np.bincount(bins, weights=right, minlength=_CALIBRATION_BINS)[filled] / counts[filled]
    return stated, correct, counts[filled]


def split_ladder(rungs: Mapping[str, Mapping[str, tuple[float, float, float]]]) -> str:
    """Return hit rates at 1 by split, the easiest first.

    Parameters
    ----------
    rungs
        Split -> method -> hit rate, low, high as fractions.
    """
    names = list(dict.fromkeys(method for methods in rungs.values() for method in methods))
    with drawing(6.4, 3.2) as (figure, axes):
        spread = np.linspace(-0.18, 0.18, len(names)) if len(names) > 1 else np.zeros(1)
        for number, name in enumerate(names):
            places = [place + spread[number] for place, methods in enumerate(rungs.values()) if name in methods]
            values = 100 * np.array([methods[name] for methods in rungs.values() if name in methods])
            axes.vlines(places, values[:, 1], values[:, 2], color=colour_of(number), linewidth=1.2)
            axes.plot(places, values[:, 0], "o", color=colour_of(number), markersize=5, label=name)
        axes.set_xticks(range(len(rungs)), list(rungs))
        axes.set(ylabel="hit rate at 1 (%)", ylim=(0, 101), xlim=(-0.5, len(rungs) - 0.5))
        figure.legend(loc="outside right upper")
        return svg(figure, "ladder")


def maps(places: Mapping[str, NDArray[np.floating]], labels: Mapping[str, Sequence[str]]) -> str:
    """Return scatter plots of points in two dimensions: a row for every kind of label, a column for every map.

    Parameters
    ----------
    places
        Title -> float, of shape (n, 2).
    labels
        Title -> label of each point; the seven commonest have a colour, the rest are grey.
    """
    with panels(len(places) * len(labels), columns=len(places), width=3.3, height=3.0) as (figure, every):
        for number, (axes, (kind, title)) in enumerate(
            zip(every, ((kind, title) for kind in labels for title in places), strict=True)
        ):
            values = np.asarray(labels[kind])
            names, counts = np.unique(values, return_counts=True)
            common = names[np.argsort(-counts, kind="stable")][: len(COLOURS) - 2]
            rest = ~np.isin(values, common)
            x, y = places[title].T
            if rest.any():
                axes.scatter(x[rest], y[rest], s=4, color=GREY, linewidths=0, label=_REST, rasterized=True)
            for colour, name in enumerate(common):
                own = values == name
                axes.scatter(x[own], y[own], s=4, color=colour_of(colour), linewidths=0, label=name, rasterized=True)
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
            if number < len(places):
                axes.set_title(title)
            if number % len(places) == len(places) - 1:
                # The rest was drawn first, to lie below, and is named last.
                shown = sorted(zip(*axes.get_legend_handles_labels(), strict=True), key=lambda one: one[1] == _REST)
                axes.legend(
                    *zip(*shown, strict=True),
                    title=kind,
                    loc="center left",
                    bbox_to_anchor=(1.0, 0.5),
                    markerscale=2.5,
                    alignment="left",
                )
        return svg(figure, "maps")
