"""Vectors of spectra that another program has made, as a measure of likeness."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diptych.errors import EvaluationError
from diptych.ranking.spectrum_scorers import query_blocks
from diptych.spectra import Spectrum

# Equal spectra must tie, whatever the shape of the product.
_DECIMALS = 6


class VectorScorer:
    """Scores two spectra by the cosine of vectors that were computed before, in [-1, 1].

    Parameters
    ----------
    name
        What reports call it.
    vectors
        Of shape (n_spectra, n_dimensions); a vector of 0 is like nothing.
    row
        Identifier of a spectrum -> row of its vector.
    said
        What the program that made them says of itself.
    """

    def __init__(
        self, name: str, vectors: NDArray[np.float32], row: Mapping[str, int], *, said: Mapping[str, Any]
    ) -> None:
        self.name = name
        self.said = dict(said)
        self._row = row
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        self._vectors = vectors / np.maximum(norms, np.finfo(np.float32).tiny)

    @classmethod
    def read(cls, path: Path) -> VectorScorer:
        """Return the scorer of a file of ``accession``, ``vector`` and ``said``; its name is that of the file."""
        with np.load(path, allow_pickle=False) as file:
            row = {str(accession): i for i, accession in enumerate(file["accession"])}
            return cls(path.stem, file["vector"], row, said=json.loads(str(file["said"])))

    def scores(self, queries: Sequence[Spectrum], references: Sequence[Spectrum]) -> Iterator[NDArray[np.floating]]:
        """Yield cosines, float32."""
        asked, known = self._of(queries), self._of(references)
        for block in query_blocks(len(queries), len(references)):
            yield np.round(asked[block] @ known.T, _DECIMALS)

    def _of(self, spectra: Sequence[Spectrum]) -> NDArray[np.float32]:
        absent = [spectrum.identifier for spectrum in spectra if spectrum.identifier not in self._row]
        if absent:
            raise EvaluationError(
                f"{self.name}: no vector of {absent[0]} and {len(absent) - 1} other spectra; expected one of each"
            )
        return self._vectors[[self._row[spectrum.identifier] for spectrum in spectra]]
