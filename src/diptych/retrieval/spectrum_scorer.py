"""The spectrum tower of a joint embedding as a measure of likeness between spectra."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diptych.ranking.fusion import SumScorer
from diptych.ranking.match_evidence import MatchEvidenceScorer
from diptych.ranking.spectrum_scorers import PrecursorMatchScorer, cosine_blocks
from diptych.retrieval.rankers import usable_vectors

if TYPE_CHECKING:
    from diptych.molecules.structure import Structure
    from diptych.retrieval.rankers import Embedding
    from diptych.spectra.spectrum import Spectrum


class RememberedVectors:
    """A model that encodes a spectrum once, however often it is asked about it.

    Parameters
    ----------
    model
        The two towers; only that of the spectra is asked. Spectra and vectors are held as long as this is.
    """

    def __init__(self, model: Embedding) -> None:
        self.model = model
        self._known: dict[tuple[int, bool], tuple[Spectrum, NDArray[np.float32]]] = {}

    @property
    def name(self) -> str:
        """That of the model."""
        return self.model.name

    def encode_spectra(self, spectra: Sequence[Spectrum], *, blind: bool = False) -> NDArray[np.float32]:
        """Return unit vectors, float32 of shape (n, dim)."""
        if not spectra:
            return self.model.encode_spectra(spectra, blind=blind)
        new = {id(spectrum): spectrum for spectrum in spectra if (id(spectrum), blind) not in self._known}
        if new:
            vectors = self.model.encode_spectra(list(new.values()), blind=blind)
            for spectrum, vector in zip(new.values(), vectors, strict=True):
                self._known[id(spectrum), blind] = spectrum, vector
        return np.stack([self._known[id(spectrum), blind][1] for spectrum in spectra])

    def encode_structures(self, structures: Sequence[Structure]) -> NDArray[np.float32]:
        """Return unit vectors, float32 of shape (n, dim); these are not remembered."""
        return self.model.encode_structures(structures)


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
        yield from cosine_blocks(asked, known)


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
