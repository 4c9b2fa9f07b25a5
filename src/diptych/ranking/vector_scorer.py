"""Vectors of spectra that another program has made, as a measure of likeness."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diptych.errors import EvaluationError, reason_of
from diptych.ranking.spectrum_scorers import cosine_blocks

if TYPE_CHECKING:
    from diptych.spectra.spectrum import Spectrum

_ARRAYS = ("accession", "vector")


class VectorScorer:
    """Scores two spectra by the cosine of vectors that were computed before, in [-1, 1].

    Parameters
    ----------
    name
        What reports call it.
    identifiers
        Of the spectra, each once.
    vectors
        Of shape (n_spectra, n_dimensions). A vector of 0, or one that holds a number that is not finite, is no
        vector: its pairs have no score.
    said
        What the program that made them says of itself.

    Raises
    ------
    EvaluationError
        There is not one row per identifier, or an identifier twice.

    Examples
    --------
    >>> from diptych.spectra import Spectrum
    >>> first, second = (Spectrum.from_peaks([100.0], [1.0], identifier=name) for name in ("a", "b"))
    >>> scorer = VectorScorer("other_tool", ["a", "b"], np.array([[3.0, 4.0], [4.0, 3.0]], dtype=np.float32))
    >>> [block.tolist() for block in scorer.scores([first], [first, second])]
    [[[1.0, 0.9599999785423279]]]
    """

    def __init__(
        self,
        name: str,
        identifiers: Sequence[str],
        vectors: NDArray[np.floating],
        *,
        said: Mapping[str, Any] | None = None,
    ) -> None:
        self._row = {identifier: row for row, identifier in enumerate(identifiers)}
        if vectors.ndim != 2 or len(vectors) != len(identifiers) or len(self._row) != len(identifiers):
            raise EvaluationError(
                f"{name}: vectors of shape {vectors.shape} of {len(identifiers):,} spectra, {len(self._row):,} of them "
                "different; expected one row for each spectrum, and each spectrum once"
            )
        self.name = name
        self.said = dict(said or {})
        with np.errstate(over="ignore", invalid="ignore"):
            lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
            is_vector = np.isfinite(lengths) & (lengths > 0)
            self._vectors = np.where(is_vector, vectors / np.where(is_vector, lengths, 1), np.nan).astype(np.float32)

    @classmethod
    def read(cls, path: Path) -> VectorScorer:
        """Return the scorer of a NumPy archive (.npz) of ``accession`` and ``vector``; its name is that of the file.

        Parameters
        ----------
        path
            ``accession`` is an array of texts, ``vector`` one of numbers with a row for each; ``said``, which may be
            absent, is a JSON text about where they come from.

        Raises
        ------
        EvaluationError
            The file is no such archive, or holds what the constructor refuses.
        """
        try:
            if not zipfile.is_zipfile(path):
                raise ValueError("it is no archive")
            with np.load(path, allow_pickle=False) as file:
                found = {name: _array(file, name) for name in (*_ARRAYS, *({"said"} & set(file.files)))}
            identifiers, vectors = [str(name) for name in found["accession"]], np.asarray(found["vector"])
            said = json.loads(str(found["said"])) if "said" in found else {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile, EOFError) as error:
            raise EvaluationError(
                f"{path}: cannot be read ({reason_of(error)}); expected a NumPy archive of {' and '.join(_ARRAYS)}"
            ) from error
        if vectors.dtype.kind not in "fiu":
            raise EvaluationError(f"{path}: vectors of type {vectors.dtype}; expected numbers")
        return cls(path.stem, identifiers, vectors, said=said)

    def __len__(self) -> int:
        return len(self._row)

    @property
    def n_without_vector(self) -> int:
        """How many of the spectra have a vector of 0 or one that is not finite, and so none."""
        return int(np.isnan(self._vectors).any(axis=1).sum())

    def vectors(self, spectra: Sequence[Spectrum]) -> NDArray[np.float32]:
        """Return the vectors of some spectra brought to length 1, NaN where a spectrum has none.

        Raises
        ------
        EvaluationError
            A spectrum is not among those that vectors were given of.
        """
        absent = [spectrum.identifier for spectrum in spectra if spectrum.identifier not in self._row]
        if absent:
            raise EvaluationError(
                f"{self.name}: no vector of {len(absent):,} of {len(spectra):,} spectra, such as {absent[0]!r}; "
                "expected one of each"
            )
        rows = [self._row[spectrum.identifier] for spectrum in spectra]
        return self._vectors[rows] if rows else self._vectors[:0]

    def scores(self, queries: Sequence[Spectrum], references: Sequence[Spectrum]) -> Iterator[NDArray[np.floating]]:
        """Yield cosines, float32; NaN where a spectrum has no vector."""
        yield from cosine_blocks(self.vectors(queries), self.vectors(references))


def _array(file: Mapping[str, NDArray[Any]], name: str) -> NDArray[Any]:
    try:
        return file[name]
    except KeyError as error:
        raise ValueError(f"no array {name!r}; it has {', '.join(file) or 'none'}") from error
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        raise ValueError(f"{name!r} holds Python objects; save it as numbers or by astype(str)") from error
