"""Whether tested spectra stand in training, too: peak by peak, or as near copies."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diptych.evaluation.audit.leaks import GIVE_TRAINING, Finding, Verdict, not_checked

if TYPE_CHECKING:
    from diptych.spectra.spectrum import Spectrum

CHECK = "shared spectra"
_TELLING_PEAKS = 3
_PPM = 15.0
_PEAK_DA = 0.006
_PRECURSOR_DA = 0.01
_LEAST_SHARE_OF_PEAKS = 0.5
_AGREEING = 0.9
_SCALED_BY = 20
_SLACK = 0.03
# So many peaks must agree: each to this share of itself and that of the base peak. Few peaks agree by chance.
_AGREEMENT = ((6, _SLACK, 0.0015), (_TELLING_PEAKS, 0.01, 0.0006))


def shared_spectra(tested: Sequence[Spectrum], training: Sequence[Spectrum]) -> Finding:
    """Return how many tested spectra stand in training too: the same, peak by peak, or as near copies alone."""
    telling = [spectrum for spectrum in tested if spectrum.n_peaks >= _TELLING_PEAKS]
    reference = [spectrum for spectrum in training if spectrum.n_peaks >= _TELLING_PEAKS]
    if not telling:
        none = f"none of {len(tested)} tested spectra has {_TELLING_PEAKS} peaks"
        return not_checked(CHECK, none if tested else "no spectrum of the queries is given: --spectra")
    if not reference:
        none = f"none of {len(training)} training spectra has {_TELLING_PEAKS} peaks"
        return not_checked(CHECK, none if training else f"the spectra of training are not given: {GIVE_TRAINING}")
    hashes = {peak_hash(spectrum) for spectrum in reference}
    others = [spectrum for spectrum in telling if peak_hash(spectrum) not in hashes]
    n_same, n_near = len(telling) - len(others), sum(row is not None for row in near_copies(others, reference))
    return Finding(
        check=CHECK,
        verdict=_graded(n_same / len(telling), n_near / len(telling)),
        says=f"{n_same} of {len(telling)} tested spectra of at least {_TELLING_PEAKS} peaks are peak by peak those "
        f"of a training spectrum, {n_near} others are near copies of one; {len(tested) - len(telling)} of fewer peaks "
        "were not compared.",
        numbers={
            "same": n_same,
            "near": n_near,
            "of_spectra": len(telling),
            "too_few_peaks": len(tested) - len(telling),
        },
    )


def _graded(same: float, near: float) -> Verdict:
    if same > 0.001 or near > 0.01:
        return Verdict.FAIL
    return Verdict.WARN if same or near > 0.001 else Verdict.PASS


def peak_hash(spectrum: Spectrum) -> str:
    """Return a hash that spectra share where all peaks agree: m/z to 0.0001, intensity to 0.1 % of the base peak."""
    relative = spectrum.intensity / spectrum.intensity.max()
    rows = np.column_stack([np.round(spectrum.mz * 1e4), np.round(relative * 1e3)]).astype(np.int64)
    return hashlib.blake2b(rows.tobytes(), digest_size=12).hexdigest()


def near_copies(tested: Sequence[Spectrum], training: Sequence[Spectrum]) -> list[int | None]:
    """Return for each tested spectrum the row of a training spectrum of which it is a near copy; None without one.

    Only spectra of one precursor m/z, within 15 ppm or 0.01, are compared; those of an unknown precursor with all that
    have their strongest peak there. The test is `is_near_copy`.
    """
    stated, unstated = _Window.by_precursor(training), _Window.by_strongest(training, unstated=True)
    strongest = _Window.by_strongest(training, unstated=False)

    def rows(spectrum: Spectrum) -> Iterable[int]:
        if spectrum.precursor_mz is None:
            return strongest.near(_strongest(spectrum))
        return np.append(stated.near(spectrum.precursor_mz), unstated.near(_strongest(spectrum)))

    return [
        next((int(row) for row in rows(spectrum) if is_near_copy(spectrum, training[row])), None) for spectrum in tested
    ]


class _Window:
    """Rows in the order of an m/z, to be found by it."""

    def __init__(self, found: Iterable[tuple[float, int]]) -> None:
        pairs = sorted(found)
        self.mz = np.array([mz for mz, _ in pairs], dtype=np.float64)
        self.rows = np.array([row for _, row in pairs], dtype=np.int64)

    @classmethod
    def by_precursor(cls, spectra: Sequence[Spectrum]) -> _Window:
        """Return the rows of known precursors."""
        return cls((one.precursor_mz, row) for row, one in enumerate(spectra) if one.precursor_mz is not None)

    @classmethod
    def by_strongest(cls, spectra: Sequence[Spectrum], *, unstated: bool) -> _Window:
        """Return all rows by their strongest peak, or those of unknown precursors alone."""
        kept = ((one, row) for row, one in enumerate(spectra) if one.precursor_mz is None or not unstated)
        return cls((_strongest(one), row) for one, row in kept)

    def near(self, mz: float) -> NDArray[np.int64]:
        """Return the rows near an m/z."""
        half = max(_PRECURSOR_DA, mz * _PPM * 1e-6)
        low, high = np.searchsorted(self.mz, [mz - half, mz + half])
        return self.rows[low:high]


def _strongest(spectrum: Spectrum) -> float:
    return float(spectrum.mz[np.argmax(spectrum.intensity)])


def is_near_copy(one: Spectrum, other: Spectrum) -> bool:
    """Return whether two spectra are one measurement, written twice: shifted by little, rounded, scaled or thinned.

    Notes
    -----
    Peaks are matched one to one within 15 ppm or 0.006, whichever is more, and the intensities of the second scaled by
    the median ratio of the 20 strongest matches. At least 90 % of the peaks above the weaker end of both spectra, and
    at least six, must be matched by one whose intensity is the same to 3 % and 0.15 % of the base peak; from three to
    five suffice where they are the same to 1 % and 0.06 %. The weaker end is the higher of the two smallest
    intensities, so that peaks which were cut away do not count; one spectrum has at most twice the peaks of the other.
    Replicate measurements agree less: their weak peaks differ by more.
    """
    fewer, more = sorted((one.n_peaks, other.n_peaks))
    if fewer < max(_TELLING_PEAKS, _LEAST_SHARE_OF_PEAKS * more):
        return False
    rows, matches = _matched(one.mz, other.mz)
    if rows.size < _TELLING_PEAKS:
        return False
    first, second = one.intensity / one.intensity.max(), other.intensity / other.intensity.max()
    ratios = first[rows] / second[matches]
    second = second * np.median(ratios[np.argsort(-first[rows], kind="stable")[:_SCALED_BY]])
    weakest = (1 - _SLACK) * max(float(first.min()), float(second.min()))
    here, there = first[rows], second[matches]
    higher, apart = np.maximum(here, there), np.abs(here - there)
    kept = higher >= weakest
    # Each match that is kept stands for one peak or two, each peak without a match for itself.
    alone = np.count_nonzero(first >= weakest) - np.count_nonzero(here >= weakest)
    alone += np.count_nonzero(second >= weakest) - np.count_nonzero(there >= weakest)
    needed = _AGREEING * (np.count_nonzero(kept) + alone)
    return any(
        np.count_nonzero(kept & (apart <= relative * higher + of_base_peak)) >= max(least, needed)
        for least, relative, of_base_peak in _AGREEMENT
    )


def _matched(mz: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows of the first and of the second array that lie together, each at most once; both ascend."""
    after = np.clip(np.searchsorted(other, mz), 1, other.size - 1)
    nearest = after - (mz - other[after - 1] <= other[after] - mz)
    rows = np.flatnonzero(np.abs(other[nearest] - mz) <= np.maximum(_PEAK_DA, mz * _PPM * 1e-6))
    matches, firsts = np.unique(nearest[rows], return_index=True)
    return rows[firsts], matches
