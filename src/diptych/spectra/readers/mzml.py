"""mzML and mzXML: the MS2 scans of a raw file, with what the instrument said about each.

Written on lxml rather than on pyteomics: version 5 of that reads mzML only with an ontology package beside it, and its
indexed form seeks through the file, which a compressed stream cannot do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from lxml import etree
from numpy.typing import NDArray

from diptych.errors import DiptychError, ReadError
from diptych.spectra.readers.harmonise import build_spectrum
from diptych.spectra.readers.text import OnProblem
from diptych.spectra.readers.xml_scans import decode_numbers, elements, local_name, seconds
from diptych.spectra.spectrum import Spectrum

# Accessions of the PSI-MS ontology, https://www.ebi.ac.uk/ols4/ontologies/ms
_VALUES = {
    "MS:1000511": "ms_level",
    "MS:1000744": "precursor_mz",
    "MS:1000041": "charge",
    "MS:1000042": "precursor_intensity",
    "MS:1000827": "isolation_window_target_mz",
    "MS:1000828": "isolation_window_lower_offset",
    "MS:1000829": "isolation_window_upper_offset",
    "MS:1000796": "title",
    "MS:1000512": "filter_string",
}
_FLAGS = {
    "MS:1000130": ("ionmode", "positive"),
    "MS:1000129": ("ionmode", "negative"),
    "MS:1000127": ("spectrum_representation", "centroid"),
    "MS:1000128": ("spectrum_representation", "profile"),
}
_DTYPES = {"MS:1000521": "<f4", "MS:1000523": "<f8", "MS:1000519": "<i4", "MS:1000522": "<i8"}
_COLLISION_ENERGY, _NORMALISED_ENERGY = "MS:1000045", "MS:1000138"
_RAMP_START, _RAMP_END = "MS:1002013", "MS:1002014"
_SCAN_START, _MINUTES = "MS:1000016", "UO:0000031"
_MZ_ARRAY, _INTENSITY_ARRAY, _ZLIB, _UNCOMPRESSED = "MS:1000514", "MS:1000515", "MS:1000574", "MS:1000576"
_MS2_FIRST = {"2"}


class _Param(NamedTuple):
    accession: str
    name: str
    value: str
    unit: str


@dataclass(frozen=True, kw_only=True)
class _Header:
    """What stands before the scans and is referred to by them."""

    groups: dict[str, list[_Param]] = field(default_factory=dict)
    instruments: dict[str, dict[str, str]] = field(default_factory=dict)

    def params(self, element: etree._Element) -> list[_Param]:
        """Return the parameters that stand directly in an element, the groups it refers to resolved."""
        found: list[_Param] = []
        for child in element.iterchildren("{*}cvParam", "{*}userParam", "{*}referenceableParamGroupRef"):
            if child.get("ref") is not None:
                found += self.groups.get(str(child.get("ref")), [])
            else:
                found.append(_param(child))
        return found

    def instrument(self, reference: str | None) -> dict[str, str]:
        if reference is None and len(self.instruments) == 1:
            return next(iter(self.instruments.values()))
        return self.instruments.get(reference or "", {})


def _param(element: etree._Element) -> _Param:
    text = {name: str(element.get(name) or "") for name in ("accession", "name", "value", "unitAccession")}
    return _Param(text["accession"], text["name"], text["value"], text["unitAccession"])


def read_mzml(path: Path, *, on_problem: OnProblem) -> Iterator[Spectrum]:
    """Yield the MS2 scans of an mzML file (plain, gzip, bzip2 or xz), one at a time.

    Parameters
    ----------
    path
        The file; indexed or not, centroided or profile.
    on_problem
        Called with each scan that cannot be read, and once if the document is cut short.

    Notes
    -----
    ``retention_time`` is in seconds. A scan of several precursors keeps the first; their number stands in
    ``precursor_count``. The ontology calls the value of a collision energy electronvolt even where a converter wrote
    Thermo's normalised energy there; the file does not let the two be told apart.
    """
    header = _Header()
    ordinal = 0
    for element in elements(
        path, ("referenceableParamGroup", "instrumentConfiguration", "spectrum"), on_problem=on_problem
    ):
        name = local_name(element)
        if name == "referenceableParamGroup":
            header.groups[str(element.get("id"))] = header.params(element)
        elif name == "instrumentConfiguration":
            header.instruments[str(element.get("id"))] = _instrument(header, element)
        elif (raw := _mzml_metadata(header, element))["ms_level"] in _MS2_FIRST:
            ordinal += 1
            try:
                mz, intensity = _mzml_peaks(header, element)
                yield _spectrum(raw, mz, intensity, path=path, line=element.sourceline or 0, ordinal=ordinal)
            except DiptychError as error:
                on_problem(ReadError(f"{path}: scan {raw['spectrum_id']!r}: {error}"))


def _instrument(header: _Header, element: etree._Element) -> dict[str, str]:
    models = [param.name for param in header.params(element) if param.accession.startswith("MS:") and not param.value]
    parts = [part for kind in ("source", "analyzer") for part in element.iterdescendants(f"{{*}}{kind}")]
    names = [param.name for part in parts for param in header.params(part) if param.accession and not param.value]
    return {"instrument": models[0] if models else "", "instrument_type": "-".join(names)}


def _mzml_metadata(header: _Header, spectrum: etree._Element) -> dict[str, str]:
    native_id = str(spectrum.get("id") or "")
    raw = {"ms_level": "", "spectrum_id": native_id, "scans": _scan_number(native_id)}
    for param in header.params(spectrum):
        _keep(raw, param)
    for scan in spectrum.iterfind("{*}scanList/{*}scan"):
        raw.update(header.instrument(scan.get("instrumentConfigurationRef")))
        for param in header.params(scan):
            _keep(raw, param)
        break
    precursors = spectrum.findall("{*}precursorList/{*}precursor")
    if len(precursors) > 1:
        raw["precursor_count"] = str(len(precursors))
    if precursors:
        _add_precursor(raw, header, precursors[0])
    if raw.get("ionmode") == "negative" and raw.get("charge", "-").isdigit():
        raw["charge"] = f"-{raw['charge']}"
    return {key: value for key, value in raw.items() if value or key == "ms_level"}


def _scan_number(native_id: str) -> str:
    """Return the scan number of a native identifier, empty where it has none.

    >>> _scan_number("controllerType=0 controllerNumber=1 scan=23")
    '23'
    """
    fields = dict(part.split("=", 1) for part in native_id.split() if "=" in part)
    return fields.get("scan") or fields.get("scanId") or fields.get("index", "")


def _keep(raw: dict[str, str], param: _Param) -> None:
    if param.accession in _FLAGS:
        key, value = _FLAGS[param.accession]
        raw[key] = value
    elif param.accession == _SCAN_START:
        raw["retention_time"] = seconds(f"PT{param.value}{'M' if param.unit == _MINUTES else 'S'}")
    elif param.value:
        raw[_VALUES.get(param.accession, param.name.lower().replace(" ", "_"))] = param.value


def _add_precursor(raw: dict[str, str], header: _Header, precursor: etree._Element) -> None:
    for place in ("{*}isolationWindow", "{*}selectedIonList/{*}selectedIon"):
        for element in precursor.iterfind(place):
            for param in header.params(element):
                _keep(raw, param)
            break
    if "precursor_mz" not in raw and "isolation_window_target_mz" in raw:
        raw["precursor_mz"] = raw["isolation_window_target_mz"]
    for activation in precursor.iterfind("{*}activation"):
        params = header.params(activation)
        raw["fragmentation_mode"] = "; ".join(param.name for param in params if not param.value)
        raw["collision_energy"] = _collision_energy({param.accession: param.value for param in params})


def _collision_energy(values: dict[str, str]) -> str:
    if _RAMP_START in values and _RAMP_END in values:
        return f"{values[_RAMP_START]}-{values[_RAMP_END]} eV"
    if values.get(_COLLISION_ENERGY):
        return f"{values[_COLLISION_ENERGY]} eV"
    return f"{values[_NORMALISED_ENERGY]} % (nominal)" if values.get(_NORMALISED_ENERGY) else ""


def _mzml_peaks(header: _Header, spectrum: etree._Element) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    arrays: dict[str, NDArray[np.generic]] = {}
    for array in spectrum.iterfind("{*}binaryDataArrayList/{*}binaryDataArray"):
        params = header.params(array)
        accessions = {param.accession for param in params}
        for kind in accessions & {_MZ_ARRAY, _INTENSITY_ARRAY}:
            arrays[kind] = decode_numbers(
                array.findtext("{*}binary"), dtype=_dtype(params), is_compressed=_is_compressed(params)
            )
    empty: NDArray[np.generic] = np.empty(0)
    return arrays.get(_MZ_ARRAY, empty), arrays.get(_INTENSITY_ARRAY, empty)


def _dtype(params: list[_Param]) -> str:
    for param in params:
        if param.accession in _DTYPES:
            return _DTYPES[param.accession]
    raise ReadError("a peak array without a number type; expected 32- or 64-bit float or integer")


def _is_compressed(params: list[_Param]) -> bool:
    for param in params:
        if "compression" in param.name.lower() and param.accession not in {_ZLIB, _UNCOMPRESSED}:
            raise ReadError(f"peaks compressed by {param.name!r}; expected zlib or none: convert the file without it")
    return any(param.accession == _ZLIB for param in params)


def read_mzxml(path: Path, *, on_problem: OnProblem) -> Iterator[Spectrum]:
    """Yield the MS2 scans of an mzXML file (plain, gzip, bzip2 or xz), one at a time.

    Parameters
    ----------
    path
        The file; scans may lie within one another.
    on_problem
        Called with each scan that cannot be read, and once if the document is cut short.
    """
    instrument: dict[str, str] = {}
    ordinal = 0
    for element in elements(path, ("msInstrument", "scan"), on_problem=on_problem):
        if local_name(element) == "msInstrument":
            instrument = _mzxml_instrument(element)
        elif element.get("msLevel") in _MS2_FIRST:
            ordinal += 1
            raw = {**instrument, **_mzxml_metadata(element)}
            try:
                mz, intensity = _mzxml_peaks(element)
                yield _spectrum(raw, mz, intensity, path=path, line=element.sourceline or 0, ordinal=ordinal)
            except DiptychError as error:
                on_problem(ReadError(f"{path}: scan {element.get('num')}: {error}"))


def _mzxml_instrument(element: etree._Element) -> dict[str, str]:
    def value(tag: str) -> str:
        child = element.find(f"{{*}}{tag}")
        return "" if child is None else str(child.get("value") or "")

    named = {
        "instrument": value("msModel"),
        "instrument_type": "-".join(filter(None, (value("msIonisation"), value("msMassAnalyzer")))),
    }
    return {key: text for key, text in named.items() if text}


def _spectrum(
    raw: dict[str, str], mz: NDArray[np.generic], intensity: NDArray[np.generic], *, path: Path, line: int, ordinal: int
) -> Spectrum:
    return build_spectrum(raw, mz, intensity, path=path, line=line, ordinal=ordinal, states_decimals=False)


_MZXML_ATTRIBUTES = {
    "msLevel": "ms_level",
    "num": "scans",
    "filterLine": "filter_string",
    "precursorIntensity": "precursor_intensity",
    "precursorCharge": "charge",
    "activationMethod": "fragmentation_mode",
    "windowWideness": "isolation_width",
    "precursorScanNum": "precursor_scan",
}


def _mzxml_metadata(scan: etree._Element) -> dict[str, str]:
    precursor = scan.find("{*}precursorMz")
    attributes = dict(scan.attrib) | ({} if precursor is None else dict(precursor.attrib))
    raw = {key: str(attributes[name]) for name, key in _MZXML_ATTRIBUTES.items() if attributes.get(name)}
    if precursor is not None and precursor.text:
        raw["precursor_mz"] = precursor.text.strip()
    if attributes.get("retentionTime"):
        raw["retention_time"] = seconds(str(attributes["retentionTime"]))
    if attributes.get("collisionEnergy"):
        raw["collision_energy"] = f"{attributes['collisionEnergy']} eV"
    polarity = {"+": "positive", "-": "negative"}.get(str(attributes.get("polarity", "")))
    if polarity:
        raw["ionmode"] = polarity
    if polarity == "negative" and raw.get("charge", "-").isdigit():
        raw["charge"] = f"-{raw['charge']}"
    return raw


def _mzxml_peaks(scan: etree._Element) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    peaks = scan.find("{*}peaks")
    if peaks is None:
        return np.empty(0), np.empty(0)
    compression = peaks.get("compressionType") or "none"
    if compression not in {"none", "zlib"}:
        raise ReadError(f"peaks compressed by {compression!r}; expected 'zlib' or 'none'")
    dtype = ">f8" if peaks.get("precision") == "64" else ">f4"
    numbers = decode_numbers(peaks.text, dtype=dtype, is_compressed=compression == "zlib")
    if numbers.size % 2:
        raise ReadError(f"{numbers.size} numbers in <peaks>; expected pairs of m/z and intensity")
    return numbers[0::2], numbers[1::2]
