import os
from pathlib import Path

import pytest

from diptych.errors import OutputError
from diptych.files import check_writable


def test_what_can_be_written_passes_and_nothing_is_made(tmp_path: Path):
    (tmp_path / "old.json").write_text("{}")
    check_writable(tmp_path, is_folder=True)
    check_writable(tmp_path / "new" / "folder", is_folder=True)
    check_writable(tmp_path / "new" / "report.json")
    check_writable(tmp_path / "old.json")
    assert [path.name for path in tmp_path.iterdir()] == ["old.json"]


def test_a_file_in_the_way_of_a_folder_and_a_folder_in_the_way_of_a_file_are_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    for path, is_folder, message in (
        (tmp_path / "file", True, "it is a file; expected a folder"),
        (tmp_path, False, "it is a folder; expected a file"),
        (tmp_path / "file" / "results", True, "file is no folder"),
        (tmp_path / "file" / "results.json", False, "file is no folder"),
        (tmp_path / ("x" * 300), False, "File name too long"),
    ):
        with pytest.raises(OutputError, match=message):
            check_writable(path, is_folder=is_folder)


def test_a_folder_that_takes_no_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OutputError, match=rf"r\.json: cannot be written: {tmp_path} takes no file"):
        check_writable(tmp_path / "new" / "r.json")
