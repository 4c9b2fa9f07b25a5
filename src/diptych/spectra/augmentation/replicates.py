"""Two spectra of one ion as one, as if its collision energy had been stepped."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from diptych.errors import SpectrumError
from diptych.spectra.cleaning import merge_close_peaks
from diptych.spectra.spectrum import Spectrum


def merge_replicates(spectrum: Spectrum, other: Spectrum, *, weight: float, merge_ppm: float = 10.0) -> Spectrum:
    """Return the sum of two spectra of one molecule and adduct, each relative to its strongest peak.

    Parameters
    ----------
    spectrum
        What stays of it: everything but the peaks and the collision energy.
    other
        Of the same molecule; only its peaks and its collision energy are used.
    weight
        Of the other spectrum, in [0, 1]; this one has the rest.
    merge_ppm
        Peaks of the sum that follow one another within this are one peak.

    Raises
    ------
    SpectrumError
        The adducts differ.

    Notes
    -----
    I = (1 - w) I_1 / max I_1 + w I_2 / max I_2. The idea is that of instruments, which record one spectrum of ions
    broken at several collision energies in steps; there is no paper behind it. Collision energy: the mean of both, by
    weight; None where one of them is unknown.
    """
    names = [x.adduct.name if x.adduct else None for x in (spectrum, other)]
    if names[0] != names[1]:
        raise SpectrumError(
            f"spectrum {spectrum.identifier!r} of {names[0]} merged with {other.identifier!r} of {names[1]}; "
            "expected one adduct"
        )
    mz = np.concatenate([spectrum.mz, other.mz])
    intensity = np.concatenate([_relative(spectrum) * np.float32(1 - weight), _relative(other) * np.float32(weight)])
    order = np.argsort(mz, kind="stable")
    order = order[intensity[order] > 0]
    merged = merge_close_peaks(spectrum.with_peaks(mz[order], intensity[order]), ppm=merge_ppm)
    energies = (spectrum.collision_energy, other.collision_energy)
    known = energies[0] is not None and energies[1] is not None
    return merged.with_changes(
        collision_energy=(1 - weight) * energies[0] + weight * energies[1] if known else None  # type: ignore[operator]
    )


def _relative(spectrum: Spectrum) -> NDArray[np.float32]:
    relative: NDArray[np.float32] = spectrum.intensity / spectrum.intensity.max(initial=np.finfo(np.float32).tiny)
    return relative
