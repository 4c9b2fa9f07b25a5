"""Rankers that predict from the spectrum: the bits of a fingerprint, or the molecule of the training fold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from diptych.errors import EvaluationError
from diptych.molecules.similarity import packed_fingerprints
from diptych.ranking.neighbours import tanimoto
from diptych.ranking.peak_features import PeakVocabulary
from diptych.ranking.peak_network import NetworkSettings, PeakNetwork
from diptych.ranking.query import queries_by_list

if TYPE_CHECKING:
    from diptych.molecules.structure import Structure
    from diptych.ranking.query import Query
    from diptych.spectra.spectrum import Spectrum

Similarity = Literal["cosine", "tanimoto", "likelihood"]
_WIDTH = 2048
_SMALLEST_PROBABILITY = 1e-4
# Equal candidates must stay equal after sums over them, else rounding decides ties.
_DECIMALS = 5


class FingerprintPredictor:
    """Probabilities of Morgan bits (radius 2, 2048) from the peaks and neutral losses of a spectrum.

    Parameters
    ----------
    spectra, structures
        The training fold: one structure per spectrum.
    settings
        Of the network.

    Raises
    ------
    EvaluationError
        There is no spectrum, or not one structure for each.
    """

    def __init__(
        self, spectra: Sequence[Spectrum], structures: Sequence[Structure], *, settings: NetworkSettings | None = None
    ) -> None:
        distinct, molecules = distinct_molecules(spectra, structures)
        self._features = PeakVocabulary.of(spectra, molecules)
        self._network = PeakNetwork.fit(
            self._features(spectra), molecules, targets=fingerprint_bits(distinct), output="sigmoid", settings=settings
        )

    def probabilities(self, spectra: Sequence[Spectrum]) -> NDArray[np.float32]:
        """Return the probability of every bit, float32 of shape (n_spectra, 2048)."""
        return self._network.predict(self._features(spectra))


class FingerprintRanker:
    """Scores a candidate by how well its fingerprint fits the one that is predicted from the spectrum.

    Parameters
    ----------
    predictor
        Gives the probabilities; several rankers can share one.
    similarity
        ``cosine``: p.b / (|p| |b|). ``tanimoto``: p.b / (|p|^2 + |b|^2 - p.b). ``likelihood``: the mean over bits of
        b ln p + (1 - b) ln(1 - p). p are the probabilities, b the bits of the candidate.

    Raises
    ------
    EvaluationError
        There is no such similarity.

    Notes
    -----
    The plain fingerprint predictor of the field's benchmarks (MassSpecGym, arXiv 2410.23326: a feed-forward network on
    binned peaks); log-likelihood of independent bits as in CSI:FingerID's unit scores, doi:10.1073/pnas.1509788112.
    """

    def __init__(self, predictor: FingerprintPredictor, *, similarity: Similarity = "cosine") -> None:
        if similarity not in get_args(Similarity):
            raise EvaluationError(
                f"fingerprint similarity {similarity!r}; expected one of {', '.join(get_args(Similarity))}"
            )
        self._predictor = predictor
        self._similarity = similarity
        self.name = f"fingerprint_{similarity}"

    def score(self, queries: Sequence[Query]) -> list[NDArray[np.floating]]:
        """Return similarities, higher is better, one float64 array per query."""
        probabilities = self._predictor.probabilities([query.spectrum for query in queries])
        scores: dict[int, NDArray[np.floating]] = {}
        for candidates, positions in queries_by_list(queries):
            bits = fingerprint_bits(candidates.structures)
            scores |= {i: bit_similarity(probabilities[i], bits, similarity=self._similarity) for i in positions}
        return [scores[i] for i in range(len(queries))]


def bit_similarity(
    probability: NDArray[np.floating], bits: NDArray[np.bool_], *, similarity: Similarity
) -> NDArray[np.float64]:
    """Return how well bits fit probabilities.

    Parameters
    ----------
    probability
        Of shape (n_bits,), in [0, 1].
    bits
        Of shape (n_candidates, n_bits).
    similarity
        See `FingerprintRanker`.

    Returns
    -------
    ndarray
        float64, of shape (n_candidates,).
    """
    p = np.clip(probability.astype(np.float64), _SMALLEST_PROBABILITY, 1 - _SMALLEST_PROBABILITY)
    if similarity == "likelihood":
        log_odds = np.log(p / (1 - p))
        return np.asarray((bits @ log_odds + np.log(1 - p).sum()) / p.size).round(_DECIMALS)
    shared, square, n_bits = bits @ p, float(p @ p), bits.sum(axis=1)
    if similarity == "cosine":
        return np.asarray(shared / np.sqrt(square * np.maximum(n_bits, 1))).round(_DECIMALS)
    return np.asarray(shared / (square + n_bits - shared)).round(_DECIMALS)


class ClassifierRanker:
    """Scores a candidate by its Tanimoto similarity to the molecules that a classifier takes the spectrum for.

    Parameters
    ----------
    spectra, structures
        The training fold: one structure per spectrum; each molecule is a class.
    settings
        Of the network.
    n_classes
        Only so many classes, the most probable ones, are compared with the candidates.

    Raises
    ------
    EvaluationError
        There is no spectrum, or not one structure for each.

    Notes
    -----
    s(c) = sum_k p(k | spectrum) T(k, c) / sum_k p(k | spectrum) over the most probable molecules k, T the Tanimoto
    similarity of Morgan bits (radius 2, 4096).
    """

    def __init__(
        self,
        spectra: Sequence[Spectrum],
        structures: Sequence[Structure],
        *,
        settings: NetworkSettings | None = None,
        n_classes: int = 50,
    ) -> None:
        distinct, molecules = distinct_molecules(spectra, structures)
        self.name = "spectrum_classifier"
        self._features = PeakVocabulary.of(spectra, molecules)
        self._fingerprints = packed_fingerprints([structure.smiles for structure in distinct])
        self._n_classes = min(n_classes, len(distinct))
        self._network = PeakNetwork.fit(
            self._features(spectra),
            molecules,
            targets=np.eye(len(distinct), dtype=bool),
            output="softmax",
            settings=settings or NetworkSettings(n_hidden=256),
        )

    def score(self, queries: Sequence[Query]) -> list[NDArray[np.floating]]:
        """Return weighted mean Tanimoto similarities, in [0, 1], one float64 array per query."""
        probabilities = self._network.predict(self._features([query.spectrum for query in queries]))
        scores: dict[int, NDArray[np.floating]] = {}
        for candidates, positions in queries_by_list(queries):
            packed = packed_fingerprints([structure.smiles for structure in candidates.structures])
            scores |= {i: self._vote(probabilities[i], packed) for i in positions}
        return [scores[i] for i in range(len(queries))]

    def _vote(self, probability: NDArray[np.float32], candidates: NDArray[np.uint64]) -> NDArray[np.float64]:
        first = probability.size - self._n_classes
        classes = np.argpartition(probability, first)[first:]
        weight = probability[classes].astype(np.float64)
        alike = tanimoto(candidates, self._fingerprints[classes])
        return np.asarray(alike @ weight / weight.sum()).round(_DECIMALS)


def distinct_molecules(
    spectra: Sequence[Spectrum], structures: Sequence[Structure]
) -> tuple[list[Structure], NDArray[np.int64]]:
    """Return the distinct molecules, and the number of each spectrum's.

    Raises
    ------
    EvaluationError
        There is no spectrum, or not one structure for each.
    """
    if not spectra or len(spectra) != len(structures):
        raise EvaluationError(
            f"training spectra: {len(spectra)}, with {len(structures)} structures; expected at least one spectrum and "
            "one structure for each"
        )
    first: dict[str, Structure] = {}
    for structure in structures:
        first.setdefault(structure.inchikey_first_block, structure)
    number = {block: i for i, block in enumerate(first)}
    molecules = [number[structure.inchikey_first_block] for structure in structures]
    return list(first.values()), np.array(molecules, dtype=np.int64)


def fingerprint_bits(structures: Sequence[Structure], *, width: int = _WIDTH) -> NDArray[np.bool_]:
    """Return Morgan bits (radius 2), bool of shape (n, width)."""
    packed = packed_fingerprints([structure.smiles for structure in structures], width=width)
    bits = np.unpackbits(packed.view(np.uint8), axis=1, bitorder="little")
    return bits.reshape(len(structures), width).astype(bool)
