"""Combinatorial fragmentation as a ranker that learns nothing: which candidate explains the peaks most cheaply."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numba import njit
from numpy.typing import NDArray

from diptych.errors import EvaluationError
from diptych.ranking.query import queries_by_list
from diptych.spectra.masses import ELECTRON_MASS, MONOISOTOPIC_MASS

if TYPE_CHECKING:
    from diptych.molecules.fragment_costs import FragmentCosts
    from diptych.ranking.query import Query
    from diptych.spectra.spectrum import Spectrum

_HYDROGEN = MONOISOTOPIC_MASS["H"]
# Beside the proton that makes the ion: hydrogens that move between the two sides of a cut.
_SHIFTS = np.arange(-2, 3, dtype=np.float64) * MONOISOTOPIC_MASS["H"]
# Equal candidates must stay equal after sums over peaks, else rounding decides ties.
_DECIMALS = 6


@dataclass(frozen=True, kw_only=True)
class BondDisconnectionRanker:
    """Scores a candidate by the peaks that its fragments explain, each weighed by mass, intensity and cost.

    Attributes
    ----------
    tolerance_ppm, min_tolerance_da
        Largest distance of a peak from its fragment; the wider of the two counts.
    mass_exponent, intensity_exponent, energy_exponent
        Of the equation below.

    Notes
    -----
    s(c) = sum over explained peaks of max_f (m/z / precursor m/z)^a (I / I_max)^b / (1 + E_f / E_0)^g, the maximum
    over fragments f of at most two cuts that lie within the tolerance, hydrogens moved by at most two; E_f is the sum
    of the bond dissociation energies of its cuts, E_0 = 320 kJ/mol that of one bond to a heteroatom. This is the form
    of MetFrag's score, Ruttkies et al. 2016, doi:10.1186/s13321-016-0115-9, with exponents that were chosen
    beforehand and not fitted. Peaks above the precursor are left out; every query is scored. Whatever the adduct, ions
    are taken to be protonated or deprotonated: a fragment that keeps the sodium of [M+Na]+ is explained by none.
    """

    tolerance_ppm: float = 10.0
    min_tolerance_da: float = 0.002
    mass_exponent: float = 1.0
    intensity_exponent: float = 0.5
    energy_exponent: float = 0.5
    name: str = "bond_disconnection"

    def __post_init__(self) -> None:
        if not (self.tolerance_ppm >= 0 and self.min_tolerance_da >= 0):
            raise EvaluationError(
                f"bond disconnection: tolerances {self.tolerance_ppm!r} ppm and {self.min_tolerance_da!r} Da; expected "
                "numbers not below 0"
            )

    def score(self, queries: Sequence[Query]) -> list[NDArray[np.floating]]:
        """Return sums over explained peaks, at least 0, one float64 array per query."""
        from diptych.molecules.fragment_costs import fragment_costs

        scores: dict[int, NDArray[np.floating]] = {}
        for candidates, positions in queries_by_list(queries):
            table = np.zeros((len(candidates.structures), len(positions)))
            asked = [self._peaks(queries[i].spectrum) for i in positions]
            for row, structure in enumerate(candidates.structures):
                costs = fragment_costs(structure)
                table[row] = [self._explained(peaks, costs) for peaks in asked]
            scores |= {i: table[:, column].round(_DECIMALS) for column, i in enumerate(positions)}
        return [scores[i] for i in range(len(queries))]

    def _peaks(self, spectrum: Spectrum) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return neutral mass (without the proton), tolerance and weight of each peak up to the precursor."""
        mz, intensity = spectrum.mz, spectrum.intensity.astype(np.float64)
        heaviest = spectrum.precursor_mz or (float(mz[-1]) if mz.size else 1.0)
        tolerance = np.maximum(mz * self.tolerance_ppm * 1e-6, self.min_tolerance_da)
        kept = mz <= heaviest + tolerance
        sign = -1.0 if spectrum.polarity == "negative" else 1.0
        weight = (mz / heaviest) ** self.mass_exponent * (intensity / intensity.max(initial=0.0)) ** (
            self.intensity_exponent
        )
        return (mz - sign * (_HYDROGEN - ELECTRON_MASS))[kept], tolerance[kept], weight[kept]

    def _explained(
        self, peaks: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]], costs: FragmentCosts
    ) -> float:
        mass, tolerance, weight = peaks
        energy = cheapest_energy(mass, tolerance, costs.mass, costs.energy, _SHIFTS)
        found = np.isfinite(energy)
        return float((weight[found] / (1 + energy[found] / _ONE_BOND) ** self.energy_exponent).sum())


_ONE_BOND = 320.0


@njit(cache=True)
def cheapest_energy(
    mass: NDArray[np.float64],
    tolerance: NDArray[np.float64],
    fragment_mass: NDArray[np.float64],
    fragment_energy: NDArray[np.float64],
    shifts: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return for each mass the least energy of a fragment within its tolerance; infinity where there is none.

    Parameters
    ----------
    mass, tolerance
        Da, of shape (n,).
    fragment_mass, fragment_energy
        Da ascending, and kJ/mol; of shape (n_fragments,).
    shifts
        Da that a fragment may be heavier than its atoms.
    """
    found = np.full(mass.size, np.inf)
    for i in range(mass.size):
        for shift in shifts:
            wanted = mass[i] - shift
            j = np.searchsorted(fragment_mass, wanted - tolerance[i])
            while j < fragment_mass.size and fragment_mass[j] <= wanted + tolerance[i]:
                found[i] = min(found[i], fragment_energy[j])
                j += 1
    return found
