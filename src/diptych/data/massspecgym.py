"""MassSpecGym's own folds, and where molecules go that the benchmark does not know.

MassSpecGym: Bushuiev et al. 2024, arXiv 2410.23326.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import cast

from diptych.data.splits import Fold, connect
from diptych.data.tables import read_columns
from diptych.errors import DatasetError

_FOLDS = ("train", "val", "test")
_FIRST_BLOCK_LENGTH = 14


def read_folds(path: Path) -> dict[str, Fold]:
    """Return first block -> fold of a table with the columns ``inchikey_first_block`` and ``fold``.

    Raises
    ------
    DatasetError
        The file is missing, lacks a column, or holds something else than first blocks and train, val, test.
    """
    folds: dict[str, Fold] = {}
    for number, (block, fold) in enumerate(read_columns(path, ("inchikey_first_block", "fold")), start=2):
        if len(block) != _FIRST_BLOCK_LENGTH or fold not in _FOLDS:
            raise DatasetError(
                f"{path}, line {number}: {block!r} in fold {fold!r}; expected a first block of 14 letters and "
                f"one of {', '.join(_FOLDS)}"
            )
        folds[block] = cast("Fold", fold)
    return folds


def place_by_similarity(
    unknown: Iterable[str], known: Mapping[str, Fold], *, twins: Iterable[tuple[str, str]]
) -> dict[str, Fold]:
    """Return the fold of every molecule that has none yet, so that no twins stand in two folds because of it.

    Parameters
    ----------
    unknown
        First blocks without a fold.
    known
        First block -> fold, never changed; twins among the known are the benchmark's own.
    twins
        Pairs of first blocks whose similarity reaches the threshold; pairs with a stranger to both are passed over.

    Notes
    -----
    Unknown molecules that twins connect move together. Such a group goes to the one fold that its known twins are of,
    and to train where it has none. If its known twins are of several folds, the members next to val or test are left
    out ("none"): in training they would be a test molecule's twin, in test they would have a twin in training. What
    remains of the group goes to train.
    """
    placed: dict[str, Fold] = {}
    waiting = set(unknown) - set(known)
    neighbours, links = _sorted_twins(waiting, known, twins)
    for group in _groups(waiting, links):
        folds = set().union(*(neighbours[member] for member in group))
        for member in group:
            placed[member] = _place(folds, neighbours[member])
    return placed


def _place(folds_of_group: set[Fold], folds_of_member: set[Fold]) -> Fold:
    if len(folds_of_group) <= 1:
        return next(iter(folds_of_group), "train")
    return "none" if folds_of_member - {"train"} else "train"


def _sorted_twins(
    waiting: set[str], known: Mapping[str, Fold], twins: Iterable[tuple[str, str]]
) -> tuple[dict[str, set[Fold]], list[tuple[str, str]]]:
    neighbours: dict[str, set[Fold]] = defaultdict(set)
    links: list[tuple[str, str]] = []
    for pair in twins:
        for first, second in (pair, pair[::-1]):
            if first in waiting and second in known:
                neighbours[first].add(known[second])
        if pair[0] in waiting and pair[1] in waiting:
            links.append(pair)
    return neighbours, links


def _groups(members: set[str], links: list[tuple[str, str]]) -> list[list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for member, root in connect(members, links).items():
        groups[root].append(member)
    return list(groups.values())
