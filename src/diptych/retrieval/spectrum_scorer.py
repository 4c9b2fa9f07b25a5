"""The spectrum tower of a joint embedding as a measure of likeness between spectra."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diptych.ranking.fusion import SumScorer
from diptych.ranking.match_evidence import MatchEvidenceScorer
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


def with_match_evidence(model: Embedding) -> SumScorer:
    """Return the evidence that two spectra are of one molecule, with a model's cosine and the match of the precursors.

    What peaks say by themselves, what a network generalises, and what an open search owes to the precursor: none of
    them is the best everywhere. Weights of 1, 4 and 4, chosen on the validation fold of the peer benchmark, so that a
    cosine of 1 counts as 4 nats of evidence.
    """
    return SumScorer(
        scorers=(MatchEvidenceScorer(), EmbeddingScorer(model), PrecursorMatchScorer()),
        weights=(1.0, 4.0, 4.0),
        name=f"{model.name}_with_match_evidence",
    )
