import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from diptych.errors import ForeignModelError, FormulaError, LibraryError
from diptych.molecules.formula import Formula
from diptych.molecules.structure import Structure
from diptych.retrieval import StructureLibrary, structure_table
from diptych.retrieval.description import LibraryDescription, sizes_and_digest
from diptych.retrieval.structure_table import StructureTable, first_blocks, write_structure_table

DIM = 8
SMILES = [
    "C",
    "CO",
    "CC",
    "CCO",
    "COC",
    "CCC",
    "C[N+](C)(C)CCO",
    "OCC(N)O",
    "CCCCO",
    "CC(C)CO",
    "c1ccccc1",
    "CCOC(C)=O",
]


class Model:
    def __init__(self, digest: str) -> None:
        self.name = f"model of {digest}"
        self.digest = digest


def write_library(folder: Path) -> list[Structure]:
    """Write a library by hand, without a model or a build, and return its structures in their order."""
    structures = [Structure.from_smiles(smiles, name=f"name of {smiles}") for smiles in SMILES]
    structures.sort(key=lambda structure: (structure.neutral_mass, structure.inchikey))
    vectors = np.random.default_rng(0).normal(size=(len(structures), DIM)).astype(np.float16)
    folder.mkdir()
    np.save(folder / "embeddings.npy", vectors)
    np.save(folder / "masses.npy", np.array([structure.neutral_mass for structure in structures]))
    names = ("smiles", "inchikey", "formula", "exact_mass", "name", "inchi")
    columns = {name: [getattr(structure, name) for structure in structures] for name in names}
    empty = [""] * len(structures)
    write_structure_table(pa.table({**columns, "source": empty, "licence": empty}), folder / "structures.parquet")
    sizes, digest = sizes_and_digest(folder)
    LibraryDescription(
        model_name="model of ab",
        model_digest="ab",
        embedding_dim=DIM,
        n_rows=len(structures),
        n_structures=len(structures),
        n_duplicates=0,
        n_failures=0,
        n_formulas=9,
        lightest=structures[0].neutral_mass,
        heaviest=structures[-1].neutral_mass,
        sources={},
        licences={},
        sizes=sizes,
        digest=digest,
    ).write(folder)
    return structures


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_library(tmp_path / "library")
    return tmp_path / "library"


@pytest.fixture
def library(folder: Path) -> StructureLibrary:
    return StructureLibrary.load(folder)


def query_of(seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=DIM).astype(np.float32)


def best_by_hand(library: StructureLibrary, query: np.ndarray, rows: list[int], top: int) -> list[int]:
    scores = {row: float(library.embeddings[row].astype(np.float64) @ query.astype(np.float64)) for row in rows}
    return sorted(rows, key=lambda row: (-scores[row], row))[:top]


def test_structures_come_back_as_they_went_in(tmp_path: Path):
    structures = write_library(tmp_path / "library")
    library = StructureLibrary.load(str(tmp_path / "library"))
    assert len(library) == len(structures)
    assert library.structures(range(len(structures))) == structures
    assert library.structures(np.array([3, 1])) == [structures[3], structures[1]]
    assert library.structure(0) == structures[0]


def test_structures_are_found_in_every_row_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(structure_table, "ROWS_PER_GROUP", 5)
    structures = write_library(tmp_path / "library")
    library = StructureLibrary.load(tmp_path / "library")
    assert library.structures(range(len(structures))) == structures
    for structure in structures:
        expected = [row for row, other in enumerate(structures) if other.formula == structure.formula]
        assert library.formula_rows(structure.formula).tolist() == expected


def test_a_window_includes_both_ends(library: StructureLibrary):
    mass = library.exact_mass
    row = int(np.flatnonzero(np.diff(mass) > 1)[2])
    gap = float(mass[row + 1] - mass[row])
    assert library.window(float(mass[row]), gap).stop == row + 1 + int(np.sum(mass == mass[row + 1]))
    assert library.window(float(mass[0]), 0.0) == slice(0, 1)
    assert library.window(1e6, 1.0) == slice(len(library), len(library))
    assert library.window(0.0, 1.0) == slice(0, 0)
    assert library.window(50.0, -1.0).stop == library.window(50.0, -1.0).start


