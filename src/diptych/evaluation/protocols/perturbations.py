"""Ways to spoil a spectrum, each a pure function of spectrum, strength and seed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diptych.data.columns import normalised_collision_energy
from diptych.errors import EvaluationError
from diptych.spectra.cleaning import keep_mz_range

if TYPE_CHECKING:
    from diptych.spectra.spectrum import Spectrum

_LOWEST_MZ = 40.0


@dataclass(frozen=True, kw_only=True)
class Perturbation:
    """One way to spoil spectra, at one strength.

    Attributes
    ----------
    name
        Of `PERTURBATIONS`.
    strength
        0 leaves the spectrum as it is; what else it means says the function.
    seed
        With the spectrum's identifier it decides what is drawn.
    """

    name: str
    strength: float
    seed: int = 0

    def __post_init__(self) -> None:
        if self.name not in PERTURBATIONS:
            raise EvaluationError(f"no perturbation {self.name!r}; expected one of {', '.join(PERTURBATIONS)}")
        if not np.isfinite(self.strength):
            raise EvaluationError(f"perturbation {self.name!r}: strength {self.strength!r}; expected a number")

    def __call__(self, spectrum: Spectrum) -> Spectrum:
        """Return the spoiled spectrum; one without peaks is returned as it is."""
        if not spectrum.n_peaks or not self.strength:
            return spectrum
        digest = hashlib.blake2b(f"{self.name} {spectrum.identifier}".encode(), digest_size=8).digest()
        generator = np.random.default_rng([self.seed, int.from_bytes(digest, "little")])
        return PERTURBATIONS[self.name](spectrum, self.strength, generator)


def add_noise_peaks(spectrum: Spectrum, strength: float, generator: np.random.Generator) -> Spectrum:
    """Return the spectrum with ``strength`` times as many further peaks, m/z uniform up to the precursor.

    Their intensities are drawn from those of the spectrum's weaker half, so that intensity alone does not tell them.
    """
    n_noise = round(strength * spectrum.n_peaks)
    highest = max(spectrum.precursor_mz or float(spectrum.mz[-1]), _LOWEST_MZ + 1)
    weaker = np.sort(spectrum.intensity)[: (spectrum.n_peaks + 1) // 2]
    mz = np.concatenate([spectrum.mz, generator.uniform(_LOWEST_MZ, highest, n_noise)])
    intensity = np.concatenate([spectrum.intensity, generator.choice(weaker, n_noise)])
    order = np.argsort(mz, kind="stable")
    return spectrum.with_peaks(mz[order], intensity[order])


def drop_peaks(spectrum: Spectrum, strength: float, generator: np.random.Generator) -> Spectrum:
    """Return the spectrum without the fraction ``strength`` of its peaks, at random; at least one stays."""
    n_kept = max(1, round((1 - strength) * spectrum.n_peaks))
    kept = np.sort(generator.permutation(spectrum.n_peaks)[:n_kept])
    return spectrum.with_peaks(spectrum.mz[kept], spectrum.intensity[kept])


def shift_mz(spectrum: Spectrum, strength: float, generator: np.random.Generator) -> Spectrum:
    """Return the spectrum with all fragments moved by ``strength`` ppm, up or down by chance; the precursor stays."""
    sign = 1.0 if generator.random() < 0.5 else -1.0
    return spectrum.with_peaks(spectrum.mz * (1 + sign * strength * 1e-6), spectrum.intensity)


def scatter_mz(spectrum: Spectrum, strength: float, generator: np.random.Generator) -> Spectrum:
    """Return the spectrum with each fragment moved by an error of its own, of standard deviation ``strength`` ppm."""
    mz = spectrum.mz * (1 + generator.normal(0.0, strength * 1e-6, spectrum.n_peaks))
    order = np.argsort(mz, kind="stable")
    return spectrum.with_peaks(mz[order], spectrum.intensity[order])


def flatten_intensities(spectrum: Spectrum, strength: float, _: np.random.Generator) -> Spectrum:
    """Return the spectrum with relative intensities to the power 1 - ``strength``; 1 makes all equal."""
    relative: NDArray[np.float32] = spectrum.intensity / spectrum.intensity.max()
    return spectrum.with_peaks(spectrum.mz, (relative ** (1 - strength)).astype(np.float32))


def permute_intensities(spectrum: Spectrum, strength: float, generator: np.random.Generator) -> Spectrum:
    """Return the spectrum with the intensities of a fraction ``strength`` of its peaks exchanged among them."""
    chosen = generator.permutation(spectrum.n_peaks)[: round(strength * spectrum.n_peaks)]
    intensity = spectrum.intensity.copy()
    intensity[chosen] = intensity[generator.permutation(chosen)]
    return spectrum.with_peaks(spectrum.mz, intensity)


def crop_range(spectrum: Spectrum, strength: float, _: np.random.Generator) -> Spectrum:
    """Return the spectrum without peaks below ``strength`` times the precursor m/z, as an ion trap cuts them off."""
    if spectrum.precursor_mz is None:
        return spectrum
    return keep_mz_range(spectrum, minimum=strength * spectrum.precursor_mz)


def change_stated_energy(spectrum: Spectrum, strength: float, _: np.random.Generator) -> Spectrum:
    """Return the spectrum with its stated collision energy (eV and normalised) multiplied by 1 + ``strength``."""
    energy = spectrum.collision_energy
    normalised = normalised_collision_energy(spectrum.metadata)
    metadata = dict(spectrum.metadata)
    if normalised is not None:
        metadata["normalised_collision_energy"] = str(normalised * (1 + strength))
    return spectrum.with_changes(
        collision_energy=None if energy is None else energy * (1 + strength), metadata=metadata
    )


PERTURBATIONS: Mapping[str, Callable[[Spectrum, float, np.random.Generator], Spectrum]] = {
    "noise_peaks": add_noise_peaks,
    "dropped_peaks": drop_peaks,
    "shifted_mz_ppm": shift_mz,
    "scattered_mz_ppm": scatter_mz,
    "flattened_intensities": flatten_intensities,
    "permuted_intensities": permute_intensities,
    "cropped_range": crop_range,
    "stated_energy": change_stated_energy,
}
"""Name -> function of spectrum, strength and generator."""

STRENGTHS: Mapping[str, tuple[float, ...]] = {
    "noise_peaks": (0.5, 1.0, 2.0, 4.0),
    "dropped_peaks": (0.25, 0.5, 0.75, 0.9),
    "shifted_mz_ppm": (5.0, 10.0, 20.0, 50.0),
    "scattered_mz_ppm": (5.0, 10.0, 20.0, 50.0),
    "flattened_intensities": (0.5, 1.0),
    "permuted_intensities": (0.5, 1.0),
    "cropped_range": (0.2, 0.33, 0.5),
    "stated_energy": (-0.5, 0.5, 1.0),
}
"""Name -> the strengths that are asked where none are given."""


@dataclass(frozen=True, kw_only=True, eq=False)
class OtherEnergies:
    """Replicates at other collision energies, by which queries can be replaced.

    Attributes
    ----------
    by_ion
        (first block, adduct, instrument type) -> its spectra with a known energy in eV.
    """

    by_ion: Mapping[tuple[str, str, str], tuple[Spectrum, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, spectra: Mapping[str, tuple[Spectrum, ...]]) -> OtherEnergies:
        """Return the replicates among the spectra of each molecule (first block)."""
        by_ion: dict[tuple[str, str, str], list[Spectrum]] = {}
        for block, measured in spectra.items():
            for spectrum in measured:
                if spectrum.collision_energy is not None:
                    by_ion.setdefault(_ion(block, spectrum), []).append(spectrum)
        return cls(by_ion={ion: tuple(found) for ion, found in by_ion.items()})

    def nearest(self, block: str, spectrum: Spectrum, *, at_least_ev: float) -> Spectrum | None:
        """Return the replicate whose energy is nearest, but at least so far away; None where there is none."""
        energy = spectrum.collision_energy
        if energy is None:
            return None
        others = [
            (abs(other.collision_energy - energy), other.identifier, other)
            for other in self.by_ion.get(_ion(block, spectrum), ())
            if other.collision_energy is not None and abs(other.collision_energy - energy) >= at_least_ev
        ]
        return min(others, key=lambda item: item[:2])[2] if others else None


def _ion(block: str, spectrum: Spectrum) -> tuple[str, str, str]:
    return block, spectrum.adduct.name if spectrum.adduct else "", spectrum.instrument_type or ""
