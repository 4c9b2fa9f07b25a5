"""Mass bins as feature columns, the same for measured peaks and for fragments of structures."""

from __future__ import annotations

from typing import TypeVar

_Bins = TypeVar("_Bins")
_KNUTH = 2654435761


def hash_bins(bins: _Bins, *, width: int) -> _Bins:
    """Return the column of each bin: multiplicative hashing (Knuth, TAOCP 3, section 6.4), neighbours far apart.

    Parameters
    ----------
    bins
        int64 array or tensor of any shape, 0 <= bin < 2**31.
    width
        Number of columns.

    Returns
    -------
    array or tensor
        Like ``bins``, 0 <= column < width.

    Examples
    --------
    >>> import numpy as np
    >>> hash_bins(np.array([0, 1, 2]), width=1000)
    array([  0, 745, 491])
    """
    return (bins * _KNUTH >> 7) % width  # type: ignore[operator, no-any-return]
