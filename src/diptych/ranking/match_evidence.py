"""What a likeness of two spectra says of their being of one molecule, given how differently they were measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diptych.data.instruments import InstrumentClass, instrument_class
from diptych.errors import ConfigError
from diptych.ranking.peak_matching import SpectralEntropyScorer

if TYPE_CHECKING:
    from diptych.spectra.spectrum import Spectrum

ENERGY_STEPS = (4.0, 12.0, 25.0)
N_ENERGY_CLASSES = len(ENERGY_STEPS) + 2
N_CONDITIONS = 2 * N_ENERGY_CLASSES
PRECURSOR_WINDOW_DA = 1.6
_DECIMALS = 6
# Rows: classes of instrument apart or unknown, and energies less than 4, 12 and 25 eV apart, further, or unknown; then
# the same of one class.
_WEIGHTS = np.array(
    [
        [-1.72, 1.87, 2.3],
        [-1.53, 1.65, 2.4],
        [-1.28, 1.55, 2.38],
        [-0.45, 1.02, 1.72],
        [-0.57, 1.63, 2.37],
        [-0.76, 0.63, 1.45],
        [-2.1, 2.01, 2.1],
        [-1.57, 1.58, 2.22],
        [-0.6, 0.9, 1.73],
        [-1.63, 2.05, 3.67],
    ]
)


def fitted_weights() -> NDArray[np.float64]:
    """Return a, b and b' of every condition, float64 of shape (N_CONDITIONS, 3).

    Notes
    -----
    Fitted by `benchmarks/fit_match_evidence.py` on pairs of training spectra of the peer benchmark alone: one
    precursor within 10 ppm, one adduct.
    """
    return _WEIGHTS.copy()


@dataclass(frozen=True, kw_only=True, eq=False)
class MatchEvidenceScorer:
    """Scores by the evidence that two spectra are of one molecule: the logarithm of a likelihood ratio.

    Attributes
    ----------
    weights
        Of shape (N_CONDITIONS, 3), see `fitted_weights`.

    Raises
    ------
    ConfigError
        The weights are of another shape.

    Notes
    -----
    e = a_c + b_c s + b'_c s' with the spectral entropy similarity s (doi:10.1038/s41592-021-01331-z) and s', the same
    of the peaks below the precursor, and the condition c: how far apart the collision energies are, and whether the
    instruments are of one class. In each condition e is the log odds of a logistic regression, lightly held towards 0,
    in which pairs of one molecule and of two weigh alike, an estimate of log p(s, s' | one, c) - log p(s, s' | two, c):
    that a library holds more of its own spectra under some conditions has no part in it. It was fitted on pairs within
    10 ppm and of one adduct, and means that much there; in an open search it wants the precursor beside it.

    A reference of another molecule measured at the query's energy is often more like it than one of its own at another
    energy. Scored so, the one has to be more alike than the other to count as much.
    """

    weights: NDArray[np.float64] = field(default_factory=fitted_weights)
    name: str = "match_evidence"

    def __post_init__(self) -> None:
        if self.weights.shape != (N_CONDITIONS, 3):
            raise ConfigError(f"match evidence: weights of shape {self.weights.shape}; expected {(N_CONDITIONS, 3)}")

    def scores(self, queries: Sequence[Spectrum], references: Sequence[Spectrum]) -> Iterator[NDArray[np.floating]]:
        """Yield evidence in nats, float64, one query at a time; above 0 speaks for one molecule."""
        whole = SpectralEntropyScorer().scores(queries, references)
        below = SpectralEntropyScorer(precursor_window_da=PRECURSOR_WINDOW_DA).scores(queries, references)
        asked, known = measured_as(queries), measured_as(references)
        start = 0
        for of_whole, of_below in zip(whole, below, strict=True):
            block = slice(start, start + len(of_whole))
            start = block.stop
            for row, one in enumerate(asked[block]):
                weights = self.weights[condition(one, known)].T
                evidence = weights[0] + weights[1] * of_whole[row] + weights[2] * of_below[row]
                yield np.round(evidence, _DECIMALS)[None]


def measured_as(spectra: Sequence[Spectrum]) -> NDArray[np.void]:
    """Return what a condition is made of, of shape (n_spectra,): ``energy`` (eV, NaN unknown) and ``instrument``."""
    energies = [np.nan if spectrum.collision_energy is None else spectrum.collision_energy for spectrum in spectra]
    kinds = [instrument_class(s.instrument_type, s.metadata.get("instrument")).value for s in spectra]
    found = np.empty(len(spectra), dtype=[("energy", np.float64), ("instrument", "U16")])
    found["energy"], found["instrument"] = energies, kinds
    return found


def condition(first: NDArray[np.void], second: NDArray[np.void]) -> NDArray[np.int64]:
    """Return the row of the weights for each pair, broadcast; the same in either order."""
    apart = np.abs(first["energy"] - second["energy"])
    energy = np.where(np.isnan(apart), N_ENERGY_CLASSES - 1, np.searchsorted(ENERGY_STEPS, apart, side="right"))
    alike = (first["instrument"] == second["instrument"]) & (first["instrument"] != InstrumentClass.OTHER.value)
    found: NDArray[np.int64] = energy + N_ENERGY_CLASSES * alike
    return found
