"""The picture of robustness: what is left of a metric as spectra are spoiled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diptych.evaluation.report.figures import colour_of, panels, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_OTHER_ENERGY = "other_energy_ev"
_STRENGTHS = {
    "noise_peaks": ("noise peaks", "added, for each peak of the spectrum"),
    "dropped_peaks": ("dropped peaks", "fraction of the peaks"),
    "shifted_mz_ppm": ("shifted m/z", "all fragments by (ppm)"),
    "scattered_mz_ppm": ("scattered m/z", "standard deviation (ppm)"),
    "flattened_intensities": ("flattened intensities", "1 - exponent"),
    "permuted_intensities": ("permuted intensities", "fraction of the peaks"),
    "cropped_range": ("cropped range", "no peaks below (fraction of precursor)"),
    "stated_energy": ("stated energy", "change (fraction of the energy)"),
    _OTHER_ENERGY: ("other energy (replicate)", "away by at least (eV)"),
}
"""Perturbation -> what its panel is called, and what its strength is."""
_SPREAD = 1.6  # eV between the points of rankers, of the same least distance


def robustness_curves(rows: Sequence[Mapping[str, Any]], *, metric: str = "hit_rate@1") -> str:
    """Return a metric by strength of every perturbation, one panel a perturbation and one line a ranker.

    Where rows have intervals a band shows them. Each distance of energy has queries of its own: their points are not
    joined, and hollow ones are of the same queries as they were measured.

    Parameters
    ----------
    rows
        As ``diptych benchmark`` writes them: ``ranker``, ``perturbation``, ``strength``, ``metrics``.
    metric
        To draw.
    """
    spoiled = list(dict.fromkeys(row["perturbation"] for row in rows if row["perturbation"] != "none"))
    rankers = list(dict.fromkeys(row["ranker"] for row in rows))
    highest = float(np.nanmax(_ends(rows, metric)))
    with panels(len(spoiled), columns=3, width=2.6, height=2.3, share_y=True) as (figure, every):
        for place, (axes, perturbation) in enumerate(zip(every, spoiled, strict=True)):
            for number, ranker in enumerate(rankers):
                own = [row for row in rows if row["ranker"] == ranker]
                if perturbation == _OTHER_ENERGY:
                    shift = _SPREAD * (number - (len(rankers) - 1) / 2)
                    _draw_energies(axes, own, metric, colour=colour_of(number), shift=shift)
                else:
                    _draw_line(axes, _line(own, perturbation), metric, colour=colour_of(number))
            title, strength = _STRENGTHS.get(perturbation, (perturbation.replace("_", " "), "strength"))
            axes.set_title(title, fontsize=8)
            axes.set_xlabel(strength, fontsize=7)
            axes.set(ylim=(0, 1.05 * highest))
            if not place % 3:
                axes.set_ylabel("hit rate at 1 (%)")
        for number, ranker in enumerate(rankers):
            every[0].plot([], [], marker="o", markersize=3, color=colour_of(number), label=ranker)
        figure.legend(*every[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
        return svg(figure, "robustness")


def _line(rows: Sequence[Mapping[str, Any]], perturbation: str) -> list[Mapping[str, Any]]:
    """Return the rows of a perturbation, the unspoiled spectra among them, from the least strength."""
    whole = [{**row, "strength": 0.0} for row in rows if row["perturbation"] == "none"][:1]
    spoiled = [row for row in rows if row["perturbation"] == perturbation]
    return sorted([*whole, *spoiled], key=lambda row: row["strength"])


def _draw_line(axes: Axes, rows: Sequence[Mapping[str, Any]], metric: str, *, colour: str) -> None:
    strengths = [row["strength"] for row in rows]
    values = _ends(rows, metric)
    axes.plot(strengths, values[:, 0], marker="o", markersize=3, color=colour)
    axes.locator_params(axis="x", nbins=6)
    axes.fill_between(strengths, values[:, 1], values[:, 2], color=colour, alpha=0.15, linewidth=0)


def _draw_energies(axes: Axes, rows: Sequence[Mapping[str, Any]], metric: str, *, colour: str, shift: float) -> None:
    """Draw the queries of every distance of energy as they were measured (hollow), and replaced by their replicates."""
    moved = [row for row in rows if row["perturbation"] == _OTHER_ENERGY]
    distances = sorted({row["strength"] for row in moved})
    plain = [row for row in rows if row["perturbation"] == "none" and row["strength"] in distances]
    for found, face, side in ((plain, "white", -0.35), (moved, colour, 0.35)):
        places = [row["strength"] + shift + side for row in found]
        values = _ends(found, metric)
        axes.vlines(places, values[:, 1], values[:, 2], color=colour, linewidth=1.0)
        axes.plot(places, values[:, 0], "o", color=colour, markerfacecolor=face, markersize=3.5)
    axes.set_xticks(distances, [f"{distance:g}" for distance in distances])
    axes.set_xlim(0, max(distances) + 5)


def _ends(rows: Sequence[Mapping[str, Any]], metric: str) -> NDArray[np.float64]:
    """Return value, low and high end in %, of shape (n_rows, 3); NaN where a row has no interval."""
    found = [[row["metrics"][metric].get(name) for name in ("spectrum", "low", "high")] for row in rows]
    return 100 * np.array(found, dtype=np.float64).reshape(-1, 3)
