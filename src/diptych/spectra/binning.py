"""Mass bins as feature columns, the same for measured peaks and for fragments of structures."""

from __future__ import annotations

from typing import Any

_KNUTH = 2654435761


def hash_bins(bins: Any, *, width: int) -> Any:  # noqa: ANN401 - array or tensor: torch is unknown here
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
    array([  0, 779, 558])
    """
    return (bins * _KNUTH >> 7) % width
