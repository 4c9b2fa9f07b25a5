"""What a split came to: how much of each kind each fold holds, and how near test stands to train."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from diptych.data.dataset import Dataset
from diptych.data.splits import Fold

FOLDS: tuple[Fold, ...] = ("train", "val", "test", "none")
COUNTED_COLUMNS = ("polarity", "adduct", "instrument_class", "licence")


@dataclass(frozen=True, kw_only=True)
class Nearness:
    """How similar the molecules of test are to the nearest of train.

    Attributes
    ----------
    greatest, median
        Tanimoto similarity, in [0, 1].
    twins
        Number of test molecules with a training molecule at or above the threshold.
    molecules
        Number of test molecules compared, a molecule drawn as several tautomers several times.
    """

    greatest: float
    median: float
    twins: int
    molecules: int

    @classmethod
    def of(cls, nearest: NDArray[np.float32], *, twin_similarity: float) -> Nearness | None:
        """Return the summary of each test molecule's greatest similarity to train; None where test is empty."""
        if not nearest.size:
            return None
        return cls(
            greatest=round(float(nearest.max()), 4),
            median=round(float(np.median(nearest)), 4),
            twins=int((nearest >= np.float32(twin_similarity)).sum()),
            molecules=int(nearest.size),
        )


@dataclass(frozen=True, kw_only=True)
class SplitSizes:
    """Sizes of the folds of one split.

    Attributes
    ----------
    spectra, molecules
        Fold -> number.
    by
        Column -> value -> fold -> number of spectra.
    test_to_train
        None where replicates of one molecule stand on both sides anyway.
    test_to_placed
        The same to those training molecules that a benchmark's own folds did not name.
    """

    spectra: dict[str, int]
    molecules: dict[str, int]
    by: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)
    test_to_train: Nearness | None = None
    test_to_placed: Nearness | None = None


def sizes_of(
    rows: Dataset,
    folds: Sequence[Fold],
    *,
    test_to_train: Nearness | None = None,
    test_to_placed: Nearness | None = None,
) -> SplitSizes:
    """Return the sizes of a split; ``folds`` holds the fold of each row."""
    blocks = rows.column("inchikey_first_block")
    molecules = Counter(fold for _, fold in set(zip(blocks, folds, strict=True)))
    return SplitSizes(
        spectra=_in_order(Counter(folds)),
        molecules=_in_order(molecules),
        by={name: _cross_table(rows.column(name), folds) for name in COUNTED_COLUMNS},
        test_to_train=test_to_train,
        test_to_placed=test_to_placed,
    )


def _in_order(counts: Counter[Fold]) -> dict[str, int]:
    return {fold: counts[fold] for fold in FOLDS if counts[fold] or fold != "none"}


def _cross_table(values: NDArray[np.object_], folds: Sequence[Fold]) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[Fold]] = {}
    for value, fold in zip(values, folds, strict=True):
        counts.setdefault("unknown" if value is None else str(value), Counter())[fold] += 1
    ordered = sorted(counts.items(), key=lambda item: (-item[1].total(), item[0]))
    return {value: _in_order(counter) for value, counter in ordered}
