"""Candidate lists on disk: JSON, plain or packed, of MassSpecGym's form ``{key: [SMILES, ...]}``."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from diptych.data.tables import DAMAGED, open_text
from diptych.errors import DatasetError, reason_of
from diptych.files import replacing

_PACKERS: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".xz": lzma.compress, ".bz2": bz2.compress}


def read_candidate_file(path: Path) -> dict[str, list[str]]:
    """Return key -> candidate SMILES as written, duplicates included, in the file's order.

    The keys are what the file chose: SMILES of the targets as in MassSpecGym, identifiers of spectra, or first blocks.
    The file may be packed by gzip, xz or bzip2, or be the ``lists_<kind>.parquet`` of a frozen benchmark.

    Raises
    ------
    DatasetError
        The file is missing, damaged, empty, or not of this form, or a key stands twice.
    """
    if path.suffix.lower() == ".parquet":
        return _read_table(path)
    if path.is_dir():
        raise DatasetError(f"{path}: is a folder; expected JSON, or the lists_KIND.parquet of a frozen benchmark")
    try:
        with open_text(path) as stream:
            content: Any = json.load(stream, object_pairs_hook=_distinct)
    except (*DAMAGED, ValueError, RecursionError) as error:
        raise DatasetError(f"{path}: cannot be read: {error}; expected candidate lists as JSON") from error
    if not isinstance(content, dict) or not content:
        raise DatasetError(f"{path}: expected a JSON object {{key: [SMILES, ...]}} with at least one key")
    for key, smiles in content.items():
        if not isinstance(smiles, list) or not all(isinstance(text, str) for text in smiles):
            raise DatasetError(f"{path}: the value of {key!r} is no list of SMILES")
    return content


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        key = next(key for key, n in Counter(key for key, _ in pairs).items() if n > 1)
        raise ValueError(f"the key {key!r} stands twice")
    return found


def _read_table(path: Path) -> dict[str, list[str]]:
    """Return the lists of a table with one row for each candidate."""
    try:
        table = pq.read_table(path, columns=["key", "smiles"]).to_pydict()
    except (OSError, pa.ArrowException) as error:
        raise DatasetError(
            f"{path}: cannot be read: {reason_of(error)}; expected a table with the columns key and smiles"
        ) from error
    lists: dict[str, list[str]] = {}
    for key, smiles in zip(table["key"], table["smiles"], strict=True):
        lists.setdefault(key, []).append(smiles)
    if not lists:
        raise DatasetError(f"{path}: no candidate list; expected at least one")
    return lists


def write_candidate_file(lists: Mapping[str, Sequence[str]], path: Path) -> None:
    """Write candidate lists as JSON, packed as the suffix of the path says.

    Raises
    ------
    OutputError
        The file cannot be written.
    """
    text = json.dumps({key: list(smiles) for key, smiles in lists.items()}, separators=(",", ":"))
    pack = _PACKERS.get(path.suffix.lower(), bytes)
    with replacing(path) as temporary:
        temporary.write_bytes(pack(text.encode()))
