"""Standardised and featurised structures kept on disk, so that the next run on the same data starts at once."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from diptych.files import replacing
from diptych.molecules.structure import Structure

if TYPE_CHECKING:
    from diptych.molecules.parallel import Featuriser

_PROBES = ("CC(=O)Nc1ccc(O)cc1", "OCC1OC(O)C(O)C(O)C1O", "C[N+](C)(C)CCO", "O=C(O)c1ccccc1Cl", "CSCCC(N)C(=O)NCC1CCCC1")
_TEXT_COLUMNS = ("text", "smiles", "inchikey", "formula")
_DAMAGED = (OSError, ValueError, KeyError, zipfile.BadZipFile)


@dataclass(frozen=True, kw_only=True, eq=False)
class Described:
    """Structures of some SMILES, with their features.

    Attributes
    ----------
    texts
        The SMILES as given; those that gave no structure are left out.
    structures, features
        Aligned with ``texts``; None where none were asked for.
    """

    texts: Sequence[str]
    structures: Sequence[Structure]
    features: Any


class FeatureCache:
    """A folder of described structures, one .npz file (no pickle in it) per list of SMILES and featuriser.

    Parameters
    ----------
    folder
        Made when first needed; may be deleted at any time.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, texts: Sequence[str], featuriser: Featuriser | None) -> Described | None:
        """Return what was kept for these SMILES and this featuriser; None where nothing was, or it is damaged."""
        path, probe = self._place(texts, featuriser)
        try:
            with np.load(path, allow_pickle=False) as stored:
                arrays = dict(stored.items())
            columns = [_lines(arrays[f"column/{name}"]) for name in _TEXT_COLUMNS]
            masses = arrays["column/exact_mass"].tolist()
            features = _filled(probe, arrays, "features")
        except _DAMAGED:
            return None
        structures = [
            Structure(smiles=smiles, inchikey=inchikey, formula=formula, exact_mass=mass)
            for _, smiles, inchikey, formula, mass in zip(*columns, masses, strict=True)
        ]
        return Described(texts=columns[0], structures=structures, features=features)

    def put(self, texts: Sequence[str], featuriser: Featuriser | None, described: Described) -> None:
        """Keep what became of these SMILES.

        Raises
        ------
        OutputError
            The folder cannot be written.
        """
        path, _ = self._place(texts, featuriser)
        columns = {"text": list(described.texts)}
        for name in _TEXT_COLUMNS[1:]:
            columns[name] = [getattr(structure, name) for structure in described.structures]
        arrays = {f"column/{name}": _bytes(lines) for name, lines in columns.items()}
        arrays["column/exact_mass"] = np.array([s.exact_mass for s in described.structures], dtype=np.float64)
        with replacing(path) as temporary, temporary.open("wb") as stream:
            np.savez(stream, allow_pickle=False, **arrays, **_arrays(described.features, "features"))

    def _place(self, texts: Sequence[str], featuriser: Featuriser | None) -> tuple[Path, Any]:
        """Return the file, named by everything that decides its content, and the features of the probes."""
        probe = featuriser([Structure.from_smiles(smiles).mol() for smiles in _PROBES]) if featuriser else None
        digest = hashlib.sha256(f"{featuriser!r}\n".encode())
        # A featuriser whose algorithm was changed has the same settings, but describes the probes otherwise.
        for name, array in _arrays(probe, "probe").items():
            digest.update(name.encode() + array.tobytes())
        digest.update("\n".join(texts).encode())
        return self._folder / f"{digest.hexdigest()[:32]}.npz", probe


def _arrays(features: Any, name: str) -> dict[str, NDArray[Any]]:  # noqa: ANN401 - each tower's own
    """Return the arrays of a tree of dataclasses, by path."""
    if isinstance(features, np.ndarray):
        return {name: features}
    if not is_dataclass(features):
        return {}
    parts = [_arrays(getattr(features, field.name), f"{name}/{field.name}") for field in fields(features)]
    return {path: array for part in parts for path, array in part.items()}


def _filled(template: Any, arrays: Mapping[str, NDArray[Any]], name: str) -> Any:  # noqa: ANN401
    """Return a tree of dataclasses with other arrays in it; everything else stays."""
    if isinstance(template, np.ndarray):
        return arrays[name]
    if not is_dataclass(template):
        return template
    changes = {f.name: _filled(getattr(template, f.name), arrays, f"{name}/{f.name}") for f in fields(template)}
    return replace(cast("Any", template), **changes)


def _bytes(lines: Sequence[str]) -> NDArray[np.uint8]:
    return np.frombuffer("\n".join(lines).encode(), dtype=np.uint8)


def _lines(array: NDArray[np.uint8]) -> list[str]:
    return array.tobytes().decode().split("\n")
