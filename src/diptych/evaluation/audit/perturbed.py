"""What a method looks at: its answers to spectra from which one thing has been taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from diptych.ranking.query import Query
    from diptych.ranking.ranking import Ranker
    from diptych.spectra.spectrum import Spectrum

_CH2 = 14.01565
_PRECURSOR_WINDOW_DA = 1.6

Perturbation = Callable[["Spectrum", np.random.Generator], "Spectrum"]


def flattened(spectrum: Spectrum, _: np.random.Generator) -> Spectrum:
    """Return the spectrum with all intensities equal."""
    return spectrum.with_peaks(spectrum.mz.copy(), np.ones(spectrum.n_peaks, dtype=np.float32))


def permuted(spectrum: Spectrum, generator: np.random.Generator) -> Spectrum:
    """Return the spectrum with its intensities dealt out among its peaks at random."""
    return spectrum.with_peaks(spectrum.mz.copy(), generator.permutation(spectrum.intensity))


def rounded(step_da: float) -> Perturbation:
    """Return a perturbation that rounds m/z to multiples of a step; peaks that fall together are added."""

    def perturb(spectrum: Spectrum, _: np.random.Generator) -> Spectrum:
        mz, owner = np.unique(np.round(spectrum.mz / step_da) * step_da, return_inverse=True)
        intensity = np.bincount(owner, weights=spectrum.intensity, minlength=mz.size).astype(np.float32)
        kept = mz > 0
        return spectrum.with_peaks(mz[kept], intensity[kept])

    return perturb


def shifted_precursor(shift_da: float) -> Perturbation:
    """Return a perturbation that states a precursor m/z that is wrong; the peaks stay."""

    def perturb(spectrum: Spectrum, _: np.random.Generator) -> Spectrum:
        if spectrum.precursor_mz is None:
            return spectrum
        return spectrum.with_changes(precursor_mz=spectrum.precursor_mz + shift_da)

    return perturb


def without_precursor(spectrum: Spectrum, _: np.random.Generator) -> Spectrum:
    """Return the spectrum without a stated precursor m/z."""
    return spectrum.with_changes(precursor_mz=None)


def without_precursor_peaks(spectrum: Spectrum, _: np.random.Generator) -> Spectrum:
    """Return the spectrum without the peaks from 1.6 below its precursor m/z upwards."""
    if spectrum.precursor_mz is None:
        return spectrum
    kept = spectrum.mz < spectrum.precursor_mz - _PRECURSOR_WINDOW_DA
    return spectrum.with_peaks(spectrum.mz[kept], spectrum.intensity[kept])


PERTURBATIONS: Mapping[str, Perturbation] = {
    "intensities flattened": flattened,
    "intensities permuted": permuted,
    "m/z rounded to 0.01": rounded(0.01),
    "m/z rounded to 0.1": rounded(0.1),
    "m/z rounded to 1": rounded(1.0),
    "precursor peaks removed": without_precursor_peaks,
    "precursor shifted by 0.05": shifted_precursor(0.05),
    "precursor shifted by CH2": shifted_precursor(_CH2),
    "precursor not stated": without_precursor,
}
NOT_ANSWERED = frozenset({"precursor not stated"})
"""Perturbations after which a model does not answer at all, see `diptych.spectra.quality.reject_reason`."""


@dataclass(frozen=True)
class PerturbedRanker:
    """Asks the inner ranker each query with its spectrum perturbed; draws follow from seed and place of the query."""

    inner: Ranker
    perturbation: str
    seed: int = 0

    @property
    def name(self) -> str:
        """What reports call it."""
        return self.perturbation

    def score(self, queries: Sequence[Query]) -> list[NDArray[np.floating]]:
        """Return the inner ranker's scores for the perturbed spectra."""
        perturb = PERTURBATIONS[self.perturbation]
        return self.inner.score(
            [
                replace(query, spectrum=perturb(query.spectrum, np.random.default_rng([self.seed, number])))
                for number, query in enumerate(queries)
            ]
        )
