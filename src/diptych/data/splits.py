"""Folds by rule: how spectra or molecules are dealt to train, val and test so that the parts share nothing.

Every function is pure and deterministic by its seed; the order of its input does not change who goes where.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from diptych.errors import DatasetError

Fold = Literal["train", "val", "test", "none"]

# A group as large as this part of a held-out fold would make that fold a sample of one chemistry; it is trained on.
LARGEST_HELD_OUT_GROUP = 0.1


@dataclass(frozen=True, kw_only=True)
class Fractions:
    """Parts of the molecules that go to each fold.

    Raises
    ------
    DatasetError
        A fraction is negative, or they do not add up to 1.
    """

    train: float = 0.8
    val: float = 0.1
    test: float = 0.1

    def __post_init__(self) -> None:
        parts = (self.train, self.val, self.test)
        if min(parts) < 0 or abs(sum(parts) - 1) > 1e-6:
            raise DatasetError(f"fractions {parts} of train, val and test; expected three parts of 1, none negative")


def deal_groups(groups: Mapping[str, Hashable], *, fractions: Fractions, seed: int) -> dict[str, Fold]:
    """Return the fold of each member, whole groups together.

    Parameters
    ----------
    groups
        Member (a first block, or a spectrum identifier) -> its group.
    fractions
        Of the members.
    seed
        Decides the order in which groups are dealt.

    Notes
    -----
    Groups are named by their smallest member, shuffled, and dealt to test, then val, as long as they fit; the rest is
    train. Groups above `LARGEST_HELD_OUT_GROUP` of the smaller held-out fold go to train at once.
    """
    members: dict[Hashable, list[str]] = {}
    for member in sorted(groups):
        members.setdefault(groups[member], []).append(member)
    ordered = sorted(members.values())
    quota = {"test": round(fractions.test * len(groups)), "val": round(fractions.val * len(groups))}
    largest = max(1.0, LARGEST_HELD_OUT_GROUP * min((size for size in quota.values() if size), default=0))
    folds: dict[str, Fold] = {}
    for index in np.random.default_rng(seed).permutation(len(ordered)):
        group = ordered[index]
        fold = _first_with_room(quota, len(group)) if len(group) <= largest else "train"
        if fold != "train":
            quota[fold] -= len(group)
        folds.update(dict.fromkeys(group, fold))
    return folds


def _first_with_room(quota: Mapping[str, int], size: int) -> Fold:
    if quota["test"] >= size:
        return "test"
    return "val" if quota["val"] >= size else "train"


def connect(members: Iterable[str], links: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return for each member the smallest member that a chain of links connects it with.

    Examples
    --------
    >>> connect("abcd", [("b", "c"), ("c", "d")])
    {'a': 'a', 'b': 'b', 'c': 'b', 'd': 'b'}
    """
    parent = {member: member for member in members}

    def root(member: str) -> str:
        while parent[member] != member:
            parent[member] = parent[parent[member]]
            member = parent[member]
        return member

    for first, second in links:
        low, high = sorted((root(first), root(second)))
        parent[high] = low
    return {member: root(member) for member in sorted(parent)}


def random_folds(identifiers: Sequence[str], *, fractions: Fractions, seed: int) -> dict[str, Fold]:
    """Return the fold of each spectrum, dealt one by one: replicates of a molecule stand on both sides."""
    return deal_groups({name: name for name in identifiers}, fractions=fractions, seed=seed)


def molecule_folds(first_blocks: Iterable[str], *, fractions: Fractions, seed: int) -> dict[str, Fold]:
    """Return the fold of each molecule, dealt one by one."""
    return deal_groups({block: block for block in first_blocks}, fractions=fractions, seed=seed)


def scaffold_folds(scaffolds: Iterable[tuple[str, str]], *, fractions: Fractions, seed: int) -> dict[str, Fold]:
    """Return the fold of each molecule so that no scaffold stands in two folds.

    Parameters
    ----------
    scaffolds
        (first block, scaffold) of every way in which a molecule is drawn; "" for an acyclic molecule. A molecule drawn
        as tautomers of different scaffolds ties these scaffolds together.
    fractions, seed
        See `deal_groups`.

    Notes
    -----
    Scaffolds after Bemis and Murcko 1996, DOI 10.1021/jm9602928. Acyclic molecules have none and are dealt one by one.
    """
    pairs = sorted(set(scaffolds))
    holder: dict[str, str] = {}
    links = [(block, holder.setdefault(scaffold, block)) for block, scaffold in pairs if scaffold]
    return deal_groups(connect({block for block, _ in pairs}, links), fractions=fractions, seed=seed)


def similarity_folds(
    first_blocks: Iterable[str], twins: Iterable[tuple[str, str]], *, fractions: Fractions, seed: int
) -> dict[str, Fold]:
    """Return the fold of each molecule so that no twins stand in two folds.

    Parameters
    ----------
    first_blocks
        The molecules.
    twins
        Pairs of first blocks whose similarity reaches the threshold.
    fractions, seed
        See `deal_groups`.

    Notes
    -----
    Single linkage: groups are the connected components of the graph of twins. Unlike Butina's clusters (1999, DOI
    10.1021/ci9803381), whose members may have twins in a neighbouring cluster, they bound the similarity across folds
    below the threshold.
    """
    return deal_groups(connect(first_blocks, twins), fractions=fractions, seed=seed)
