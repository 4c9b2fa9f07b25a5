"""The columns of a dataset file, and how an annotated spectrum becomes a row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from diptych.data.annotated import AnnotatedSpectrum
from diptych.data.instruments import instrument_class
from diptych.spectra.collision_energy import parse_collision_energy

FORMAT_VERSION = 1
FOLD_PREFIX = "fold_"
PEAK_COLUMNS = ("mz", "intensity")

_NAME = pa.dictionary(pa.int32(), pa.string())

# Units: exact_mass Da, precursor_mz and mz Th, collision_energy eV, normalised_collision_energy %, intensity arbitrary.
SCHEMA = pa.schema(
    [
        ("identifier", pa.string()),
        ("inchikey_first_block", pa.string()),
        ("inchikey", pa.string()),
        ("smiles", pa.string()),
        ("formula", pa.string()),
        ("exact_mass", pa.float64()),
        ("compound_name", pa.string()),
        ("precursor_mz", pa.float64()),
        ("charge", pa.int8()),
        ("adduct", _NAME),
        ("polarity", _NAME),
        ("ms_level", pa.int8()),
        ("collision_energy", pa.float32()),
        ("normalised_collision_energy", pa.float32()),
        ("fragmentation_mode", _NAME),
        ("instrument_type", _NAME),
        ("instrument_class", _NAME),
        ("instrument", _NAME),
        ("contributor", _NAME),
        ("licence", _NAME),
        ("source", _NAME),
        ("mz", pa.list_(pa.field("element", pa.float64()))),
        ("intensity", pa.list_(pa.field("element", pa.float32()))),
    ],
    metadata={"diptych.format": str(FORMAT_VERSION)},
)
NAME_COLUMNS = tuple(field.name for field in SCHEMA if pa.types.is_dictionary(field.type))
METADATA_COLUMNS = tuple(name for name in SCHEMA.names if name not in PEAK_COLUMNS)


def rows_to_batch(examples: Sequence[AnnotatedSpectrum]) -> pa.RecordBatch:
    """Return annotated spectra as rows of a dataset, in order."""
    rows = [_row(example) for example in examples]
    arrays = [
        _list_array([row[field.name] for row in rows], field.type)
        if field.name in PEAK_COLUMNS
        else pa.array([row[field.name] for row in rows], type=field.type)
        for field in SCHEMA
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def _list_array(parts: Sequence[np.ndarray[Any, Any]], kind: pa.ListType) -> pa.ListArray:
    offsets = np.concatenate(([0], np.cumsum([part.size for part in parts]))).astype(np.int32)
    values = np.concatenate(parts) if parts else np.empty(0)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values, type=kind.value_type), type=kind)


def _row(example: AnnotatedSpectrum) -> dict[str, Any]:
    spectrum, structure = example.spectrum, example.structure
    metadata = spectrum.metadata
    return {
        "identifier": spectrum.identifier,
        "inchikey_first_block": structure.inchikey_first_block,
        "inchikey": structure.inchikey,
        "smiles": structure.smiles,
        "formula": structure.formula,
        "exact_mass": structure.exact_mass,
        "compound_name": structure.name,
        "precursor_mz": spectrum.precursor_mz,
        "charge": spectrum.charge if spectrum.charge is not None or not spectrum.adduct else spectrum.adduct.charge,
        "adduct": spectrum.adduct.name if spectrum.adduct else None,
        "polarity": spectrum.polarity,
        "ms_level": ms_level(metadata) or 2,
        "collision_energy": spectrum.collision_energy,
        "normalised_collision_energy": normalised_collision_energy(metadata),
        "fragmentation_mode": metadata.get("fragmentation_mode"),
        "instrument_type": spectrum.instrument_type,
        "instrument_class": instrument_class(spectrum.instrument_type, metadata.get("instrument")).value,
        "instrument": metadata.get("instrument"),
        "contributor": metadata.get("contributor"),
        "licence": example.licence,
        "source": example.source,
        "mz": spectrum.mz,
        "intensity": spectrum.intensity,
    }


def ms_level(metadata: Mapping[str, str]) -> int | None:
    """Return the stage of fragmentation that a file states; None where it states none.

    >>> ms_level({"ms_level": "MS2"}), ms_level({"ms_level": "MS"}), ms_level({"ms_level": "3"}), ms_level({})
    (2, 1, 3, None)
    >>> ms_level({"ms_level": "MSn"})
    0
    """
    text = metadata.get("ms_level", "").strip().upper()
    if not text:
        return None
    digits = text.removeprefix("MS")
    if digits.isdigit():
        return int(digits)
    return {"": 1, "/MS": 2}.get(digits, 0)


def normalised_collision_energy(metadata: Mapping[str, str]) -> float | None:
    """Return the normalised collision energy in percent that metadata state; None where they state none.

    Of several the mean is returned, as `parse_collision_energy` does.

    >>> normalised_collision_energy({"normalised_collision_energy": "20, 35, 50"})
    35.0
    """
    text = metadata.get("normalised_collision_energy", "")
    return parse_collision_energy(f"{text} NCE").normalised


def fold_columns(names: Iterable[str]) -> list[str]:
    """Return those column names that hold folds, in order."""
    return [name for name in names if name.startswith(FOLD_PREFIX)]
