"""Pictures in one small style: inline SVG, colours that all readers tell apart, no more ink than is needed."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from diptych.errors import EvaluationError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F7F7F", "#000000")
"""Okabe and Ito's palette, in the order in which methods get them; black last."""

GREY = "#8C8C8C"
_STYLE: Any = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.titlelocation": "left",
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "svg.fonttype": "path",
    "svg.hashsalt": "diptych",
}


def colour_of(number: int) -> str:
    """Return the colour of the method of a number; from the eighth on they repeat, with another style of line."""
    return COLOURS[number % (len(COLOURS) - 1)]


@contextmanager
def drawing(width: float = 6.4, height: float = 3.6) -> Iterator[tuple[Figure, Axes]]:
    """Yield a figure and its axes in the common style.

    Parameters
    ----------
    width, height
        Inches.

    Raises
    ------
    EvaluationError
        matplotlib is not installed.
    """
    with panels(1, columns=1, width=width, height=height) as (figure, (axes,)):
        yield figure, axes


@contextmanager
def panels(
    n: int, *, columns: int = 3, width: float = 2.9, height: float = 2.5, share_y: bool = False
) -> Iterator[tuple[Figure, list[Axes]]]:
    """Yield a figure and so many axes in the common style, row by row.

    Parameters
    ----------
    n
        Axes.
    columns
        Axes beside one another.
    width, height
        Of each, inches.
    share_y
        Whether all have one ordinate.

    Raises
    ------
    EvaluationError
        matplotlib is not installed.
    """
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise EvaluationError("pictures need the package matplotlib: pip install 'diptych[report]'") from error
    beside = min(n, columns)
    rows = -(-n // beside)
    with rc_context(_STYLE):
        figure = Figure(figsize=(width * beside, height * rows), layout="constrained")
        FigureCanvasAgg(figure)
        every = figure.subplots(rows, beside, squeeze=False, sharey=share_y).ravel().tolist()
        for spare in every[n:]:
            spare.remove()
        yield figure, every[:n]


def svg(figure: Figure, name: str) -> str:
    """Return a figure as an SVG element to stand inside a page, with names that clash with those of no other figure.

    Parameters
    ----------
    figure
        Drawn within `drawing`.
    name
        Letters and digits; put before every identifier inside the picture.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :].strip()
    text = re.sub(r'(id="|href="#|url\(#)', lambda match: f"{match.group(1)}{name}-", text)
    # As wide as it was drawn, so that letters have one size on the page; narrower where there is no room.
    return re.sub(r'width="([\d.]+)pt" height="[\d.]+pt"', r'class="figure" style="max-width: \1pt"', text, count=1)


def png(figure: Figure) -> bytes:
    """Return a figure as PNG, 150 dots per inch."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    return buffer.getvalue()
