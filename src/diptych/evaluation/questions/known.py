"""Spectra whose right answer is known: what queries are made of."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from diptych.errors import StructureError
from diptych.molecules.structure import Structure
from diptych.spectra.quality import Rejection, reject_reason

if TYPE_CHECKING:
    from diptych.data.annotated import AnnotatedSpectrum
    from diptych.spectra.spectrum import Spectrum

_INCHIKEY = re.compile(r"[A-Z]{14}(-[A-Z]{10}-[A-Z])?")


@dataclass(frozen=True, kw_only=True, eq=False)
class KnownSpectrum:
    """A spectrum and the structure it was measured of.

    Attributes
    ----------
    spectrum
        What was measured.
    target
        First block of the structure.
    structure
        None where the file gives no more than an InChIKey.
    written
        The SMILES as the file spells it, by which a candidate file may know it; empty where there is none.
    accession
        What a table of folds may call it, beside its identifier.
    other_block
        First block under which a table of folds knows it, where that was computed by another tool; empty for the same.
    """

    spectrum: Spectrum
    target: str
    structure: Structure | None = None
    written: str = ""
    accession: str = ""
    other_block: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class KnownSpectra:
    """The MS/MS spectra of a file whose structure is known, and the numbers of the others."""

    spectra: tuple[KnownSpectrum, ...]
    n_without_structure: int = 0
    n_not_ms2: int = 0

    @classmethod
    def from_metadata(cls, spectra: Iterable[Spectrum]) -> KnownSpectra:
        """Return the spectra whose metadata names a structure: a readable SMILES, else InChI, else InChIKey."""
        kept: list[KnownSpectrum] = []
        left_out: Counter[str] = Counter()
        for spectrum in spectra:
            if reject_reason(spectrum) is Rejection.NOT_MS2:
                left_out["not MS2"] += 1
            elif (known := _from_metadata(spectrum)) is None:
                left_out["no structure"] += 1
            else:
                kept.append(known)
        return cls(spectra=tuple(kept), n_without_structure=left_out["no structure"], n_not_ms2=left_out["not MS2"])

    @classmethod
    def from_annotated(cls, examples: Iterable[AnnotatedSpectrum]) -> KnownSpectra:
        """Return all examples of a dataset."""
        return cls(
            spectra=tuple(
                KnownSpectrum(
                    spectrum=example.spectrum,
                    target=example.structure.inchikey_first_block,
                    structure=example.structure,
                    written=example.structure.smiles,
                    accession=example.spectrum.identifier,
                )
                for example in examples
            )
        )


def accession_of(spectrum: Spectrum) -> str:
    """Return what a table of folds may call a spectrum: its accession, else its spectrum id, else its identifier."""
    return spectrum.metadata.get("accession") or spectrum.metadata.get("spectrum_id") or spectrum.identifier


def stated_structure(spectrum: Spectrum) -> Structure | None:
    """Return the structure that a spectrum's metadata gives: a readable SMILES, else InChI; None where it has none."""
    smiles, inchi = (spectrum.metadata.get(key, "").strip() for key in ("smiles", "inchi"))
    return _read(Structure.from_smiles, smiles) or _read(Structure.from_inchi, inchi)


def _from_metadata(spectrum: Spectrum) -> KnownSpectrum | None:
    metadata = spectrum.metadata
    written = metadata.get("smiles", "").strip()
    structure = stated_structure(spectrum)
    inchikey = metadata.get("inchikey", "").strip()
    if structure is not None:
        target = structure.inchikey_first_block
    elif _INCHIKEY.fullmatch(inchikey):
        target = inchikey[:14]
    else:
        return None
    return KnownSpectrum(
        spectrum=spectrum, target=target, structure=structure, written=written, accession=accession_of(spectrum)
    )


@lru_cache(maxsize=100_000)
def _read(reader: Callable[[str], Structure], text: str) -> Structure | None:
    """Return the structure, read once for all spectra of a molecule; None where the text is none."""
    if not text:
        return None
    try:
        return reader(text)
    except StructureError:
        return None
