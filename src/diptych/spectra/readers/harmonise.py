"""From what a file says about a spectrum to a Spectrum: one reading of names and values for all formats."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from numpy.typing import ArrayLike

from diptych.errors import AdductError, ReadError, SpectrumError
from diptych.spectra.adduct import Adduct
from diptych.spectra.collision_energy import parse_collision_energy
from diptych.spectra.readers.keys import harmonised_key
from diptych.spectra.spectrum import Spectrum

_ABSENT = frozenset({"", "n/a", "na", "none", "null", "nan", "unknown", "n.d.", "-"})
_MAY_BE_ABSENT = ("smiles", "inchi", "inchikey", "formula", "adduct", "compound_name")
_IDENTIFIERS = ("identifier", "spectrum_id", "title", "feature_id", "scans", "usi", "compound_name")
_CHARGE = re.compile(r"([+-]?)(\d{1,3})(?:\.0*)?([+-]?)|(\++|-+)")
_INCHIKEY = re.compile(r"[A-Z]{14}(?:-[A-Z]{8,10}(?:-[A-Z])?)?")
# Fewer decimals than this are noted: half a unit of the fourth is narrower than any usual window.
_MANY_DECIMALS = 4
_PLAIN_NUMBER = re.compile(r"[+-]?\d*(?:\.(\d*))?")
_POSITIVE = frozenset({"positive", "pos", "p", "+", "+1", "1", "positive ion mode", "esi+"})
_NEGATIVE = frozenset({"negative", "neg", "n", "-", "-1", "negative ion mode", "esi-"})
_MS_LEVELS = {"ms": "1", "ms1": "1", "ms2": "2", "ms/ms": "2", "msms": "2", "ms3": "3", "ms4": "4"}


def build_spectrum(
    raw: Mapping[str, str],
    mz: ArrayLike,
    intensity: ArrayLike,
    *,
    path: Path,
    line: int,
    ordinal: int,
    states_decimals: bool = True,
) -> Spectrum:
    """Return the spectrum of one record.

    Parameters
    ----------
    raw
        What the record says, under the names and with the values that the file uses.
    mz, intensity
        Of shape (n_peaks,), Th and arbitrary units; unsorted and unusable peaks are allowed.
    path, line
        Where the record begins, for messages; line 0 where there are no lines.
    ordinal
        Number of the record in the file, from 1; its identifier where the record has none.
    states_decimals
        Whether the precursor m/z was written by somebody who chose the decimals; a number in XML is a float as text.

    Raises
    ------
    ReadError
        There are not as many m/z values as intensities.

    Notes
    -----
    What becomes a field (precursor m/z, charge, adduct, instrument type, identifier) leaves the metadata; its text is
    kept where it could not be understood, or was written in another spelling. The number of decimals of the precursor
    m/z stays as ``precursor_mz_decimals`` where it is below four: 480 is not 480.0000.
    """
    metadata = harmonise_keys(raw)
    _take_pepmass_apart(metadata)
    _harmonise_values(metadata)
    precursor_mz = _precursor_mz(metadata, states_decimals=states_decimals)
    polarity = metadata.get("ionmode")
    adduct = _adduct(metadata, polarity)
    charge = _charge(metadata, polarity, adduct)
    collision_energy = _collision_energy(metadata, precursor_mz, charge or (adduct.charge if adduct else None))
    identifier = _identifier(metadata, ordinal=ordinal)
    try:
        return Spectrum.from_peaks(
            mz,
            intensity,
            precursor_mz=precursor_mz,
            charge=charge,
            adduct=adduct,
            collision_energy=collision_energy,
            instrument_type=metadata.pop("instrument_type", None),
            identifier=identifier,
            metadata=metadata,
        )
    except (SpectrumError, ValueError) as error:
        place = f"line {line}, " if line else ""
        raise ReadError(f"{path}, {place}spectrum {identifier!r}: {error}") from error


def harmonise_keys(raw: Mapping[str, str]) -> dict[str, str]:
    """Return metadata under matchms' names, without empty values.

    Of two names for one thing the first that has a value gets the harmonised name, the other keeps its own.
    """
    metadata: dict[str, str] = {}
    for key, value in raw.items():
        text = value.strip()
        if not text:
            continue
        name = harmonised_key(key)
        if name in metadata and metadata[name] != text:
            is_absent = metadata[name].lower() in _ABSENT
            name = name if is_absent else key.strip().lower()
        metadata[name] = text
    metadata.pop("num_peaks", None)
    return metadata


def _take_pepmass_apart(metadata: dict[str, str]) -> None:
    """Split ``PEPMASS=m/z intensity charge``."""
    parts = metadata.get("precursor_mz", "").strip("() ").split()
    if len(parts) > 1:
        metadata["precursor_mz"] = parts[0].rstrip(",")
        for key, text in zip(("precursor_intensity", "charge"), parts[1:], strict=False):
            if text.lower() not in _ABSENT:
                metadata.setdefault(key, text)


def _harmonise_values(metadata: dict[str, str]) -> None:
    for key in _MAY_BE_ABSENT:
        if key in metadata and all(word in _ABSENT for word in metadata[key].strip("\"'").lower().split()):
            del metadata[key]
    _harmonise_structure(metadata)
    if "ionmode" in metadata:
        metadata["ionmode"] = _ionmode(metadata["ionmode"])
    if "ms_level" in metadata:
        metadata["ms_level"] = _MS_LEVELS.get(metadata["ms_level"].lower(), metadata["ms_level"])


def _harmonise_structure(metadata: dict[str, str]) -> None:
    if metadata.get("smiles", "").startswith("InChI="):
        metadata.setdefault("inchi", metadata.pop("smiles"))
    if "inchi" in metadata:
        inchi = metadata["inchi"].strip("\"'")
        metadata["inchi"] = f"InChI={inchi}" if inchi.startswith(("1S/", "1/")) else inchi
    if "inchikey" in metadata:
        inchikey = metadata["inchikey"].strip("\"'").upper().removeprefix("INCHIKEY=")
        if _INCHIKEY.fullmatch(inchikey):
            metadata["inchikey"] = inchikey
        else:
            metadata["malformed_inchikey"] = metadata.pop("inchikey")


def _ionmode(text: str) -> str:
    """Return "positive" or "negative"; other words as they are.

    >>> _ionmode("P"), _ionmode("Negative"), _ionmode("both")
    ('positive', 'negative', 'both')
    """
    lower = text.lower()
    if lower in _POSITIVE:
        return "positive"
    return "negative" if lower in _NEGATIVE else lower


def _precursor_mz(metadata: dict[str, str], *, states_decimals: bool) -> float | None:
    """Return the m/z that a record states and take it from the metadata; 0 means unknown.

    Of several stages or alternatives (``448.2/285.1``) the first is taken, as of adducts.
    """
    text = metadata.get("precursor_mz")
    if text is None:
        return None
    try:
        value = float(text.split("/")[0])
    except ValueError:
        return None
    if not math.isfinite(value):
        return None
    number = _PLAIN_NUMBER.fullmatch(text.split("/")[0].strip()) if states_decimals and value else None
    if number is not None and len(number[1] or "") < _MANY_DECIMALS:
        metadata.setdefault("precursor_mz_decimals", str(len(number[1] or "")))
    if "/" not in text:
        del metadata["precursor_mz"]
    return value or None


def _adduct(metadata: dict[str, str], polarity: str | None) -> Adduct | None:
    """Return the adduct that a record states; its text stays where it was not understood or is spelt otherwise."""
    text = metadata.get("adduct")
    if text is None:
        return None
    adduct = _parsed_adduct(text, polarity)
    if adduct is not None and adduct.name == text:
        del metadata["adduct"]
    return adduct


def _parsed_adduct(text: str, polarity: str | None) -> Adduct | None:
    sign = {"positive": "+", "negative": "-"}.get(polarity or "", "")
    attempts = [text] if not sign or text.endswith(("+", "-")) else [text, f"[{text.strip('[]')}]{sign}"]
    for attempt in attempts:
        try:
            return Adduct.parse(attempt)
        except AdductError:
            continue
    return None


def _charge(metadata: dict[str, str], polarity: str | None, adduct: Adduct | None) -> int | None:
    """Return the signed charge that a record states and take it from the metadata.

    A charge without a sign has that of the ion mode, else of the adduct, else is positive. 0 means unknown.
    """
    match = _CHARGE.fullmatch(metadata.get("charge", ""))
    if match is None:
        return None
    before, size, after, signs = match.groups()
    if before and after and before != after:
        return None
    del metadata["charge"]
    sign = (signs or before or after)[:1]
    if not sign:
        is_negative = polarity == "negative" or (polarity is None and adduct is not None and adduct.charge < 0)
        sign = "-" if is_negative else "+"
    value = int(size) if size else len(signs)
    return (value if sign == "+" else -value) or None


def _collision_energy(metadata: dict[str, str], precursor_mz: float | None, charge: int | None) -> float | None:
    text = metadata.get("collision_energy")
    if text is None:
        return None
    energy = parse_collision_energy(text, precursor_mz=precursor_mz, charge=charge)
    if energy.normalised is not None:
        metadata["normalised_collision_energy"] = f"{energy.normalised:g}"
    return energy.ev


def _identifier(metadata: dict[str, str], *, ordinal: int) -> str:
    """Return what a record is called, else its number; an ``identifier`` that says the same leaves the metadata."""
    candidates: Iterable[str] = (metadata.get(key, "") for key in _IDENTIFIERS)
    identifier = next((text for text in candidates if text and text != "-1"), str(ordinal))
    if metadata.get("identifier") == identifier:
        del metadata["identifier"]
    return identifier
