"""The page of an audit: its tables, and the hardest queries with their structures side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from diptych.errors import EvaluationError, StructureError
from diptych.evaluation.audit.page import sections
from diptych.evaluation.report.figures import COLOURS, GREY, drawing, svg
from diptych.evaluation.report.page import heading, page
from diptych.evaluation.report.tables import html_table
from diptych.evaluation.wording import queries_of_molecules
from diptych.files import replacing
from diptych.molecules.drawing import drawn
from diptych.molecules.explained import explained_peaks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from diptych.evaluation.audit.audit import Audit, HardCase
    from diptych.spectra.spectrum import Spectrum

_LABELLED = 4
_LEAST_LABELLED = 0.05
_LABEL_WIDTH = 0.09

HOW_TO_READ = (
    "Wrong by the widest margin of score, one per molecule. Upwards, the peaks that two cuts of the answer explain "
    "(10 ppm, up to two hydrogens moved); downwards the same peaks for the structure that stood first; grey is "
    "unexplained."
)


def write_page(audit: Audit, spectra: Mapping[str, Spectrum], path: Path) -> None:
    """Write an audit as one self-contained HTML file.

    Parameters
    ----------
    audit
        What was found.
    spectra
        Identifier -> spectrum of the hardest queries; those that lack are drawn without their spectrum.
    path
        File to write.

    Raises
    ------
    OutputError
        It cannot be written.
    """
    interval = "" if math.isnan(audit.low) else f" ({100 * audit.low:.1f} to {100 * audit.high:.1f})"
    body = [
        f"<p>{queries_of_molecules(audit.n_queries, audit.n_molecules)}; hit rate at 1 "
        f"{100 * audit.hit_rate:.1f} %{interval}, by spectrum, ties against the target.</p>"
    ]
    for title, text, header, rows in sections(audit):
        if title != "Hardest queries":
            body.append(heading(title, text) + html_table(header, rows))
    body.append(hard_cases(audit.hardest, spectra))
    with replacing(path) as temporary:
        temporary.write_text(page(f"Audit of {audit.name}", "\n".join(body)), encoding="utf-8")


def hard_cases(cases: Sequence[HardCase], spectra: Mapping[str, Spectrum]) -> str:
    """Return the hardest queries under a heading, as HTML; empty where there is none."""
    return heading("Hardest queries", HOW_TO_READ) + cases_drawn(cases, spectra) if cases else ""


def cases_drawn(cases: Sequence[HardCase], spectra: Mapping[str, Spectrum]) -> str:
    """Return spectrum, answer and what stood first of every case, as HTML.

    Raises
    ------
    EvaluationError
        A SMILES of the results cannot be read.
    """
    found = []
    for number, case in enumerate(cases):
        try:
            found.append(_case(number, case, spectra.get(case.query)))
        except StructureError as error:
            raise EvaluationError(f"results, query {case.query!r}: {error}") from error
    return "\n".join(found)


def _case(number: int, case: HardCase, spectrum: Spectrum | None) -> str:
    place = f"rank {case.rank:.0f} of {case.n_candidates}" if math.isfinite(case.rank) else "missed"
    alike = "" if math.isnan(case.tanimoto) else f", Tanimoto of the two {case.tanimoto:.2f}"
    near = f"<p>Nearest training molecules: {escape(', '.join(case.neighbours))}.</p>" if case.neighbours else ""
    picture = ""
    if spectrum is not None and spectrum.n_peaks and case.target_smiles and case.best_smiles:
        picture = mirror(spectrum, case.target_smiles, case.best_smiles, name=f"case{number}")
    pair = _structure("answer", case.target_smiles) + _structure("stood first", case.best_smiles)
    return f'<h3>{escape(case.query)}: {place}{alike}</h3>{picture}<div class="pair">{pair}</div>{near}'


def _structure(caption: str, smiles: str) -> str:
    picture = drawn(smiles) if smiles else ""
    return f"<figure>{picture}<figcaption><b>{caption}</b> <code>{escape(smiles)}</code></figcaption></figure>"


def mirror(spectrum: Spectrum, answer: str, other: str, *, name: str) -> str:
    """Return a spectrum drawn upwards and downwards as SVG: peaks that each of two structures explains are coloured.

    Parameters
    ----------
    spectrum
        With at least one peak.
    answer, other
        SMILES, of the upper and of the lower half.
    name
        Of the picture within its page.
    """
    relative = spectrum.intensity / spectrum.intensity.max()
    polarity = spectrum.polarity or "positive"
    with drawing(6.8, 2.7) as (figure, axes):
        for smiles, sign, colour, label in ((answer, 1, COLOURS[0], "answer"), (other, -1, COLOURS[1], "stood first")):
            explained = explained_peaks(spectrum.mz, smiles, polarity=polarity)
            share = float(relative[explained].sum() / relative.sum())
            axes.vlines(spectrum.mz[~explained], 0, sign * relative[~explained], color=GREY, linewidth=1.0)
            axes.vlines(
                spectrum.mz[explained],
                0,
                sign * relative[explained],
                color=colour,
                linewidth=1.4,
                label=f"{label}: {100 * share:.0f} % of the intensity",
            )
        for row in _labelled(spectrum.mz, relative):
            axes.annotate(
                f"{spectrum.mz[row]:.4f}",
                (spectrum.mz[row], relative[row]),
                xytext=(0, 2),
                textcoords="offset points",
                ha="center",
                fontsize=7,
            )
        axes.axhline(0, color="black", linewidth=0.6)
        last = max(float(spectrum.mz[-1]), spectrum.precursor_mz or 0.0)
        axes.set_xlim(max(0.0, min(float(spectrum.mz[0]) - 20, 0.6 * last)), 1.04 * last)
        if spectrum.precursor_mz:
            axes.plot(spectrum.precursor_mz, 0, "D", color="black", markersize=3.5, label="precursor", linestyle="none")
        axes.set(xlabel="m/z", ylabel="relative intensity", ylim=(-1.12, 1.18), yticks=(-1, -0.5, 0, 0.5, 1))
        axes.set_yticklabels(["1", "0.5", "0", "0.5", "1"])
        figure.legend(loc="outside upper right", ncols=3)
        return svg(figure, name)


def _labelled(mz: NDArray[np.float64], relative: NDArray[np.float32]) -> list[int]:
    """Return the highest peaks whose labels do not run into one another."""
    apart = _LABEL_WIDTH * float(mz[-1])
    chosen: list[int] = []
    for row in np.argsort(-relative, kind="stable"):
        if len(chosen) == _LABELLED or relative[row] < _LEAST_LABELLED:
            break
        if all(abs(mz[row] - mz[other]) > apart for other in chosen):
            chosen.append(int(row))
    return chosen
