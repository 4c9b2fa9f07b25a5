import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest

from diptych.cli import main

SPECTRUM = (
    "BEGIN IONS\nTITLE={name}\nPEPMASS={mass}\nCHARGE=1+\nSMILES={smiles}\n{peak} 100\n{peak}.5 30\n40.1 7\nEND IONS\n"
)
MGF = (
    SPECTRUM.format(name="first", mass=47.0491, smiles="OCC", peak=2)
    + SPECTRUM.format(name="second", mass=61.0648, smiles="OCCC", peak=4)
    + SPECTRUM.format(name="third", mass=75.0804, smiles="OCCCC", peak=4)
)
LISTS = {"CCO": ["CCO", "CCCO", "CCCCO"], "CCCO": ["CCO", "CCCO", "CCCCO"], "CCCCO": ["CCO", "CCCCO"]}
SOURCE = ("--spectra", "s.mgf", "--accessions", "folds.tsv", "--candidates", "lists.json")
FOLDS = "accession\tfold\nfirst\ttest\nsecond\ttest\nthird\ttrain\n"


class CarbonCounter:
    """Knows the number of carbons: the first peak's m/z says it, and the SMILES."""

    name = "carbon-counter"
    digest = "c0ffee"
    metadata: ClassVar[dict] = {"calibration": {"temperature": 0.5}}

    def encode_spectra(self, spectra, *, blind=False):
        return np.eye(64, dtype=np.float32)[[0 if blind else int(spectrum.mz[0]) for spectrum in spectra]]

    def encode_structures(self, structures):
        return np.eye(64, dtype=np.float32)[[structure.smiles.count("C") for structure in structures]]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    module = ModuleType("diptych.embedding")
    module.JointEmbedding = SimpleNamespace(load=lambda _: CarbonCounter())
    module.model_folder = lambda _: tmp_path
    monkeypatch.setitem(sys.modules, "diptych.embedding", module)
    (tmp_path / "s.mgf").write_text(MGF)
    (tmp_path / "lists.json").write_text(json.dumps(LISTS))
    (tmp_path / "folds.tsv").write_text(FOLDS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["diptych", *arguments])
    try:
        main.run()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


@pytest.fixture
def evaluated(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    assert run(monkeypatch, "evaluate", *SOURCE, "--fold", "test", "--bootstrap", "20", "-o", "r.json") == 0
    return folder


def test_the_table_of_results_says_all_that_is_known(evaluated: Path):
    header, *rows = [line.split("\t") for line in (evaluated / "r.ranks.tsv").read_text().splitlines()]
    first = dict(zip(header, rows[0], strict=True))
    assert (first["best_smiles"], first["target_smiles"], first["tanimoto"]) == ("CCO", "CCO", "1")
    assert (first["polarity"], first["n_peaks"], first["formula"]) == ("positive", "3", "C2H6O")
    # Cosines 1, 0, 0 at a temperature of 1/2.
    assert float(first["probability"]) == pytest.approx(1 / (1 + 2 * np.exp(-2)))
    assert (evaluated / "r.scores.parquet").is_file()


def test_an_audit_asks_anew_and_looks_for_leaks(evaluated: Path, monkeypatch, capsys):
    options = ["--model", "any", "--labels", "0", "--bootstrap", "20", "--control", "same=r.json", "-o", "audit"]
    assert run(monkeypatch, "audit", "r.json", *SOURCE, *options) == 0
    audit = json.loads((evaluated / "audit" / "audit.json").read_text())
    verdicts = {finding["check"]: finding["verdict"] for finding in audit["findings"]}
    assert verdicts["shared molecules"] == "pass"
    assert verdicts["near twins"] == "pass"
    assert [one["second"] for one in audit["above"]][-1] == "same"
    cost = {one["first"]: one["difference"] for one in audit["uses"]}
    assert cost["intensities flattened"] == 0
    assert cost["precursor not stated"] == -0.5
    # The second is wrong: its peak says four carbons.
    assert [case["query"] for case in audit["hardest"]] == ["second"]
    assert audit["hardest"][0]["neighbours"]
    assert "<svg" in (evaluated / "audit" / "audit.html").read_text()
    assert "shared molecules" in capsys.readouterr().out


def test_an_audit_of_results_alone_says_what_it_did_not_check(evaluated: Path, monkeypatch):
    assert run(monkeypatch, "audit", "r.ranks.tsv", "--bootstrap", "20", "-o", "audit") == 0
    audit = json.loads((evaluated / "audit" / "audit.json").read_text())
    assert {f["check"] for f in audit["findings"] if f["verdict"] == "not checked"} >= {"near twins", "shared spectra"}
    assert audit["uses"] == []


def test_the_differences_of_one_molecule_are_printed_without_an_interval(folder: Path, monkeypatch, capsys):
    (folder / "folds.tsv").write_text("accession\tfold\nfirst\ttest\n")
    assert run(monkeypatch, "evaluate", *SOURCE, "--fold", "test", "--bootstrap", "20", "-o", "r.json") == 0
    capsys.readouterr()
    assert run(monkeypatch, "audit", "r.json", "--bootstrap", "20", "-o", "audit") == 0
    shown = capsys.readouterr().out
    assert "+100.0 points @1 above spectrum_blind" in shown
    assert "nan" not in shown


def test_a_report_is_one_page(evaluated: Path, monkeypatch, capsys):
    options = ["--spectra", "s.mgf", "--bootstrap", "20", "--split", "easy=r.json", "-o", "page.html"]
    assert run(monkeypatch, "report", "mine=r.json", "again=r.json", *options) == 0
    html = (evaluated / "page.html").read_text()
    for text in ("Figures of merit", "Differences to mine", "Split ladder", "Hardest queries"):
        assert text in html
    assert "Written: page.html, page.md, page.json" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("report", "r.json", "r.json"), "two results are called 'carbon-counter'"),
        (("report", "r.json", "--split", "r.json"), "--split r.json; expected NAME=REPORT"),
        (("audit", "r.json", "--control", "r.json"), "--control r.json; expected NAME=FILE"),
    ],
)
def test_wrong_arguments_are_named(evaluated: Path, monkeypatch, capsys, arguments: tuple[str, ...], message: str):
    assert run(monkeypatch, *arguments) == 2
    assert message in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_a_plan_that_is_missing_is_one_line(monkeypatch, capsys):
    assert run(monkeypatch, "ablate", "none.toml", "-o", "out") == 1
    reason = "No such file or directory; expected a TOML file"
    assert capsys.readouterr().err == f"diptych: none.toml: cannot be read: {reason}\n"
