"""What mzML and mzXML share: XML read element by element, and peaks in base64."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
from lxml import etree
from numpy.typing import NDArray

from diptych.errors import ReadError
from diptych.spectra.readers.text import DAMAGED, OnProblem, open_bytes

_DAMAGED = (*DAMAGED, etree.XMLSyntaxError)


def elements(path: Path, names: tuple[str, ...], *, on_problem: OnProblem) -> Iterator[etree._Element]:
    """Yield the elements of these local names as each ends, and forget each afterwards.

    A document that is damaged or cut short yields what came before and is then reported once.
    """
    try:
        with open_bytes(path) as stream:
            tags = tuple(f"{{*}}{name}" for name in names)
            # Entities are never expanded: with huge_tree they could otherwise fill the memory.
            parsed = etree.iterparse(stream, events=("end",), tag=tags, huge_tree=True, resolve_entities=False)
            for _, element in parsed:
                yield element
                _forget(element)
    except ReadError as error:
        on_problem(error)
    except _DAMAGED as error:
        on_problem(ReadError(f"{path}: damaged or cut short: {error}; expected a whole XML document"))


def _forget(element: etree._Element) -> None:
    element.clear()
    parent = element.getparent()
    if parent is not None and local_name(parent) in {"spectrumList", "msRun"}:
        while element.getprevious() is not None:
            del parent[0]


def local_name(element: etree._Element) -> str:
    """Return the tag without its namespace."""
    return str(etree.QName(element).localname)


def decode_numbers(text: str | None, *, dtype: str, is_compressed: bool) -> NDArray[np.generic]:
    """Return the numbers of a base64 text, of shape (n,) and of the given dtype.

    Raises
    ------
    ReadError
        The text is not base64, not zlib where it should be, or not a whole number of values.

    Examples
    --------
    >>> decode_numbers("AACAPwAAAEA=", dtype="<f4", is_compressed=False).tolist()
    [1.0, 2.0]
    """
    try:
        data = base64.b64decode(text or "", validate=False)
        return np.frombuffer(zlib.decompress(data) if is_compressed and data else data, dtype=dtype)
    except (binascii.Error, zlib.error, ValueError) as error:
        raise ReadError(f"peaks cannot be decoded: {error}; expected base64 of {dtype} values") from error


def seconds(text: str) -> str:
    """Return an ISO 8601 duration in seconds, as text.

    >>> seconds("PT1M2.5S"), seconds("PT90S"), seconds("90.5")
    ('62.5', '90.0', '90.5')
    """
    match = re.fullmatch(r"P?T?(?:([\d.]+)H)?(?:([\d.]+)M)?(?:([\d.]+)S?)?", text.strip())
    if match is None or not any(match.groups()):
        return text
    with suppress(ValueError):
        hours, minutes, rest = (float(part or 0) for part in match.groups())
        return str(hours * 3600 + minutes * 60 + rest)
    return text
