"""The spectrum tower of a joint embedding as a measure of likeness between spectra."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diptych.ranking.fusion import SumScorer
from diptych.ranking.peak_matching import SpectralEntropyScorer
from diptych.ranking.spectrum_scorers import PrecursorMatchScorer, query_blocks
from diptych.retrieval.rankers import usable_vectors

if TYPE_CHECKING:
    from diptych.retrieval.rankers import Embedding
    from diptych.spectra.spectrum import Spectrum

# Products in other batch shapes differ in their last bits; equal spectra must tie on every machine.
_DECIMALS = 6


class EmbeddingScorer:
    """Scores two spectra by the cosine of their vectors, in [-1, 1].

    Parameters
    ----------
    model
        The two towers; only that of the spectra is asked.
    blind
        Whether the peaks are withheld: what precursor and conditions give away by themselves.
    """

    def __init__(self, model: Embedding, *, blind: bool = False) -> None:
        self.model = model
        self.blind = blind
        self.name = "spectrum_blind" if blind else model.name

    def scores(self, queries: Sequence[Spectrum], references: Sequence[Spectrum]) -> Iterator[NDArray[np.floating]]:
        """Yield cosines, float32; NaN where one of the spectra cannot be worked with (no peaks, no precursor m/z)."""
        asked, known = (usable_vectors(self.model, spectra, blind=self.blind) for spectra in (queries, references))
        for block in query_blocks(len(queries), len(references)):
            yield np.round(asked[block] @ known.T, _DECIMALS)


def with_peak_matching(model: Embedding) -> SumScorer:
    """Return the sum of a model's cosine, the spectral entropy similarity and the match of the precursors.

    The three have weights of 1 each. What a network generalises, what peaks say by themselves, and what an open search
    owes to the precursor: none of them is the best everywhere (`benchmarks/library_search.md`).
    """
    return SumScorer(
        scorers=(EmbeddingScorer(model), SpectralEntropyScorer(), PrecursorMatchScorer()),
        name=f"{model.name}_with_peak_matching",
    )
