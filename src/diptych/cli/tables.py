"""Tables on the terminal: numbers are never cut, one column of texts is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

_GAP = 2
_NARROWEST = 16


def table_of(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[str], cut_column: str, width: int
) -> Table:
    """Return a table without lines.

    Parameters
    ----------
    headings
        One for each column.
    rows
        Cells in the order of the headings.
    numbers
        Headings of the columns that stand to the right.
    cut_column
        Heading of the column whose texts are cut so that the table fits, to no less than sixteen characters.
    width
        Characters of a line of the terminal.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1))
    for heading in headings:
        side = "right" if heading in numbers else "left"
        table.add_column(heading, justify=side, no_wrap=True, overflow="ellipsis")  # type: ignore[arg-type]
    place = list(headings).index(cut_column)
    widths = [max(len(cell) for cell in cells) for cells in zip(headings, *rows, strict=True)]
    room = width - _GAP * (len(headings) - 1) - sum(widths) + widths[place]
    for row in rows:
        cells = [cut(cell, max(_NARROWEST, room)) if i == place else cell for i, cell in enumerate(row)]
        table.add_row(*(Text(cell) for cell in cells))
    return table


def cut(text: str, length: int) -> str:
    """Return a text on one line, of so many characters at most.

    Examples
    --------
    >>> cut("caffeine", 5)
    'caff…'
    """
    plain = " ".join(text.split())
    return plain if len(plain) <= length else plain[: length - 1] + "…"
