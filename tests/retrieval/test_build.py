import errno
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from rdkit import Chem

from diptych.errors import LibraryError, OutputError, ReadError
from diptych.molecules.structure import Structure
from diptych.retrieval import LibraryDescription, StructureLibrary, build, build_library
from diptych.retrieval.build import work_folder

DIM = 12
WEIGHTS = np.random.default_rng(0).normal(size=(20, DIM)).astype(np.float32)


def element_counts(mols: Sequence[Chem.Mol]) -> np.ndarray:
    counts = np.zeros((len(mols), 20), dtype=np.float32)
    for row, mol in zip(counts, mols, strict=True):
        for atom in mol.GetAtoms():
            row[atom.GetAtomicNum() % 20] += 1 + atom.GetDegree() / 8
    return counts


class Tower:
    featuriser = staticmethod(element_counts)


class Projection:
    """A model by random projection; counts how many structures it was asked to embed."""

    name = "projection"
    digest = "0123456789abcdef"
    embedding_dim = DIM
    structure_encoder = Tower()

    def __init__(self) -> None:
        self.n_embedded = 0

    def encode_structure_features(self, features: np.ndarray) -> np.ndarray:
        self.n_embedded += len(features)
        vectors = features @ WEIGHTS
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def structure_list(folder: Path, rows: Sequence[tuple[str, ...]], *, name: str = "list.tsv") -> Path:
    path = folder / name
    lines = ["smiles\tname\tsource\tlicence", *("\t".join(row) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


ROWS = [
    ("CCO", "ethanol", "b", "CC0"),
    ("COC", "", "a", "CC0"),
    ("nonsense", "bad", "a", "CC0"),
    ("OCC", "spirit", "a", "CC BY"),
    ("C[N+](C)(C)CCO.[Cl-]", "choline", "c", ""),
    ("CC", "ethane", "", ""),
]


def test_a_library_is_sorted_by_mass_and_holds_each_molecule_once(tmp_path: Path):
    description = build_library(structure_list(tmp_path, ROWS), tmp_path / "library", model=Projection(), workers=1)
    library = StructureLibrary.load(tmp_path / "library")
    assert [s.smiles for s in library.structures(range(4))] == ["CC", "COC", "CCO", "C[N+](C)(C)CCO"]
    assert np.all(np.diff(library.exact_mass) >= 0)
    assert library.exact_mass.tolist() == pytest.approx([s.neutral_mass for s in library.structures(range(4))])
    assert (description.n_rows, description.n_structures, description.n_duplicates) == (6, 4, 1)
    assert (description.n_failures, description.n_formulas) == (1, 3)
    assert description == library.description
    assert (description.lightest, description.heaviest) == (library.exact_mass[0], library.exact_mass[-1])


def test_isomers_are_sorted_by_inchikey(tmp_path: Path):
    rows = [(smiles, "", "", "") for smiles in ("CCCO", "CC(C)O", "COCC")]
    build_library(structure_list(tmp_path, rows), tmp_path / "library", model=Projection(), workers=1)
    keys = [s.inchikey for s in StructureLibrary.load(tmp_path / "library").structures(range(3))]
    assert keys == sorted(keys)


def test_duplicates_merge_their_sources_licences_and_names(tmp_path: Path):
    description = build_library(structure_list(tmp_path, ROWS), tmp_path / "library", model=Projection(), workers=1)
    table = pq.read_table(tmp_path / "library" / "structures.parquet").to_pylist()
    ethanol = next(row for row in table if row["smiles"] == "CCO")
    assert (ethanol["name"], ethanol["source"], ethanol["licence"]) == ("ethanol", "a; b", "CC BY; CC0")
    assert dict(description.sources) == {"a": 2, "": 1, "b": 1, "c": 1}
    assert dict(description.licences) == {"": 2, "CC0": 2, "CC BY": 1}


def test_a_name_is_taken_from_a_duplicate_that_has_one(tmp_path: Path):
    rows = [("CCO", "", "", ""), ("OCC", "ethanol", "", "")]
    build_library(structure_list(tmp_path, rows), tmp_path / "library", model=Projection(), workers=1)
    assert StructureLibrary.load(tmp_path / "library").structure(0).name == "ethanol"


@pytest.mark.parametrize("is_reversed", [False, True])
def test_of_duplicates_the_uncharged_and_unlabelled_one_stays(tmp_path: Path, is_reversed: bool):
    rows = [("C[N+](C)(C)CC(=O)O", "", "", ""), ("C[N+](C)(C)CC(=O)[O-]", "", "", "")]
    rows += [("[2H]C", "", "", ""), ("C", "", "", "")]
    path = structure_list(tmp_path, rows[::-1] if is_reversed else rows)
    build_library(path, tmp_path / "library", model=Projection(), workers=1)
    library = StructureLibrary.load(tmp_path / "library")
    assert [s.smiles for s in library.structures(range(2))] == ["C", "C[N+](C)(C)CC(=O)[O-]"]


def test_each_row_has_the_vector_of_its_structure(tmp_path: Path):
    model = Projection()
    rows = [("C" * n + "O", "", "", "") for n in range(30, 0, -1)] + [("C" * n + "N", "", "", "") for n in range(1, 30)]
    build_library(structure_list(tmp_path, rows), tmp_path / "library", model=model, workers=1)
    library = StructureLibrary.load(tmp_path / "library", model=model)
    assert (library.embeddings.shape, library.embeddings.dtype) == ((59, DIM), np.float16)
    expected = model.encode_structure_features(element_counts([s.mol() for s in library.structures(range(59))]))
    assert np.array_equal(library.embeddings, expected.astype(np.float16))


def test_failures_are_listed_with_their_line_and_reason(tmp_path: Path):
    build_library(structure_list(tmp_path, ROWS), tmp_path / "library", model=Projection(), workers=1)
    header, failure = (tmp_path / "library" / "failures.tsv").read_text().splitlines()
    assert header.split("\t") == ["row_number", "text", "reason"]
    assert failure.split("\t")[:2] == ["4", "nonsense"]
    assert "cannot be parsed" in failure.split("\t")[2]


def test_building_twice_gives_the_same_bytes(tmp_path: Path):
    for name in ("one", "two"):
        build_library(structure_list(tmp_path, ROWS), tmp_path / name, model=Projection(), workers=1)
    first, second = (LibraryDescription.read(tmp_path / name) for name in ("one", "two"))
    assert first.digest == second.digest


def test_worker_processes_and_the_order_of_rows_do_not_change_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(build, "_CHUNKS_PER_PART", 1)
    monkeypatch.setattr("diptych.molecules.parallel.CHUNK_ROWS", 3)
    rows = [("C" * n + "O", f"n{n}", "a", "") for n in range(1, 9)]
    build_library(structure_list(tmp_path, rows), tmp_path / "one", model=Projection(), workers=2)
    build_library(structure_list(tmp_path, rows[::-1]), tmp_path / "two", model=Projection(), workers=1)
    assert LibraryDescription.read(tmp_path / "one").digest == LibraryDescription.read(tmp_path / "two").digest


class Interrupted(Projection):
    """Is stopped after some structures."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def encode_structure_features(self, features: np.ndarray) -> np.ndarray:
        if self.n_embedded >= self.after:
            raise KeyboardInterrupt
        return super().encode_structure_features(features)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    def chunks_of_two(rows, *, featuriser, workers):
        from diptych.molecules.parallel import standardise_rows

        return standardise_rows(rows, featuriser=featuriser, workers=1, chunk_size=2)

    monkeypatch.setattr(build, "_CHUNKS_PER_PART", 2)
    monkeypatch.setattr(build, "standardise_rows", chunks_of_two)


MANY = [("C" * n + "O", f"n{n}", "a", "CC0") for n in range(1, 12)]


@pytest.mark.usefixtures("small_parts")
def test_an_interrupted_build_goes_on_after_its_finished_parts(tmp_path: Path):
    source, folder, calls = structure_list(tmp_path, MANY), tmp_path / "library", []
    with pytest.raises(KeyboardInterrupt):
        build_library(source, folder, model=Interrupted(6), workers=1)
    assert not folder.exists()
    assert work_folder(folder).is_dir()
    model = Projection()
    build_library(source, folder, model=model, workers=1, progress=lambda done, total: calls.append((done, total)))
    assert calls[0] == (4, None)
    assert calls[-1] == (11, None)
    assert model.n_embedded == 7
    assert not work_folder(folder).exists()
    build_library(source, tmp_path / "at once", model=Projection(), workers=1)
    assert LibraryDescription.read(folder) == LibraryDescription.read(tmp_path / "at once")


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("what", ["source", "model"])
def test_parts_of_another_source_or_model_are_not_taken_up(tmp_path: Path, what: str):
    source, folder = structure_list(tmp_path, MANY), tmp_path / "library"
    with pytest.raises(KeyboardInterrupt):
        build_library(source, folder, model=Interrupted(6), workers=1)
    model = Projection()
    if what == "source":
        source = structure_list(tmp_path, MANY[1:])
    else:
        model.digest = "another"
    build_library(source, folder, model=model, workers=1)
    assert model.n_embedded == len(MANY) - (what == "source")


@pytest.mark.usefixtures("small_parts")
def test_a_damaged_finished_part_is_an_error(tmp_path: Path):
    source, folder = structure_list(tmp_path, MANY), tmp_path / "library"
    with pytest.raises(KeyboardInterrupt):
        build_library(source, folder, model=Interrupted(6), workers=1)
    (work_folder(folder) / "part-00000.json").write_text("{")
    with pytest.raises(OutputError, match=r"a finished part is damaged.*start again"):
        build_library(source, folder, model=Projection(), workers=1)


def test_an_older_library_is_replaced(tmp_path: Path):
    folder = tmp_path / "library"
    build_library(structure_list(tmp_path, ROWS), folder, model=Projection(), workers=1)
    build_library(structure_list(tmp_path, ROWS[:2]), folder, model=Projection(), workers=1)
    assert len(StructureLibrary.load(folder)) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["library", "list.tsv"]


def test_a_folder_of_other_things_is_not_replaced(tmp_path: Path):
    with pytest.raises(LibraryError, match="holds something else than a library"):
        build_library(structure_list(tmp_path, ROWS), tmp_path, model=Projection(), workers=1)
    with pytest.raises(LibraryError, match="a file; expected a folder"):
        build_library(structure_list(tmp_path, ROWS), tmp_path / "list.tsv", model=Projection(), workers=1)


def test_a_list_without_any_structure_is_an_error_that_names_the_first_failure(tmp_path: Path):
    source = structure_list(tmp_path, [("x", "", "", ""), ("", "", "", "")])
    with pytest.raises(LibraryError, match="none of 2 rows gave a structure; the first failed in row 2: 'x'"):
        build_library(source, tmp_path / "library", model=Projection(), workers=1)
    assert [path.name for path in tmp_path.iterdir()] == ["list.tsv"]


def test_a_list_without_rows_is_an_error(tmp_path: Path):
    with pytest.raises(ReadError, match="holds no rows; expected structures"):
        build_library(structure_list(tmp_path, []), tmp_path / "library", model=Projection(), workers=1)
    assert [path.name for path in tmp_path.iterdir()] == ["list.tsv"]


def test_columns_can_be_told(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_text("smiles,better,who\nC,CC,ethane\n")
    build_library(path, tmp_path / "library", model=Projection(), workers=1, smiles_column="better", name_column="who")
    assert StructureLibrary.load(tmp_path / "library").structure(0) == Structure.from_smiles("CC", name="ethane")


def test_a_model_that_gives_vectors_of_another_shape_is_an_error(tmp_path: Path):
    model = Projection()
    model.embedding_dim = 7
    with pytest.raises(LibraryError, match=r"model projection: vectors of shape \(5, 12\); expected \(5, 7\)"):
        build_library(structure_list(tmp_path, ROWS), tmp_path / "library", model=model, workers=1)


def test_a_model_that_gives_no_finite_vector_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        Projection, "encode_structure_features", lambda self, f: np.full((len(f), DIM), np.nan, dtype=np.float32)
    )
    with pytest.raises(LibraryError, match="the vector of CCO is not finite"):
        build_library(structure_list(tmp_path, ROWS), tmp_path / "library", model=Projection(), workers=1)


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be made: Not a directory"):
        build_library(structure_list(tmp_path, ROWS), tmp_path / "file" / "library", model=Projection(), workers=1)


@pytest.mark.usefixtures("small_parts")
def test_a_full_disk_is_an_error_and_finished_parts_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    source, folder, save, calls = structure_list(tmp_path, MANY), tmp_path / "library", np.save, []

    def full_after_one(*arguments, **options):
        calls.append(1)
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        save(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(np, "save", full_after_one)
        with pytest.raises(OutputError, match="cannot be written: No space left on device"):
            build_library(source, folder, model=Projection(), workers=1)
    model = Projection()
    build_library(source, folder, model=model, workers=1)
    assert model.n_embedded == len(MANY) - 4


def test_the_description_is_readable_json(tmp_path: Path):
    build_library(structure_list(tmp_path, ROWS), tmp_path / "library", model=Projection(), workers=1)
    document = json.loads((tmp_path / "library" / "library.json").read_text())
    assert document["format"] == "diptych structure library"
    assert document["format_version"] == 1
    assert document["model_name"] == "projection"
    assert document["created_by"].startswith("diptych ")
