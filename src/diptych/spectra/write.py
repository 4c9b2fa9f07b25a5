"""Spectra written to files that other programs and this one read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from diptych.files import replacing
from diptych.spectra.spectrum import Spectrum

_COMMENT_SIGNS = "#;!/"


def write_mgf(spectra: Iterable[Spectrum], path: Path | str) -> int:
    """Write spectra as MGF and return how many; `read_spectra` gives them back with all of their metadata.

    Parameters
    ----------
    spectra
        Written one at a time; may be endless in number, not in memory.
    path
        Where to; whole or absent: it takes the place of an older file when all is written.

    Raises
    ------
    OutputError
        The file cannot be written.

    Notes
    -----
    Keys are written in upper case. The m/z and intensities come back to the last bit. Line breaks in metadata become
    spaces, and a collision energy comes back with its text, "... eV", in the metadata.
    """
    number = 0
    with (
        replacing(Path(path)) as temporary,
        temporary.open("w", encoding="utf-8", errors="replace", newline="\n") as file,
    ):
        for spectrum in spectra:
            file.write(mgf_text(spectrum))
            number += 1
    return number


def mgf_text(spectrum: Spectrum) -> str:
    """Return a spectrum as one record of MGF, with an empty line behind it."""
    header = "".join(f"{key}={value}\n" for key, value in _header(spectrum))
    peaks = "".join(
        f"{mz!r} {intensity:.9g}\n"
        for mz, intensity in zip(spectrum.mz.tolist(), spectrum.intensity.tolist(), strict=True)
    )
    return f"BEGIN IONS\n{header}{peaks}END IONS\n\n"


def _header(spectrum: Spectrum) -> Iterator[tuple[str, str]]:
    written = {"identifier": spectrum.identifier, **_fields(spectrum)}
    for key, value in {**written, **spectrum.metadata}.items():
        text = " ".join(value.splitlines()) if "\n" in value or "\r" in value else value
        if text:
            yield _key(key), text


def _fields(spectrum: Spectrum) -> dict[str, str]:
    """Return the fields under the names that they are read by; metadata of these names comes before them."""
    fields: dict[str, str] = {}
    if spectrum.precursor_mz is not None:
        fields["pepmass" if "precursor_mz" not in spectrum.metadata else "precursor_mz"] = _number(
            spectrum.precursor_mz
        )
    if spectrum.charge:
        fields["charge"] = f"{abs(spectrum.charge)}{'+' if spectrum.charge > 0 else '-'}"
    if spectrum.adduct is not None:
        fields["adduct"] = spectrum.adduct.name
    if spectrum.collision_energy is not None:
        fields["collision_energy"] = f"{spectrum.collision_energy!r} eV"
    if spectrum.instrument_type is not None:
        fields["instrument_type"] = spectrum.instrument_type
    return fields


def _number(value: float) -> str:
    """Return a number to the last bit, with four decimals at least: who reads fewer takes it for rounded."""
    text = f"{value:.4f}"
    return text if float(text) == value else repr(value)


def _key(name: str) -> str:
    key = "_".join(name.split()).replace("=", "_")
    key = f"_{key[1:]}" if not key or key[0] in _COMMENT_SIGNS else key
    return key.upper() if key.upper().lower() == key else key
