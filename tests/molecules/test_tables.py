import gzip
import lzma
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rdkit import Chem

from diptych.errors import ReadError
from diptych.molecules.tables import StructureRow, read_structure_rows


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def rows_of(path: Path, **columns: str) -> list[StructureRow]:
    return list(read_structure_rows(path, **columns))


def sdf_record(smiles: str, *, title: str = "", items: str = "") -> str:
    block = Chem.MolToMolBlock(Chem.MolFromSmiles(smiles))
    return title + block[block.index("\n") :] + items + "$$$$\n"


@pytest.mark.parametrize(
    "header", ["SMILES", "smiles", "canonical_smiles", "Canonical SMILES", "structure", "PUBCHEM_SMILES"]
)
def test_the_smiles_column_is_guessed(tmp_path: Path, header: str):
    path = written(tmp_path, "a.csv", f"x,{header}\n1,CCO\n")
    assert rows_of(path) == [StructureRow(row_number=2, smiles="CCO")]


def test_all_known_columns_are_read(tmp_path: Path):
    text = "inchi\tcompound_name\tsource\tLicense\tsmiles\tother\nInChI=1S/CH4/h1H4\tmethane\there\tCC0\tC\t7\n"
    row = StructureRow(
        row_number=2, smiles="C", inchi="InChI=1S/CH4/h1H4", name="methane", source="here", licence="CC0"
    )
    assert rows_of(written(tmp_path, "a.tsv", text)) == [row]


def test_a_name_is_better_than_an_identifier(tmp_path: Path):
    path = written(tmp_path, "a.csv", "id,smiles,name\n17,C,methane\n")
    assert rows_of(path)[0].name == "methane"
    assert rows_of(path, name_column="id")[0].name == "17"


def test_a_column_that_is_told_is_taken(tmp_path: Path):
    path = written(tmp_path, "a.csv", "smiles,drawn\nC,CC\n")
    assert rows_of(path, smiles_column="drawn")[0].smiles == "CC"


def test_a_told_column_that_does_not_exist_is_an_error_that_names_the_others(tmp_path: Path):
    path = written(tmp_path, "a.csv", "smiles,drawn\nC,CC\n")
    with pytest.raises(ReadError, match=r"a\.csv: no column 'SMI' for the smiles; found smiles, drawn"):
        rows_of(path, smiles_column="SMI")


def test_a_table_without_structures_is_an_error_that_names_its_columns(tmp_path: Path):
    path = written(tmp_path, "a.csv", "CCO,ethanol\nC,methane\n")
    with pytest.raises(ReadError, match="no column of SMILES or InChI; found CCO, ethanol"):
        rows_of(path)


def test_byte_order_mark_quotes_line_ends_and_blank_lines_are_understood(tmp_path: Path):
    text = '\ufeff"smiles","name"\r\n"CCO","ethanol, pure"\r\n\r\n"C","a ""quoted""\r\nname"\r\n'
    first, second = rows_of(written(tmp_path, "a.csv", text))
    assert first == StructureRow(row_number=2, smiles="CCO", name="ethanol, pure")
    assert (second.row_number, second.smiles) == (5, "C")
    assert second.name.splitlines() == ['a "quoted"', "name"]


def test_utf_16_and_semicolons_are_understood(tmp_path: Path):
    path = written(tmp_path, "a.csv", "name;smiles\nméthane;C\n".encode("utf-16"))
    assert rows_of(path) == [StructureRow(row_number=2, smiles="C", name="méthane")]


def test_short_rows_lack_what_they_lack(tmp_path: Path):
    assert rows_of(written(tmp_path, "a.tsv", "smiles\tname\nC\n")) == [StructureRow(row_number=2, smiles="C")]


def test_an_inchi_in_the_smiles_column_is_an_inchi(tmp_path: Path):
    path = written(tmp_path, "a.csv", "structure\nInChI=1S/CH4/h1H4\n")
    assert rows_of(path) == [StructureRow(row_number=2, inchi="InChI=1S/CH4/h1H4")]


def test_a_smi_file_has_names_after_blanks_and_needs_no_header(tmp_path: Path):
    text = "CCO ethyl alcohol\nC\tmethane\n\n# comment\nCC\n"
    assert rows_of(written(tmp_path, "a.smi", text)) == [
        StructureRow(row_number=1, smiles="CCO", name="ethyl alcohol"),
        StructureRow(row_number=2, smiles="C", name="methane"),
        StructureRow(row_number=5, smiles="CC"),
    ]
    assert rows_of(written(tmp_path, "b.smi", "SMILES name\nC methane\n"))[0].row_number == 2


def test_a_smi_file_has_no_columns_to_tell(tmp_path: Path):
    with pytest.raises(ReadError, match="column 'x' was told, but a SMI file has no named columns"):
        rows_of(written(tmp_path, "a.smi", "C\n"), smiles_column="x")


