"""Several kinds of hard negatives in given shares, drawn alike or the more similar ones more often."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from diptych.training.ragged import Ragged


@dataclass(frozen=True, kw_only=True, eq=False)
class NegativeSource:
    """One kind of hard negatives.

    Attributes
    ----------
    name
        The kind.
    lists
        For each molecule the rows of the structure table that are negatives of this kind.
    similarity
        float32, aligned with ``lists.values``: how much each resembles the molecule; None where nobody asks.
    share
        Of the negatives that are drawn; only the ratio to the shares of other kinds counts.
    """

    name: str
    lists: Ragged
    similarity: NDArray[np.float32] | None = None
    share: float = 1.0


@dataclass(frozen=True, kw_only=True, eq=False)
class NegativeMixture:
    """Kinds of hard negatives side by side.

    Attributes
    ----------
    sources
        The kinds.
    sharpness
        How much more often a similar structure is drawn; 0 draws all of a list alike.

    Notes
    -----
    Without replacement, each next one with a probability in proportion to exp(sharpness * similarity): the largest
    sharpness * similarity + g, g of the standard Gumbel distribution (Kool et al., doi:10.48550/arXiv.1903.06059).
    """

    sources: Sequence[NegativeSource]
    sharpness: float = 0.0

    def shuffled(self, rng: np.random.Generator) -> Ragged:
        """Return for each molecule the negatives of all kinds in the order in which they are taken.

        The first n of a list hold each kind by its share, give or take one; where a kind has too few, the others
        take its places. A structure of several kinds stands there once.
        """
        ordered = [self._ordered(source, rng) for source in self.sources]
        if len(ordered) == 1:
            return ordered[0]
        owners = np.concatenate([lists.owners for lists in ordered])
        values = np.concatenate([lists.values for lists in ordered])
        turns = [_turns(lists, source.share, rng) for lists, source in zip(ordered, self.sources, strict=True)]
        order = np.lexsort((np.concatenate(turns), owners))
        owners, values = owners[order], values[order]
        width = 1 + int(values.max(initial=0))
        kept = np.sort(np.unique(owners * width + values, return_index=True)[1])
        return Ragged(values=values[kept], offsets=np.searchsorted(owners[kept], np.arange(len(ordered[0]) + 1)))

    def with_lists(self, name: str, lists: Ragged, similarity: NDArray[np.float32]) -> NegativeMixture:
        """Return the mixture with other lists of one kind."""
        sources = [
            replace(source, lists=lists, similarity=similarity) if source.name == name else source
            for source in self.sources
        ]
        return replace(self, sources=sources)

    def _ordered(self, source: NegativeSource, rng: np.random.Generator) -> Ragged:
        if not self.sharpness or source.similarity is None:
            return source.lists.shuffled(rng)
        key = self.sharpness * source.similarity + rng.gumbel(size=len(source.similarity))
        order = np.lexsort((-key, source.lists.owners))
        return Ragged(values=source.lists.values[order], offsets=source.lists.offsets)


def _turns(lists: Ragged, share: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return when each value has its turn: value r of a list at (r + u) / share, u uniform in [0, 1) for each list."""
    owners = lists.owners
    rank = np.arange(len(owners)) - lists.offsets[:-1][owners]
    return np.asarray((rank + rng.random(len(lists))[owners]) / share, dtype=np.float64)
