"""Which fragments of a structure have the mass of which peak: pairs of spectra and structures, laid end to end."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from diptych.encoders.spectra.peak_batch import ADDUCTS, PeakBatch
from diptych.molecules.fragment_graphs import FragmentGraphs
from diptych.molecules.fragmentation import HYDROGEN_SHIFTS
from diptych.spectra.adduct import Adduct
from diptych.spectra.masses import MONOISOTOPIC_MASS, PROTON_MASS

# The hydrogens that move with a cut, and last the ion of the adduct instead of a proton.
N_SHIFTS = len(HYDROGEN_SHIFTS) + 1
_WIDEST = 2.5
_Floats = NDArray[np.float64]
_Integers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class MassTolerance:
    """How far a peak may lie from a fragment: the standard deviation of the difference.

    Attributes
    ----------
    ppm
        Relative to the mass.
    least
        Da.
    """

    ppm: float = 7.0
    least: float = 0.002


@dataclass(frozen=True, kw_only=True, eq=False)
class FragmentPairs:
    """Spectra, structures to be scored with them, and where their masses meet.

    Attributes
    ----------
    spectrum
        int64, of shape (n_pairs,): row of ``peaks`` of each pair.
    peaks
        The spectra.
    shifts
        Bool, of shape (n_spectra, N_SHIFTS): which shifts a spectrum can show.
    fragment_pair, cut_pair
        int64, of shape (n_fragments,) and (n_cuts,): the pair that each belongs to.
    mass, kind, n_ways, first, second
        As in `FragmentGraphs`; cuts are counted over all pairs, and ``n_cuts`` stands for none.
    relative_mass
        Float32, of shape (n_fragments,): mass relative to the whole molecule.
    cut_kind, cut_share, cut_ends
        As in `FragmentGraphs`.
    match_fragment, match_shift, match_slot
        int64, of shape (n_matches,): fragment, shift, and position in ``slot_pair`` of each meeting.
    log_closeness
        Float32, of shape (n_matches,): -z^2 / 2, with z the difference in standard deviations.
    slot_pair, slot_peak
        int64, of shape (n_slots,): pairs and peaks (position in the flattened ``peaks``) that meet at all.
    """

    spectrum: Tensor
    peaks: PeakBatch
    shifts: Tensor
    fragment_pair: Tensor
    cut_pair: Tensor
    mass: Tensor
    kind: Tensor
    n_ways: Tensor
    first: Tensor
    second: Tensor
    relative_mass: Tensor
    cut_kind: Tensor
    cut_share: Tensor
    cut_ends: Tensor
    match_fragment: Tensor
    match_shift: Tensor
    match_slot: Tensor
    log_closeness: Tensor
    slot_pair: Tensor
    slot_peak: Tensor

    def __len__(self) -> int:
        """Return the number of pairs."""
        return len(self.spectrum)

    def to(self, device: torch.device) -> FragmentPairs:
        """Return the pairs on a device."""
        return FragmentPairs(**{field.name: getattr(self, field.name).to(device) for field in fields(self)})

    @classmethod
    def of(
        cls, peaks: PeakBatch, structures: FragmentGraphs, *, spectrum: _Integers, tolerance: MassTolerance
    ) -> FragmentPairs:
        """Return the pairs of spectra and structures.

        Parameters
        ----------
        peaks
            The spectra, cleaned.
        structures
            One row per pair.
        spectrum
            int64, of shape (n_pairs,): row of ``peaks`` of each pair.
        tolerance
            Of the differences between peaks and fragments.
        """
        fragment_pair = np.repeat(np.arange(len(structures)), np.diff(structures.fragment_offsets))
        cut_pair = np.repeat(np.arange(len(structures)), np.diff(structures.cut_offsets))
        heaviest = np.zeros(len(structures))
        np.maximum.at(heaviest, fragment_pair, structures.mass)
        met = _meetings(peaks, structures, spectrum=spectrum, tolerance=tolerance)
        n_slots = peaks.mz.numel()
        slots, slot = np.unique(met.pair * n_slots + met.peak, return_inverse=True)
        return cls(
            spectrum=torch.from_numpy(np.asarray(spectrum, dtype=np.int64)),
            peaks=peaks,
            shifts=torch.from_numpy(np.isfinite(_shift_masses(peaks))),
            fragment_pair=torch.from_numpy(fragment_pair),
            cut_pair=torch.from_numpy(cut_pair),
            mass=torch.from_numpy(structures.mass),
            kind=torch.from_numpy(structures.kind.astype(np.int64)),
            n_ways=torch.from_numpy(structures.n_ways.astype(np.float32)),
            first=torch.from_numpy(_counted_over_all(structures.first, structures.cut_offsets, fragment_pair)),
            second=torch.from_numpy(_counted_over_all(structures.second, structures.cut_offsets, fragment_pair)),
            relative_mass=torch.from_numpy((structures.mass / heaviest[fragment_pair]).astype(np.float32)),
            cut_kind=torch.from_numpy(structures.cut_kind.astype(np.int64)),
            cut_share=torch.from_numpy(structures.cut_share),
            cut_ends=torch.from_numpy(structures.cut_ends.astype(np.int64)),
            match_fragment=torch.from_numpy(met.fragment),
            match_shift=torch.from_numpy(met.shift),
            match_slot=torch.from_numpy(slot.astype(np.int64)),
            log_closeness=torch.from_numpy(met.log_closeness.astype(np.float32)),
            slot_pair=torch.from_numpy(slots // n_slots),
            slot_peak=torch.from_numpy(slots % n_slots),
        )


class _Meetings(NamedTuple):
    pair: _Integers
    peak: _Integers
    fragment: _Integers
    shift: _Integers
    log_closeness: _Floats


def _counted_over_all(cut: NDArray[np.int32], offsets: _Integers, pair: _Integers) -> _Integers:
    """Return positions among the cuts of all pairs, the number of all for none."""
    return np.where(cut >= 0, cut + offsets[pair], offsets[-1]).astype(np.int64)


def below_precursor(peaks: PeakBatch) -> Tensor:
    """Return where there is a peak that is no whole molecule, bool of shape (n, n_slots)."""
    return peaks.mask & ~(peaks.mz >= peaks.precursor_mz[:, None] - 0.5)


def _meetings(
    peaks: PeakBatch, structures: FragmentGraphs, *, spectrum: _Integers, tolerance: MassTolerance
) -> _Meetings:
    neutral = (peaks.mz - peaks.polarity[:, None] * PROTON_MASS).numpy()
    found = _matches(
        neutral,
        below_precursor(peaks).numpy(),
        _shift_masses(peaks),
        np.asarray(spectrum, dtype=np.int64),
        structures.mass.astype(np.float64),
        structures.fragment_offsets,
        tolerance.ppm * 1e-6,
        tolerance.least,
    )
    return _Meetings(*found)


def _shift_masses(peaks: PeakBatch) -> _Floats:
    """Return what a fragment ion of each spectrum can have more than the neutral fragment and its proton, Da.

    Float64, of shape (n_spectra, N_SHIFTS); NaN where the adduct's ion is a proton as well.
    """
    shifts = np.full((len(peaks), N_SHIFTS), np.nan)
    shifts[:, :-1] = np.array(HYDROGEN_SHIFTS) * MONOISOTOPIC_MASS["H"]
    shifts[:, -1] = _CARRIERS[peaks.adduct.numpy()]
    return shifts


def _carrier(name: str) -> float:
    """Return what the ion of an adduct weighs more than a proton gained (or lost), Da; NaN if it is that."""
    if name == "other":
        return np.nan
    adduct = Adduct.parse(name)
    if adduct.n_molecules != 1 or abs(adduct.charge) != 1:
        return np.nan
    difference = adduct.mass_shift - np.sign(adduct.charge) * PROTON_MASS
    # Radical cations and lost water are what moved hydrogens and cuts describe already.
    return float(difference) if difference > 2 * MONOISOTOPIC_MASS["H"] else np.nan


_CARRIERS = np.array([_carrier(name) for name in ADDUCTS])


@njit(cache=True)
def _matches(
    neutral: _Floats,
    usable: NDArray[np.bool_],
    shifts: _Floats,
    spectrum: _Integers,
    mass: _Floats,
    offsets: _Integers,
    relative: float,
    least: float,
) -> tuple[_Integers, _Integers, _Integers, _Integers, _Floats]:
    """Return pair, flat peak, fragment, shift and log closeness of everything that meets."""
    capacity = 1024
    found = np.empty((4, capacity), np.int64)
    close = np.empty(capacity)
    size = 0
    for pair in range(len(spectrum)):
        row = spectrum[pair]
        start, stop = offsets[pair], offsets[pair + 1]
        masses = mass[start:stop]
        for peak in np.flatnonzero(usable[row]):
            deviation = max(least, relative * neutral[row, peak])
            for shift in range(shifts.shape[1]):
                wanted = neutral[row, peak] - shifts[row, shift]
                if not wanted > 0:
                    continue
                k = np.searchsorted(masses, wanted - _WIDEST * deviation)
                while k < len(masses) and masses[k] <= wanted + _WIDEST * deviation:
                    if size == capacity:
                        capacity *= 2
                        wider, longer = np.empty((4, capacity), np.int64), np.empty(capacity)
                        wider[:, :size], longer[:size] = found[:, :size], close[:size]
                        found, close = wider, longer
                    found[0, size], found[1, size] = pair, row * neutral.shape[1] + peak
                    found[2, size], found[3, size] = start + k, shift
                    close[size] = -0.5 * ((masses[k] - wanted) / deviation) ** 2
                    size += 1
                    k += 1
    return found[0, :size], found[1, :size], found[2, :size], found[3, :size], close[:size]
