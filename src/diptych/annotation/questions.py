"""From a spectrum to what is asked of the library: mass windows, or the reason why nothing can be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from diptych.annotation.annotation import Annotation
from diptych.spectra import Adduct, Spectrum
from diptych.spectra.adduct import LIKELY_ADDUCTS
from diptych.spectra.quality import QualitySettings, doubts, rejection_text


@dataclass(frozen=True, kw_only=True)
class MassWindow:
    """Neutral masses that explain a precursor as one adduct.

    Attributes
    ----------
    adduct
        The ion that is assumed.
    neutral_mass
        Da.
    half_width_da
        Da; ``ppm`` of the precursor m/z, scaled to the neutral mass.

    Notes
    -----
    m/z = (n M + shift) / abs(z), hence dM = abs(z) / n * d(m/z) with d(m/z) = ppm * 1e-6 * m/z.
    """

    adduct: Adduct
    neutral_mass: float
    half_width_da: float

    @classmethod
    def around(cls, precursor_mz: float, adduct: Adduct, *, ppm: float) -> MassWindow:
        """Return the window of a precursor m/z (Th) under an adduct."""
        return cls(
            adduct=adduct,
            neutral_mass=float(adduct.neutral_mass(precursor_mz)),
            half_width_da=ppm * 1e-6 * precursor_mz * abs(adduct.charge) / adduct.n_molecules,
        )


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of the library for one spectrum, without its peaks.

    Attributes
    ----------
    blank
        The answer without its candidates.
    windows
        Where in mass to look for them; at least one.
    """

    blank: Annotation
    windows: tuple[MassWindow, ...]


@dataclass(frozen=True, kw_only=True)
class Asking:
    """How spectra become questions.

    Attributes
    ----------
    ppm
        Half-width of the mass window, parts per million of the precursor m/z.
    adducts
        Assumed for spectra that do not state theirs; None for the likely ones of their polarity.
    quality
        What a spectrum must have to be asked about.
    """

    ppm: float
    adducts: tuple[Adduct, ...] | None = None
    quality: QualitySettings = field(default_factory=QualitySettings)

    def ask(self, spectrum: Spectrum, *, source: str = "") -> Question | Annotation:
        """Return what to ask about a spectrum, or an annotation with the reason why nothing can be asked."""
        blank = blank_annotation(spectrum, source=source)
        rejection = rejection_text(spectrum, self.quality)
        if rejection or spectrum.precursor_mz is None:
            return replace(blank, reason=rejection or "no precursor m/z")
        adducts = self._adducts_of(spectrum)
        if isinstance(adducts, str):
            return replace(blank, reason=adducts)
        windows = tuple(MassWindow.around(spectrum.precursor_mz, adduct, ppm=self.ppm) for adduct in adducts)
        windows = tuple(window for window in windows if window.neutral_mass > 0)
        if not windows:
            return replace(blank, reason=f"precursor lighter than its adduct: {_names(adducts)}")
        return Question(blank=replace(blank, reason=doubts(spectrum, ppm=self.ppm)), windows=windows)

    def _adducts_of(self, spectrum: Spectrum) -> Sequence[Adduct] | str:
        if spectrum.adduct is not None:
            return (spectrum.adduct,)
        polarity = spectrum.polarity
        if self.adducts is None and polarity is None:
            return "neither adduct nor polarity known: name the adducts to assume, with --adducts"
        assumed = self.adducts if self.adducts is not None else LIKELY_ADDUCTS[polarity or "positive"]
        fitting = tuple(adduct for adduct in assumed if _agrees(adduct, spectrum))
        if not fitting:
            return f"no assumed adduct fits the charge: {_charge(spectrum)} against {_names(assumed)}"
        return fitting


def _agrees(adduct: Adduct, spectrum: Spectrum) -> bool:
    if spectrum.charge:
        return adduct.charge == spectrum.charge
    return spectrum.polarity is None or (adduct.charge > 0) == (spectrum.polarity == "positive")


def _charge(spectrum: Spectrum) -> str:
    return f"charge {spectrum.charge:+d}" if spectrum.charge else f"polarity {spectrum.polarity}"


def _names(adducts: Sequence[Adduct]) -> str:
    return ", ".join(adduct.name for adduct in adducts)


def blank_annotation(spectrum: Spectrum, *, source: str = "") -> Annotation:
    """Return the answer to a spectrum before anything was asked: who it is."""
    metadata, precursor_mz = spectrum.metadata, spectrum.precursor_mz
    return Annotation(
        identifiers=(spectrum.identifier,),
        source=metadata.get("file_in_folder") or source,
        feature_id=metadata.get("feature_id", ""),
        scans=metadata.get("scans", ""),
        retention_time=metadata.get("retention_time", ""),
        precursor_mz=precursor_mz if precursor_mz is not None and np.isfinite(precursor_mz) else None,
        adduct=spectrum.adduct,
    )