def test_a_window_holds_what_brute_force_finds(library: StructureLibrary):
    for mass in np.linspace(0, 120, 40):
        for half_width in (0.0, 0.01, 5.0, 200.0):
            rows = library.window(float(mass), half_width)
            inside = (library.exact_mass >= mass - half_width) & (library.exact_mass <= mass + half_width)
            assert np.flatnonzero(inside).tolist() == list(range(rows.start, rows.stop))


@pytest.mark.parametrize("top", [1, 3, 50])
@pytest.mark.parametrize("half_width", [0.001, 20.0, 500.0])
def test_a_windowed_search_finds_what_brute_force_finds(library: StructureLibrary, top: int, half_width: float):
    query = query_of()
    rows = library.window(46.04, half_width)
    hits = library.search(query, neutral_mass=46.04, half_width_da=half_width, top=top)
    assert hits.rows.tolist() == best_by_hand(library, query, list(range(rows.start, rows.stop)), top)
    assert np.array_equal(hits.scores, library.scores(query, hits.rows))


def test_a_search_without_a_window_looks_at_everything(library: StructureLibrary):
    query = query_of()
    hits = library.search(query, top=4)
    assert hits.rows.tolist() == best_by_hand(library, query, list(range(len(library))), 4)
    windowed = library.search(query, neutral_mass=0.0, half_width_da=1e6, top=4)
    assert np.array_equal(hits.rows, windowed.rows)
    assert np.array_equal(hits.scores, windowed.scores)


def test_many_queries_get_what_each_gets_alone(library: StructureLibrary):
    queries = np.stack([query_of(seed) for seed in range(5)])
    for query, hits in zip(queries, library.search_many(queries, top=3), strict=True):
        alone = library.search(query, top=3)
        assert np.array_equal(hits.rows, alone.rows)
        assert np.array_equal(hits.scores, alone.scores)
    assert library.search_many(np.empty((0, DIM))) == []


def test_an_empty_window_has_no_hits(library: StructureLibrary):
    hits = library.search(query_of(), neutral_mass=5000.0, half_width_da=1.0)
    assert (hits.rows.size, hits.scores.size, hits.rows.dtype) == (0, 0, np.int64)


def test_rows_are_found_by_formula(library: StructureLibrary):
    for formula in ("C2H6O", "C4H10O", Formula.parse("CH4"), "C5H14NO+"):
        hill = str(Formula.parse(str(formula)))
        expected = [row for row in range(len(library)) if library.structure(row).formula == hill]
        assert expected
        assert library.formula_rows(formula).tolist() == expected
    assert library.formula_rows("C60").tolist() == []
    with pytest.raises(FormulaError):
        library.formula_rows("what")


def test_a_charged_structure_is_found_at_the_mass_that_its_adduct_is_counted_from(library: StructureLibrary):
    from diptych.spectra.adduct import Adduct

    choline = next(s for s in library.structures(range(len(library))) if s.charge)
    neutral_mass = float(Adduct.parse("[M]+").neutral_mass(choline.exact_mass))
    rows = library.window(neutral_mass, 1e-6)
    assert library.structures(range(rows.start, rows.stop)) == [choline]


def test_the_library_of_another_model_is_refused_by_name(folder: Path):
    StructureLibrary.load(folder, model=Model("ab"))
    with pytest.raises(ForeignModelError, match=r"embedded by the model model of ab \(ab\).*model of cd \(cd\)"):
        StructureLibrary.load(folder, model=Model("cd"))


def test_half_a_window_is_an_error(library: StructureLibrary):
    with pytest.raises(LibraryError, match="needs a neutral_mass and a half_width_da; got only one"):
        library.search(query_of(), neutral_mass=1.0)
    with pytest.raises(LibraryError, match="got only one"):
        library.search(query_of(), half_width_da=1.0)


@pytest.mark.parametrize("query", [np.zeros(DIM + 1), np.zeros((1, DIM)), np.full(DIM, np.nan)])
def test_a_query_of_another_shape_or_not_finite_is_an_error(library: StructureLibrary, query: np.ndarray):
    with pytest.raises(LibraryError, match=r"a query of shape .*; expected \(8,\), all finite"):
        library.search(query, neutral_mass=46.0, half_width_da=1.0)


