"""Any similarity of matchms' kind as a spectrum scorer: Spec2Vec and MS2DeepScore among them, where installed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from diptych.errors import EvaluationError
from diptych.ranking.spectrum_scorers import query_blocks

if TYPE_CHECKING:
    from diptych.spectra.spectrum import Spectrum


class MatchmsSimilarity(Protocol):
    """What is needed of matchms' ``BaseSimilarity``."""

    def matrix(self, references: Any, queries: Any) -> Any:  # noqa: ANN401 - spectra of matchms
        """Return scores of shape (n_references, n_queries)."""
        ...


class MatchmsScorer:
    """Scores two spectra by a similarity that matchms, or a package built on it, provides.

    Parameters
    ----------
    similarity
        Has ``matrix(references, queries)``.
    name
        What reports call it.
    """

    def __init__(self, similarity: MatchmsSimilarity, *, name: str) -> None:
        self._similarity = similarity
        self.name = name

    def scores(self, queries: Sequence[Spectrum], references: Sequence[Spectrum]) -> Iterator[NDArray[np.floating]]:
        """Yield what the similarity gives, float64; of several fields the first."""
        known = [for_matchms(spectrum) for spectrum in references]
        for block in query_blocks(len(queries), len(references)):
            found = np.asarray(self._similarity.matrix([for_matchms(s) for s in queries[block]], known))
            yield (found[found.dtype.names[0]] if found.dtype.names else found).astype(np.float64)


def spec2vec_scorer(model: Path) -> MatchmsScorer:
    """Return Spec2Vec with a trained word2vec model (gensim's format).

    Raises
    ------
    EvaluationError
        The package cannot be imported, or the model not be read.

    Notes
    -----
    Huber et al. 2021, doi:10.1371/journal.pcbi.1008724.
    """
    words = _installed("gensim.models", "spec2vec")
    spec2vec = _installed("spec2vec", "spec2vec")
    with_weights = {"intensity_weighting_power": 0.5, "allowed_missing_percentage": 100.0}
    return MatchmsScorer(
        spec2vec.Spec2Vec(_read(words.Word2Vec.load, model), **with_weights, progress_bar=False), name="spec2vec"
    )


def ms2deepscore_scorer(model: Path) -> MatchmsScorer:
    """Return MS2DeepScore with a trained model.

    Raises
    ------
    EvaluationError
        The package cannot be imported, or the model not be read.

    Notes
    -----
    Huber et al. 2021, doi:10.1186/s13321-021-00558-4.
    """
    models = _installed("ms2deepscore.models", "ms2deepscore")
    package = _installed("ms2deepscore", "ms2deepscore")
    return MatchmsScorer(package.MS2DeepScore(_read(models.load_model, model)), name="ms2deepscore")


def for_matchms(spectrum: Spectrum) -> Any:  # noqa: ANN401 - a Spectrum of matchms
    """Return the spectrum as matchms holds it, its most intense peak at 1."""
    from matchms import Spectrum as MatchmsSpectrum

    metadata: dict[str, Any] = {"ionmode": spectrum.polarity or "n/a"}
    if spectrum.precursor_mz is not None:
        metadata["precursor_mz"] = spectrum.precursor_mz
    if spectrum.adduct is not None:
        metadata["adduct"] = spectrum.adduct.name
    intensity = spectrum.intensity.astype(np.float64)
    return MatchmsSpectrum(
        spectrum.mz, intensity / intensity.max(initial=1e-300), metadata=metadata, metadata_harmonization=False
    )


def _installed(module: str, package: str) -> Any:  # noqa: ANN401 - a module that may be absent
    try:
        return import_module(module)
    except (ImportError, AttributeError) as error:
        raise EvaluationError(
            f"{package} cannot be imported ({error}); expected it installed beside this version of matchms, or its "
            "scores in a table: diptych benchmark run --scores TABLE"
        ) from error


def _read(reader: Any, model: Path) -> Any:  # noqa: ANN401 - a model of another package
    try:
        return reader(str(model))
    except Exception as error:  # whatever a foreign reader raises
        raise EvaluationError(f"{model}: cannot be read as a model: {' '.join(str(error).split())}") from error
