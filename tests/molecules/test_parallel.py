import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from rdkit import Chem

from diptych.errors import StructureError
from diptych.molecules.parallel import (
    RowFailure,
    StandardisedChunk,
    available_workers,
    standardise_chunk,
    standardise_rows,
)
from diptych.molecules.structure import Structure
from diptych.molecules.tables import StructureRow

SMILES = ["CCO", "C[N+](C)(C)C.[Cl-]", "nonsense", "c1ccccc1", "CC", "CN", "CO", ""]


def rows_of(smiles: Sequence[str]) -> list[StructureRow]:
    return [
        StructureRow(row_number=n, smiles=s, name=f"n{n}", source=f"s{n}", licence=f"l{n}")
        for n, s in enumerate(smiles, 2)
    ]


def heavy_atoms(mols: Sequence[Chem.Mol]) -> np.ndarray:
    return np.array([mol.GetNumHeavyAtoms() for mol in mols])


def columns_of(chunks: Sequence[StandardisedChunk]) -> list[tuple[Structure, str, str]]:
    return [entry for c in chunks for entry in zip(c.structures(), c.sources, c.licences, strict=True)]


def test_a_chunk_holds_structures_features_and_failures():
    chunk = standardise_chunk(rows_of(SMILES), featuriser=heavy_atoms)
    assert (chunk.n_rows, len(chunk)) == (8, 6)
    assert chunk.structures()[0] == Structure.from_smiles("CCO", name="n2")
    assert chunk.sources == ["s2", "s3", "s5", "s6", "s7", "s8"]
    assert chunk.licences[1] == "l3"
    assert chunk.features.tolist() == [3, 5, 6, 2, 2, 2]
    assert chunk.failures == [
        RowFailure(4, "nonsense", "'nonsense': cannot be parsed; expected a SMILES with valid valences and rings"),
        RowFailure(9, "n9", "no structure; expected a SMILES, an InChI or a molblock"),
    ]


def test_inchis_and_molblocks_are_standardised_too():
    block = Chem.MolToMolBlock(Chem.MolFromSmiles("CCO"))
    rows = [
        StructureRow(row_number=1, inchi="InChI=1S/C2H6O/c1-2-3/h3H,2H2,1H3"),
        StructureRow(row_number=2, molblock=block),
        StructureRow(row_number=3, molblock="no molblock", name="bad"),
    ]
    chunk = standardise_chunk(rows)
    assert chunk.smiles == ["CCO", "CCO"]
    assert chunk.features is None
    assert chunk.failures == [
        RowFailure(3, "bad", "molblock cannot be parsed; expected an MDL molfile with valid valences")
    ]


def test_a_chunk_of_failures_has_no_features():
    chunk = standardise_chunk(rows_of(["x"]), featuriser=heavy_atoms)
    assert (len(chunk), chunk.features, len(chunk.failures)) == (0, None, 1)


def test_chunks_come_in_order_and_of_the_asked_size():
    chunks = list(standardise_rows(rows_of(SMILES), workers=1, chunk_size=3))
    assert [chunk.n_rows for chunk in chunks] == [3, 3, 2]
    assert columns_of(chunks) == columns_of([standardise_chunk(rows_of(SMILES))])


def test_no_rows_give_no_chunks():
    assert list(standardise_rows([], workers=4)) == []


def test_worker_processes_give_what_one_process_gives():
    rows = rows_of(SMILES * 5)
    alone = list(standardise_rows(rows, featuriser=heavy_atoms, workers=1, chunk_size=4))
    together = list(standardise_rows(rows, featuriser=heavy_atoms, workers=2, chunk_size=4))
    assert columns_of(together) == columns_of(alone)
    assert [chunk.failures for chunk in together] == [chunk.failures for chunk in alone]
    assert [list(chunk.features) for chunk in together] == [list(chunk.features) for chunk in alone]


def test_one_chunk_is_worked_on_here_whatever_the_workers():
    process_ids = standardise_rows(rows_of(SMILES), featuriser=lambda _: os.getpid(), workers=2)
    assert next(process_ids).features == os.getpid()


def test_rows_are_read_as_they_are_needed_and_workers_end_with_the_iterator():
    n_read = []

    def rows() -> Iterator[StructureRow]:
        for row in rows_of(["CCO"] * 1000):
            n_read.append(1)
            yield row

    chunks = standardise_rows(rows(), workers=2, chunk_size=2)
    next(chunks)
    chunks.close()
    assert len(n_read) < 40


def die(mols: Sequence[Chem.Mol]) -> None:
    os._exit(3)


def test_a_dead_worker_is_an_error_that_names_the_rows():
    with pytest.raises(StructureError, match="a worker process died near rows 2 to 5: out of memory or killed"):
        list(standardise_rows(rows_of(SMILES), featuriser=die, workers=2, chunk_size=4))


def test_there_is_at_least_one_worker():
    assert available_workers() >= 1


SCRIPT = """
import sys, types
print("the script runs")
from diptych.molecules import StructureRow, standardise_rows
rows = [StructureRow(row_number=n, smiles="CCO") for n in range(9)]
print(sum(len(chunk) for chunk in standardise_rows(rows, workers=2, chunk_size=2)))
print(sys.modules["__main__"].__dict__ is globals())
"""


def test_a_script_needs_no_guard_and_is_not_run_again_by_the_workers(tmp_path: Path):
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run([sys.executable, tmp_path / "script.py"], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == ["the script runs", "9", "True", ""]


GUARDED = """
from diptych.molecules import StructureRow, standardise_rows

class Lengths:
    def __call__(self, mols):
        return [mol.GetNumAtoms() for mol in mols]

if __name__ == "__main__":
    rows = [StructureRow(row_number=n, smiles="CCO") for n in range(3)]
    print([chunk.features for chunk in standardise_rows(rows, featuriser=Lengths(), workers=2, chunk_size=2)])
"""


def test_a_featuriser_of_the_script_itself_is_found_by_the_workers(tmp_path: Path):
    (tmp_path / "script.py").write_text(GUARDED)
    done = subprocess.run([sys.executable, tmp_path / "script.py"], capture_output=True, text=True, check=True)
    assert done.stdout == "[[3, 3], [3]]\n"


def test_workers_load_no_torch():
    script = "import sys, diptych.molecules.parallel; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
