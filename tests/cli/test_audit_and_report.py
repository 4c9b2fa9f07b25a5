import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from diptych.cli import main
from diptych.data.annotated import AnnotatedSpectrum
from diptych.data.columns import SCHEMA, rows_to_batch
from diptych.molecules.structure import Structure
from diptych.spectra import read_spectra

SPECTRUM = (
    "BEGIN IONS\nTITLE={name}\nPEPMASS={mass}\nCHARGE=1+\nSMILES={smiles}\n{peak} 100\n{peak}.5 30\n40.1 7\nEND IONS\n"
)
MGF = (
    SPECTRUM.format(name="first", mass=47.0491, smiles="OCC", peak=2)
    + SPECTRUM.format(name="second", mass=61.0648, smiles="OCCC", peak=4)
    + SPECTRUM.format(name="third", mass=75.0804, smiles="OCCCC", peak=4)
)
LISTS = {"CCO": ["CCO", "CCCO", "CCCCO"], "CCCO": ["CCO", "CCCO", "CCCCO"], "CCCCO": ["CCO", "CCCCO"]}
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
    source = ["--spectra", "s.mgf", "--accessions", "folds.tsv", "--fold", "test", "--candidates", "lists.json"]
    assert run(monkeypatch, "evaluate", *source, "--bootstrap", "20", "-o", "r.json") == 0
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
    source = ["--spectra", "s.mgf", "--accessions", "folds.tsv", "--candidates", "lists.json"]
    options = ["--model", "any", "--labels", "0", "--bootstrap", "20", "--control", "same=r.json", "-o", "audit"]
    assert run(monkeypatch, "audit", "r.json", *source, *options) == 0
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


def verdicts(folder: Path) -> dict[str, tuple[str, str]]:
    audit = json.loads((folder / "audit" / "audit.json").read_text())
    return {found["check"]: (found["verdict"], found["says"]) for found in audit["findings"]}


def test_every_check_has_a_verdict_and_its_reason(evaluated: Path, monkeypatch):
    assert run(monkeypatch, "audit", "r.json", "--bootstrap", "0", "-o", "audit") == 0
    found = verdicts(evaluated)
    assert len(found) == 10
    assert found["shared molecules"][0] == "not checked"
    assert "or --spectra with --accessions" in found["shared molecules"][1]
    assert "--spectra" in found["shared spectra"][1]


def test_spectra_are_compared_where_no_lists_are_given(evaluated: Path, monkeypatch):
    source = ["--spectra", "s.mgf", "--accessions", "folds.tsv"]
    assert run(monkeypatch, "audit", "r.json", *source, "--bootstrap", "0", "-o", "audit") == 0
    # The peaks of the second and the third are the same.
    verdict, says = verdicts(evaluated)["shared spectra"]
    assert (verdict, says.partition(" are")[0]) == ("fail", "1 of 2 tested spectra of at least 3 peaks")
    assert verdicts(evaluated)["shared molecules"][0] == "pass"


def test_spectra_that_are_no_dataset_are_not_their_own_training(evaluated: Path, monkeypatch):
    options = ["--spectra", "s.mgf", "--fold", "scaffold=test", "--bootstrap", "0", "-o", "audit"]
    assert run(monkeypatch, "audit", "r.json", *options) == 0
    assert verdicts(evaluated)["shared molecules"][0] == "not checked"


@pytest.fixture
def dataset(evaluated: Path) -> Path:
    spectra = list(read_spectra(evaluated / "s.mgf", on_problem=print))
    examples = [
        AnnotatedSpectrum(spectrum=spectrum, structure=Structure.from_smiles(spectrum.metadata["smiles"]))
        for spectrum in spectra
    ]
    folds = pa.array(["test", "test", "train"])
    rows = pa.Table.from_batches([rows_to_batch(examples)]).append_column("fold_scaffold", folds)
    pq.write_table(rows.replace_schema_metadata(SCHEMA.metadata), evaluated / "d.parquet")
    return evaluated / "d.parquet"


@pytest.mark.parametrize("name", ["train", "scaffold=train"])
def test_the_training_fold_of_a_dataset_is_spelt_as_the_tested_one(dataset: Path, monkeypatch, name: str):
    options = ["--spectra", "d.parquet", "--fold", "scaffold=test", "--train-fold", name, "--bootstrap", "0"]
    assert run(monkeypatch, "audit", "r.json", *options, "-o", "audit") == 0
    verdict, says = verdicts(dataset.parent)["shared molecules"]
    assert verdict == "pass"
    assert says.endswith("are among the 1 of training.")


@pytest.mark.parametrize(
    "arguments",
    [
        ("audit", "r.json", "--fold", "scaffold=typo"),
        ("audit", "r.json", "--fold", "scaffold=test", "--train-fold", "typo"),
        ("evaluate", "--candidates", "lists.json", "--fold", "scaffold=typo"),
    ],
)
def test_a_fold_of_no_spectra_is_refused(dataset: Path, monkeypatch, capsys, arguments: tuple[str, ...]):
    assert run(monkeypatch, *arguments, "--spectra", "d.parquet") == 1
    assert "no spectrum of fold 'scaffold=typo'; scaffold has test, train" in capsys.readouterr().err


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
