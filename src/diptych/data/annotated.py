"""A measured spectrum together with the structure it was measured of."""

from __future__ import annotations

from dataclasses import dataclass

from diptych.molecules.structure import Structure
from diptych.spectra.spectrum import Spectrum


@dataclass(frozen=True, kw_only=True, eq=False)
class AnnotatedSpectrum:
    """One training or test example.

    Attributes
    ----------
    spectrum
        As it was measured.
    structure
        The standardised structure; its first block is the identity that folds and candidate lists go by.
    fold
        "train", "val", "test" or "none" under the split that was asked for; None where none was.
    source
        The file or collection that the spectrum comes from.
    licence
        As the record states it; empty where it does not.
    """

    spectrum: Spectrum
    structure: Structure
    fold: str | None = None
    source: str = ""
    licence: str = ""
