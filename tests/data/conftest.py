import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from diptych.data.annotated import AnnotatedSpectrum
from diptych.data.columns import SCHEMA, rows_to_batch
from diptych.molecules.structure import Structure
from diptych.spectra.adduct import Adduct
from diptych.spectra.spectrum import Spectrum

MOLECULES = Path(__file__).parents[1] / "fixtures" / "data" / "molecules.tsv"


def make_example(structure: Structure, number: int, **changes: object) -> AnnotatedSpectrum:
    adduct = Adduct.parse("[M+H]+" if number % 2 == 0 else "[M-H]-")
    fields = {
        "mz": np.array([50.0 + number * 1e-3, 100.5]),
        "intensity": np.array([1.0, 2.0 + number], dtype=np.float32),
        "precursor_mz": adduct.mz(structure.exact_mass),
        "adduct": adduct,
        "collision_energy": 20.0,
        "instrument_type": "LC-ESI-QTOF",
        "identifier": f"spectrum-{number}",
        "metadata": {"contributor": "Lab", "instrument": "impact", "normalised_collision_energy": "35"},
    }
    spectrum = Spectrum(**(fields | changes))
    return AnnotatedSpectrum(spectrum=spectrum, structure=structure, source="made.mgf", licence="CC0")


@pytest.fixture(scope="session")
def real_structures() -> list[Structure]:
    with MOLECULES.open(encoding="utf-8", newline="") as stream:
        return [
            Structure(
                smiles=row["smiles"],
                inchikey=row["inchikey"],
                formula=row["formula"],
                exact_mass=float(row["exact_mass"]),
                name=row["accession"],
            )
            for row in csv.DictReader(stream, delimiter="\t")
        ]


@pytest.fixture(scope="session")
def example() -> Callable[..., AnnotatedSpectrum]:
    return make_example


@pytest.fixture
def write_dataset(tmp_path: Path) -> Callable[..., Path]:
    def write(*batches: list[AnnotatedSpectrum], name: str = "made.parquet") -> Path:
        path = tmp_path / name
        with pq.ParquetWriter(path, SCHEMA) as writer:
            for batch in batches:
                writer.write_batch(rows_to_batch(batch))
        return path

    return write


@pytest.fixture
def real_dataset(write_dataset: Callable[..., Path], real_structures: list[Structure]) -> Path:
    """Two spectra of every molecule of the fixture."""
    doubled = [structure for structure in real_structures for _ in range(2)]
    return write_dataset([make_example(structure, number) for number, structure in enumerate(doubled)])
