import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from diptych.data.candidate_files import read_candidate_file, write_candidate_file
from diptych.errors import DatasetError, OutputError

LISTS = {"CCO": ["CCO", "COC"], "spectrum-1": ["C"], "LFQSCWFLJHTTHZ": []}


@pytest.mark.parametrize("suffix", [".json", ".json.xz", ".json.gz", ".json.bz2"])
def test_what_is_written_is_read_again(tmp_path: Path, suffix: str):
    path = tmp_path / f"candidates{suffix}"
    write_candidate_file(LISTS, path)
    assert read_candidate_file(path) == LISTS
    assert list(read_candidate_file(path)) == list(LISTS)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "expected candidate lists as JSON"),
        ('{"CCO": ["CCO"', "expected candidate lists as JSON"),
        ("[" * 100_000, "expected candidate lists as JSON"),
        ("[]", "expected a JSON object"),
        ("{}", "with at least one key"),
        (json.dumps({"CCO": "CCO"}), "the value of 'CCO' is no list of SMILES"),
        (json.dumps({"CCO": [1]}), "the value of 'CCO' is no list of SMILES"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, content: str, message: str):
    path = tmp_path / "candidates.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(DatasetError, match=message):
        read_candidate_file(path)


def test_a_folder_is_no_file_of_lists(tmp_path: Path):
    with pytest.raises(DatasetError, match=r"is a folder; expected JSON, or the lists_KIND\.parquet of a frozen"):
        read_candidate_file(tmp_path)


def test_a_missing_or_cut_file_is_refused(tmp_path: Path):
    path = tmp_path / "candidates.json.xz"
    write_candidate_file({str(i): ["C" * i] for i in range(200)}, path)
    path.write_bytes(path.read_bytes()[:-30])
    for broken in (path, tmp_path / "missing.json"):
        with pytest.raises(DatasetError, match="cannot be read"):
            read_candidate_file(broken)


def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path):
    (tmp_path / "candidates.json").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        write_candidate_file(LISTS, tmp_path / "candidates.json")


def test_the_lists_of_a_frozen_benchmark_are_read(tmp_path: Path):
    path = tmp_path / "lists_formula.parquet"
    pq.write_table(
        pa.table({"key": ["A", "B", "A"], "smiles": ["CCO", "C", "COC"], "exact_mass": [46.0, 16.0, 46.0]}), path
    )
    assert read_candidate_file(path) == {"A": ["CCO", "COC"], "B": ["C"]}


@pytest.mark.parametrize(
    ("columns", "message"),
    [({"key": ["A"]}, "columns key and smiles"), ({"key": [], "smiles": []}, "no candidate list")],
)
def test_a_table_of_another_kind_is_refused(tmp_path: Path, columns: dict, message: str):
    path = tmp_path / "lists.parquet"
    pq.write_table(pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()}), path)
    with pytest.raises(DatasetError, match=message):
        read_candidate_file(path)


def test_a_list_that_stands_twice_is_refused(tmp_path: Path):
    (tmp_path / "lists.json").write_text('{"A": ["CCO"], "B": ["C"], "A": ["COC"]}')
    with pytest.raises(DatasetError, match=r"cannot be read: the key 'A' stands twice; expected candidate lists"):
        read_candidate_file(tmp_path / "lists.json")
