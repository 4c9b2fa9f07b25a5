"""How numbers and texts out of files are shown, so that none of them breaks a table."""

from __future__ import annotations

# No ion is as heavy; what a file states beyond would fill the table with digits.
_LARGEST_IN_DIGITS = 1e6
_LONGEST = 40


def mz_text(mz: float | None, *, decimals: int) -> str:
    """Return an m/z as text: with so many decimals, in scientific notation where it is absurd, empty for None.

    Examples
    --------
    >>> mz_text(195.0877, decimals=4), mz_text(1e300, decimals=4), mz_text(None, decimals=4)
    ('195.0877', '1.0000e+300', '')
    """
    if mz is None:
        return ""
    return f"{mz:.{decimals}f}" if abs(mz) < _LARGEST_IN_DIGITS else f"{mz:.{decimals}e}"


def quoted(text: str) -> str:
    """Return a text out of a file in quotes: cut, on one line, and without the semicolon that parts reasons.

    Examples
    --------
    >>> quoted("[M+H]+; or so")
    "'[M+H]+, or so'"
    """
    plain = " ".join(text.split()).replace(";", ",")
    return repr(plain if len(plain) <= _LONGEST else plain[: _LONGEST - 1] + "…")