def test_an_sdf_gives_molblocks_titles_and_data_items(tmp_path: Path):
    items = "> <source>\nhere\n\n>  3  <LICENSE>  (17)\nCC0\n\n"
    text = sdf_record("CCO", title="ethanol", items=items) + sdf_record("C")
    first, second = rows_of(written(tmp_path, "a.sdf", text.replace("\n", "\r\n")))
    assert (first.row_number, first.name, first.source, first.licence) == (1, "ethanol", "here", "CC0")
    assert Chem.MolToSmiles(Chem.MolFromMolBlock(first.molblock)) == "CCO"
    assert (second.row_number, second.name) == (2, "")


def test_an_sdf_without_a_title_is_named_by_its_items_and_a_told_column_wins(tmp_path: Path):
    items = "> <PUBCHEM_SMILES>\nCC\n\n> <ID>\n17\n\n"
    path = written(tmp_path, "a.sdf", sdf_record("CCO", items=items))
    assert rows_of(path)[0].name == "17"
    told = rows_of(path, smiles_column="PUBCHEM_SMILES", name_column="ID")[0]
    assert (told.smiles, told.molblock, told.name) == ("CC", "", "17")


def test_an_sdf_record_without_an_end_is_kept_for_its_failure(tmp_path: Path):
    row = rows_of(written(tmp_path, "a.sdf", "name\nbroken\n"))[0]
    assert (row.row_number, row.name) == (1, "name")
    assert row.molblock


def test_parquet_is_read_and_its_rows_are_counted(tmp_path: Path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"SMILES": ["C", None, "CC"], "id": [1, 2, 3]}), path)
    assert rows_of(path) == [
        StructureRow(row_number=1, smiles="C", name="1"),
        StructureRow(row_number=2, name="2"),
        StructureRow(row_number=3, smiles="CC", name="3"),
    ]
    packed = tmp_path / "a.parquet.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert rows_of(packed) == rows_of(path)


def test_reading_is_lazy(tmp_path: Path):
    rows = read_structure_rows(written(tmp_path, "a.csv", b"smiles\nC\n" + b"CC\n" * 50_000 + b"\xff\n"))
    assert next(rows).smiles == "C"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"", "empty; expected a structure list"),
        ("a.smi", b"  \n\n", "empty; expected a structure list"),
        ("a.sdf", b"", "empty; expected a structure list"),
        ("a.csv", b"\nsmiles\nC\n", "empty first line; expected a header"),
        ("a.smi", b"# nothing\n", "empty; expected a SMILES on each line"),
        ("a.sdf", b"" + b"\n" * 5000 + b" \n", "empty"),
        ("a.csv", b"\x00\x01\x02smiles", "binary data; expected text"),
        ("a.csv", b"smiles,name\nC,m\xe9thane\n", r"a\.csv, line 2: not UTF-8 text .*0xe9\); save .*CSV UTF-8"),
        ("b.csv.gz", gzip.compress(b"smiles\n" + b"C\n" * 9000 + b"C \xe4\n"), r"b\.csv\.gz, line 9002: not UTF-8"),
        ("a.csv", "smiles,name\nC,m\n".encode("utf-16")[:-1], "not UTF-8 text .*truncated data"),
        ("a.csv", b"CCO,ethanol\nC,methane\n", "--smiles-column NAME, or name the file .smi if it has no header"),
        ("a.csv.gz", gzip.compress(b"smiles\n" + b"CCO\n" * 9999)[:-20], "truncated or damaged"),
        ("a.tsv.xz", lzma.compress(b"smiles\n" + b"CCO\n" * 9999)[:-20], "truncated or damaged"),
        ("a.parquet", b"PAR1 is not enough", "no readable Parquet table"),
        ("a.csv", b"smiles\n" + b'"' + b"C" * 200_000, "line .*field larger than field limit.*expected one structure"),
        ("a.docx", b"C", r"suffix '\.docx' is no known format; expected \.csv"),
    ],
)
def test_a_bad_file_is_an_error_that_names_it(tmp_path: Path, name: str, content: bytes, message: str):
    path = written(tmp_path, name, content)
    with pytest.raises(ReadError, match=message) as caught:
        rows_of(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_and_a_folder_are_errors(tmp_path: Path):
    with pytest.raises(ReadError, match="no such file"):
        rows_of(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ReadError, match="cannot be opened"):
        rows_of(tmp_path / "folder.csv")


@given(st.binary(max_size=300), st.sampled_from(["a.csv", "a.tsv", "a.smi", "a.sdf", "a.parquet", "a.csv.gz"]))
def test_whatever_the_bytes_rows_or_a_read_error_come_out(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, name: str
):
    path = written(tmp_path_factory.mktemp("any"), name, data)
    try:
        rows_of(path)
    except ReadError as error:
        assert str(path) in str(error)


@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"])), min_size=1, max_size=5)
)
def test_names_come_out_of_a_csv_as_they_went_in(tmp_path_factory: pytest.TempPathFactory, names: list[str]):
    import csv

    path = tmp_path_factory.mktemp("names") / "a.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("smiles", "name"), *(("C", name) for name in names)])
    assert [row.name for row in rows_of(path)] == [name.strip() for name in names]
