import sys
from pathlib import Path

import pytest

from diptych.cli import main

ETHANOL = "LFQSCWFLJHTTHZ"
MGF = """BEGIN IONS
TITLE=one
PEPMASS=47.0491
SMILES=OCC
2.0 100
END IONS
BEGIN IONS
TITLE=two
PEPMASS=61.0648
SMILES=OCCC
3.0 100
END IONS
BEGIN IONS
TITLE=three
PEPMASS=61.0648
3.0 100
END IONS
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "s.mgf").write_text(MGF)
    for name, text in (("model", f"{ETHANOL}\n"), ("damaged", "ethanol\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "training_first_blocks.txt").write_text(text)
    (tmp_path / "bare").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["diptych", "overlap", *arguments])
    with pytest.raises(SystemExit) as stop:
        main.run()
    return int(stop.value.code or 0)


def test_spectra_of_one_identifier_are_told(folder: Path, monkeypatch, capsys):
    (folder / "s.mgf").write_text(MGF.replace("TITLE=two", "TITLE=one"))
    assert run(monkeypatch, "s.mgf", "--model", "model") == 0
    line = "1 spectrum shares its identifier with one before it; it is called one#2."
    assert line in capsys.readouterr().out.splitlines()


def test_it_says_what_the_model_has_seen(folder: Path, monkeypatch, capsys):
    assert run(monkeypatch, "s.mgf", "--model", "model", "-o", "deep/overlap.tsv") == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown == [
        "model was trained on 1 molecule; of this file it has seen",
        "  1 of 2 (50.0 %) molecules",
        "  1 of 2 (50.0 %) spectra (those of these molecules)",
        "1 spectrum names no structure: not judged.",
        "Written: deep/overlap.tsv",
    ]
    rows = (folder / "deep" / "overlap.tsv").read_text().splitlines()
    assert rows == [
        "accession\tinchikey_first_block\tfold",
        f"one\t{ETHANOL}\tseen",
        "two\tBDERNNFJNOPAEC\tnew",
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["none.mgf", "--model", "model"], 2, "none.mgf"),
        (["s.mgf", "--model", "absent"], 1, "absent: no such model"),
        (["s.mgf", "--model", "bare"], 1, "bare/training_first_blocks.txt: the molecules"),
        (["s.mgf", "--model", "damaged"], 1, "line 1: 'ethanol'"),
        (["model/training_first_blocks.txt", "--model", "model"], 1, "diptych: "),
    ],
)
def test_bad_input_is_one_clear_line(monkeypatch, capfd, arguments: list[str], code: int, message: str):
    assert run(monkeypatch, *arguments) == code
    error = capfd.readouterr().err
    assert message in " ".join(error.replace("│", " ").split())
    assert code == 2 or len(error.splitlines()) == 1
    assert "Traceback" not in error


def test_the_table_never_takes_the_place_of_the_spectra(folder: Path, monkeypatch, capsys):
    assert run(monkeypatch, "s.mgf", "--model", "model", "-o", "s.mgf") == 1
    assert "s.mgf: cannot be written: it is read to write it, and would be lost" in capsys.readouterr().err
    assert (folder / "s.mgf").read_text() == MGF
