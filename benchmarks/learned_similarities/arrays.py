"""The arrays that ``export_spectra.py`` writes, read without Diptych, and the vectors that the trainings write."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MIN_RELATIVE_INTENSITY = 0.001


@dataclass(frozen=True, eq=False)
class Arrays:
    """Spectra of all folds as arrays.

    Attributes
    ----------
    columns
        What the file holds, by name.
    """

    columns: dict[str, NDArray[Any]]

    @classmethod
    def read(cls, path: Path) -> Arrays:
        """Return the arrays of a file; nothing pickled is read."""
        with np.load(path, allow_pickle=False) as file:
            return cls({name: file[name] for name in file.files})

    @cached_property
    def training_rows(self) -> NDArray[np.int64]:
        """Rows of the training fold."""
        return np.flatnonzero(self.columns["fold"] == "train")

    def peaks(self, row: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return m/z and intensity of one spectrum, the most intense peak at 1, those below 0.001 left out."""
        start, stop = self.columns["start"][row : row + 2]
        mz, intensity = self.columns["mz"][start:stop], self.columns["intensity"][start:stop].astype(np.float64)
        intensity = intensity / intensity.max(initial=1e-300)
        kept = intensity >= MIN_RELATIVE_INTENSITY
        return mz[kept], intensity[kept]

    def precursor_mz(self, row: int) -> float:
        """Return the precursor m/z of one spectrum, Th."""
        return float(self.columns["precursor_mz"][row])

    def text(self, name: str, row: int) -> str:
        """Return a text that is known of one spectrum: ``adduct``, ``polarity``, ``smiles``, ``first_block``."""
        return str(self.columns[name][row])

    def __len__(self) -> int:
        return len(self.columns["accession"])


def write_vectors(
    path: Path, arrays: Arrays, vectors: NDArray[np.float32], *, packages: list[str], said: dict[str, Any]
) -> None:
    """Write one vector per spectrum, and what was measured on the way as JSON text."""
    said = {"versions": {name: version(name) for name in packages}, **said}
    path.parent.mkdir(parents=True, exist_ok=True)
    text = np.array(json.dumps(said))
    np.savez_compressed(path, accession=arrays.columns["accession"], vector=vectors.astype(np.float32), said=text)
    print(json.dumps(said, indent=2), flush=True)
