"""The structures to pretrain on, and those held out by their scaffold."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from diptych.data.tables import read_columns
from diptych.errors import StructureError, TrainingError
from diptych.molecules.murcko import scaffold_smiles
from diptych.molecules.structure import mol_from_smiles, standardise

_HASHES = 2**32
_ROWS_PER_REPORT = 25_000


class PretrainingRows(NamedTuple):
    """Standardised SMILES.

    Attributes
    ----------
    train
        To learn from.
    held_out
        Whose scaffolds none of ``train`` has.
    n_failed
        Rows that gave no structure.
    digest
        SHA-256 of both lists.
    """

    train: list[str]
    held_out: list[str]
    n_failed: int
    digest: str


def read_pretraining_rows(
    path: Path,
    *,
    exclude: Collection[str] = (),
    limit: int = 0,
    held_out: float = 0.02,
    max_length: int = 200,
    seed: int = 1,
    report: Callable[[str], None] = lambda _: None,
) -> PretrainingRows:
    """Return the structures of a table that can be standardised, some scaffolds held out.

    Parameters
    ----------
    path
        TSV or CSV with the column ``smiles`` and, where something is excluded, ``inchikey_first_block``; may be
        compressed.
    exclude
        First blocks to leave out.
    limit
        At most so many rows, drawn by the seed; 0 takes all.
    held_out
        Share of the scaffolds held out: those whose checksum is small, so that it does not depend on what else is read.
        Molecules without a ring are never held out.
    max_length
        Characters; longer SMILES are left out.
    seed
        Of the draw.
    report
        Called with a line now and then.

    Raises
    ------
    DatasetError
        The table is missing, damaged or lacks a column.
    TrainingError
        Nothing is left to learn from, or to judge by.
    """
    drawn = _drawn(_smiles(path, exclude, max_length=max_length), limit=limit, seed=seed)
    train: list[str] = []
    apart: list[str] = []
    n_failed = 0
    for number, text in enumerate(drawn, start=1):
        try:
            mol = standardise(mol_from_smiles(text))
        except StructureError:
            n_failed += 1
            continue
        scaffold = scaffold_smiles(mol)
        (apart if _is_held_out(scaffold, held_out) else train).append(text)
        if number % _ROWS_PER_REPORT == 0:
            report(f"{number:,} of {len(drawn):,} structures read")
    if not train or not apart:
        raise TrainingError(
            f"{path}: {len(train)} structures to learn from, {len(apart)} held out by scaffold; expected some of both"
        )
    return PretrainingRows(train=train, held_out=apart, n_failed=n_failed, digest=_digest(train, apart))


def _smiles(path: Path, exclude: Collection[str], *, max_length: int) -> Iterator[str]:
    names = ("smiles", "inchikey_first_block") if exclude else ("smiles",)
    for smiles, *block in read_columns(path, names):
        if len(smiles) <= max_length and not (block and block[0] in exclude):
            yield smiles


def _drawn(rows: Iterator[str], *, limit: int, seed: int) -> list[str]:
    """Return all rows, or a sample of them with no more than that in memory (Vitter 1985, doi:10.1145/3147.3165)."""
    if not limit:
        return list(rows)
    rng = np.random.default_rng(seed)
    kept: list[str] = []
    for number, row in enumerate(rows):
        if number < limit:
            kept.append(row)
        elif (place := int(rng.integers(number + 1))) < limit:
            kept[place] = row
    return kept


def _is_held_out(scaffold: str, share: float) -> bool:
    return bool(scaffold) and zlib.crc32(scaffold.encode()) < share * _HASHES


def _digest(*lists: list[str]) -> str:
    digest = hashlib.sha256()
    for rows in lists:
        digest.update("\n".join([*rows, ""]).encode() + b"\0")
    return digest.hexdigest()