@pytest.mark.parametrize("row", [-1, len(SMILES)])
def test_a_row_that_does_not_exist_is_an_error(library: StructureLibrary, row: int):
    with pytest.raises(LibraryError, match=f"no row {row}; expected 0 to {len(SMILES) - 1}"):
        library.structure(row)


@pytest.mark.parametrize("name", ["library.json", "structures.parquet", "embeddings.npy", "masses.npy"])
def test_a_missing_file_is_named(folder: Path, name: str):
    (folder / name).unlink()
    with pytest.raises(LibraryError, match=f"{name}: missing"):
        StructureLibrary.load(folder)


@pytest.mark.parametrize("name", ["structures.parquet", "embeddings.npy", "masses.npy"])
def test_a_truncated_file_is_named(folder: Path, name: str):
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[:-10])
    with pytest.raises(
        LibraryError, match=f"{name}: truncated or foreign: {len(data) - 10} bytes; expected {len(data)}"
    ):
        StructureLibrary.load(folder)


@pytest.mark.parametrize("name", ["structures.parquet", "embeddings.npy", "masses.npy"])
def test_a_foreign_file_of_the_same_size_is_named(folder: Path, name: str):
    (folder / name).write_bytes(b"\x01" * (folder / name).stat().st_size)
    with pytest.raises(LibraryError, match=f"{name}: no readable"):
        StructureLibrary.load(folder)


def with_sizes(folder: Path) -> None:
    document = json.loads((folder / "library.json").read_text())
    document["sizes"] = sizes_and_digest(folder)[0]
    (folder / "library.json").write_text(json.dumps(document))


def test_an_array_of_another_shape_or_type_is_named(folder: Path):
    np.save(folder / "embeddings.npy", np.zeros((len(SMILES), DIM), dtype=np.float32))
    with_sizes(folder)
    with pytest.raises(LibraryError, match=r"embeddings\.npy: float32 of shape \(12, 8\); expected float16"):
        StructureLibrary.load(folder)


def test_a_table_of_other_columns_or_rows_is_named(folder: Path):
    table = pq.read_table(folder / "structures.parquet")
    write_structure_table(table.slice(1), folder / "structures.parquet")
    with_sizes(folder)
    with pytest.raises(LibraryError, match=r"structures\.parquet: 11 structures; expected 12"):
        StructureLibrary.load(folder)
    pq.write_table(table.drop_columns(["name"]), folder / "structures.parquet")
    with_sizes(folder)
    with pytest.raises(LibraryError, match=r"structures\.parquet: foreign columns; expected smiles, inchikey"):
        StructureLibrary.load(folder)


def test_a_damaged_row_group_is_an_error(folder: Path):
    path = folder / "structures.parquet"
    data = path.read_bytes()
    path.write_bytes(data[:4] + b"\xff" * 600 + data[604:])
    with pytest.raises(LibraryError, match="damaged in row group 0"):
        StructureTable(path).structure(0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "truncated or damaged"),
        ('{"format": "diptych struc', "truncated or damaged"),
        ("[1]", "holds list; expected a JSON object"),
        ('{"format": "else"}', "not a structure library"),
        ('{"format": "diptych structure library", "format_version": 9}', "format version 9; this Diptych reads 1"),
        ('{"format": "diptych structure library", "format_version": 1}', "lacks created_by, digest"),
    ],
)
def test_a_damaged_or_foreign_description_is_an_error(folder: Path, text: str, message: str):
    (folder / "library.json").write_text(text)
    with pytest.raises(LibraryError, match=message):
        StructureLibrary.load(folder)


def test_a_folder_that_is_no_library_is_an_error(tmp_path: Path):
    with pytest.raises(
        LibraryError, match=r"library\.json: missing; expected a folder made by 'diptych library build'"
    ):
        StructureLibrary.load(tmp_path)


def test_a_table_that_cannot_be_read_has_no_first_blocks(tmp_path: Path):
    (tmp_path / "structures.parquet").write_bytes(b"PAR1 is not enough")
    with pytest.raises(LibraryError, match=r"structures\.parquet: no readable Parquet table"):
        list(first_blocks(tmp_path / "structures.parquet"))
