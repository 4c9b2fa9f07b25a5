"""The names of metadata: matchms' harmonised keys for what files call by many names."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path

from diptych.errors import ReadError

_SPACE = re.compile(r"\s+")
_PUNCTUATION = re.compile(r"[!?.,;:]")

# What the table of matchms does not have.
_MORE = {
    "pepmass": "precursor_mz",
    "precursor_m/z": "precursor_mz",
    "retention_time_(s)": "retention_time",
    "synon": "synonyms",
    "synonym": "synonyms",
    "exact_mass": "parent_mass",
    "collision_energy_(ev)": "collision_energy",
    "ce": "collision_energy",
    "ionization_mode": "ionmode",
    "polarity": "ionmode",
    "scan": "scans",
    "scan_number": "scans",
    "spectrumtype": "ms_level",
    "inchi_code": "inchi",
    "inchi_key": "inchikey",
    "inchicode": "inchi",
    "molecular_formula": "formula",
    "licence": "license",
    "compound_name": "compound_name",
}


@cache
def _table() -> Mapping[str, str]:
    """Return matchms' own table, read from its file: importing matchms would take seconds."""
    spec = find_spec("matchms")
    if spec is None or not spec.submodule_search_locations:
        raise ReadError("matchms is not installed; expected its table of metadata names: install diptych again")
    path = Path(next(iter(spec.submodule_search_locations))) / "data" / "known_key_conversions.csv"
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return {row["known_synonym"]: row["matchms_default"] for row in csv.DictReader(stream)} | _MORE


@lru_cache(maxsize=4096)
def harmonised_key(key: str) -> str:
    """Return matchms' name for a metadata key; the key itself in lower case where it has none.

    >>> harmonised_key("PrecursorMZ"), harmonised_key("MS$FOCUSED_ION:PRECURSOR_TYPE"), harmonised_key("My Own Key")
    ('precursor_mz', 'adduct', 'my_own_key')
    """
    lower = key.strip().lower()
    table = _table()
    if lower in table:
        return table[lower]
    plain = _PUNCTUATION.sub("", _SPACE.sub("_", lower))
    return table.get(plain, plain)
