"""The pictures of queries that have something in common: hit rates by list length and by stratum, beside controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from diptych.evaluation.report.figures import COLOURS, GREY, colour_of, drawing, panels, svg
from diptych.evaluation.statistics.against_controls import BLIND, controls_named
from diptych.evaluation.statistics.strata import column_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from diptych.evaluation.statistics.list_length import LengthBin
    from diptych.evaluation.statistics.strata import Stratum

_CONTROL: tuple[dict[str, Any], dict[str, Any]] = (
    {
        "marker": "D",
        "color": "black",
        "markerfacecolor": "white",
        "markersize": 4,
        "linestyle": "none",
    },
    {"marker": "x", "color": "black", "markersize": 4, "linestyle": "none"},
)
"""How a baseline is drawn, and the spectrum-blind control."""
_CHANCE: dict[str, Any] = {"marker": "|", "color": GREY, "markersize": 9, "linestyle": "none"}
_BELOW = COLOURS[1]
_ROW_HEIGHT = 0.2  # inches of a stratum
_MARGIN = 0.9
_LEAST_HEIGHT = 2.2


def list_lengths(methods: Mapping[str, Sequence[LengthBin]]) -> str:
    """Return hit rates at 1 by list length with their intervals, beside chance and the controls of the first method.

    Bins without a query are not drawn.
    """
    filled = {name: [one for one in bins if one.n_queries] for name, bins in methods.items()}
    first = next(iter(filled.values()))
    with drawing(7.2, 3.2) as (figure, axes):
        spread = np.linspace(-0.15, 0.15, len(filled)) if len(filled) > 1 else np.zeros(1)
        for number, (name, bins) in enumerate(filled.items()):
            places = np.arange(len(bins)) + spread[number]
            rates = 100 * np.array([one.hit_rate for one in bins])
            ends = 100 * np.array([[one.low, one.high] for one in bins]).reshape(-1, 2)
            known = ~np.isnan(ends[:, 0])
            axes.vlines(places[known], ends[known, 0], ends[known, 1], color=colour_of(number), linewidth=1.2)
            axes.plot(places, rates, "o", color=colour_of(number), markersize=4.5, label=name)
        for i, name in enumerate(controls_named(first)):
            if name not in filled:
                rates = 100 * np.array([one.against[i].hit_rate for one in first])
                axes.plot(np.arange(len(first)) + 0.28, rates, label=name, clip_on=False, **_CONTROL[name == BLIND])
        for place, one in enumerate(first):
            label = "" if place else "chance"
            axes.hlines(100 * one.chance, place - 0.35, place + 0.35, GREY, "--", label=label, linewidth=1.2)
        axes.set_xticks(range(len(first)), [f"{one.label}\n{one.n_queries:,}" for one in first])
        axes.set(xlabel="candidates in the list; queries", ylabel="hit rate at 1 (%)", ylim=(0, 101))
        figure.legend(loc="outside right upper")
        return svg(figure, "lengths")


def strata(columns: Mapping[str, Sequence[Stratum]]) -> str:
    """Return hit rates at 1 of the strata of several columns, beside chance and their controls.

    Strata of fewer than 20 molecules are hollow; the name of a stratum in which the method stands below the strongest
    control is coloured.
    """
    filled = {column: [one for one in found if one.n_queries][::-1] for column, found in columns.items()}
    height = max(_LEAST_HEIGHT, _MARGIN + _ROW_HEIGHT * max(len(found) for found in filled.values()))
    with panels(len(columns), columns=2, width=3.6, height=height) as (figure, every):
        for axes, (column, found) in zip(every, filled.items(), strict=True):
            for place, one in enumerate(found):
                _draw_stratum(axes, place, one)
            axes.set_yticks(range(len(found)), [one.label for one in found], fontsize=7)
            for text, one in zip(axes.get_yticklabels(), found, strict=True):
                if any(control.is_below for control in one.against if control.name != BLIND):
                    text.set_color(_BELOW)
            axes.set(title=column_title(column), xlim=(0, 100), ylim=(-0.6, len(found) - 0.4))
            axes.set_xlabel("hit rate at 1 (%)", fontsize=8)
        every[0].plot([], [], "o", color=COLOURS[0], markersize=4.5, label="the method")
        for name in controls_named([one for found in filled.values() for one in found]):
            every[0].plot([], [], label=name, **_CONTROL[name == BLIND])
        every[0].plot([], [], label="chance", **_CHANCE)
        figure.legend(*every[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
        return svg(figure, "strata")


def _draw_stratum(axes: Axes, place: int, one: Stratum) -> None:
    axes.plot(100 * one.chance, place, **_CHANCE)
    if not np.isnan(one.low):
        axes.plot([100 * one.low, 100 * one.high], [place, place], color=COLOURS[0], linewidth=1.2)
    for control in one.against:
        axes.plot(100 * control.hit_rate, place, clip_on=False, **_CONTROL[control.name == BLIND])
    face = "white" if one.is_small else COLOURS[0]
    axes.plot(100 * one.hit_rate, place, "o", color=COLOURS[0], markerfacecolor=face, markersize=4.5)
