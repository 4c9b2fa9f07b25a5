"""What every part of a report has: a remark, a table, a picture, numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Section:
    """One section of a report.

    Attributes
    ----------
    title, text
        Heading and remark.
    header, rows
        Of its table; empty for none.
    picture
        SVG, or other HTML; empty for none.
    data
        The numbers, as JSON can hold them.
    """

    title: str
    text: str = ""
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    picture: str = ""
    data: Any = field(default=None)


def plain(value: Any) -> Any:  # noqa: ANN401 - any data
    """Return data as JSON can hold them: tuples are lists, and a number that is not finite is None."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return value
