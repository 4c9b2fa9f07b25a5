"""What could be measured: structures, formulas, fingerprints, and the tables that structures come in.

The only folder that imports RDKit. Names are imported when first asked for, because RDKit takes a moment to load.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diptych.molecules.fingerprints import MorganFeaturiser
    from diptych.molecules.formula import Formula
    from diptych.molecules.murcko import murcko_scaffold
    from diptych.molecules.parallel import StandardisedChunk, standardise_rows
    from diptych.molecules.sparse import SparseFeatures
    from diptych.molecules.structure import Structure, standardise
    from diptych.molecules.tables import StructureRow, read_structure_rows

_HOMES = {
    "Formula": "diptych.molecules.formula",
    "MorganFeaturiser": "diptych.molecules.fingerprints",
    "SparseFeatures": "diptych.molecules.sparse",
    "StandardisedChunk": "diptych.molecules.parallel",
    "Structure": "diptych.molecules.structure",
    "StructureRow": "diptych.molecules.tables",
    "murcko_scaffold": "diptych.molecules.murcko",
    "read_structure_rows": "diptych.molecules.tables",
    "standardise": "diptych.molecules.structure",
    "standardise_rows": "diptych.molecules.parallel",
}

__all__ = [
    "Formula",
    "MorganFeaturiser",
    "SparseFeatures",
    "StandardisedChunk",
    "Structure",
    "StructureRow",
    "murcko_scaffold",
    "read_structure_rows",
    "standardise",
    "standardise_rows",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'diptych.molecules' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_HOMES[name]), name)
