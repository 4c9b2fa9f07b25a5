import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest

from diptych.cli import main
from diptych.molecules.structure import Structure

SOURCE = Path(__file__).parents[2] / "src"

# Each spectrum's precursor says how many carbons its molecule has, and so does the stand-in of a model.
ETHANOL, PROPANOL, BUTANOL = "OCC", "OCCC", "OCCCC"
MGF = """BEGIN IONS
TITLE=first
PEPMASS=47.0491
CHARGE=1+
SMILES=OCC
2.0 100
END IONS
BEGIN IONS
TITLE=second
PEPMASS=61.0648
CHARGE=1+
SMILES=OCCC
3.0 100
END IONS
BEGIN IONS
TITLE=unknown
PEPMASS=61.0648
CHARGE=1+
3.0 100
END IONS
"""
LISTS = {"CCO": ["CCO", "C(O)C", "OCCC", "OCCCC"], "CCCO": ["CCO", "CCCO", "CC1"]}


class CarbonCounter:
    """Knows the number of carbons: the first peak's m/z says it, and the SMILES."""

    name = "carbon-counter"
    digest = "c0ffee"
    metadata: ClassVar[dict] = {}

    def encode_spectra(self, spectra, *, blind=False):
        return np.eye(8, dtype=np.float32)[[0 if blind else int(spectrum.mz[0]) for spectrum in spectra]]

    def encode_structures(self, structures):
        return np.eye(8, dtype=np.float32)[[structure.smiles.count("C") for structure in structures]]


@pytest.fixture(autouse=True)
def stand_in(monkeypatch: pytest.MonkeyPatch):
    module = ModuleType("diptych.embedding")
    module.JointEmbedding = SimpleNamespace(load=lambda _: CarbonCounter())
    monkeypatch.setitem(sys.modules, "diptych.embedding", module)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "s.mgf").write_text(MGF)
    (tmp_path / "lists.json").write_text(json.dumps(LISTS))
    (tmp_path / "any").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["diptych", "evaluate", *arguments])
    try:
        main.run()
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


def test_a_model_is_judged_beside_its_controls(folder: Path, monkeypatch, capsys):
    options = ["--model", "any", "--spectra", "s.mgf", "--candidates", "lists.json", "--bootstrap", "20"]
    assert run(monkeypatch, *options) == 0
    report = json.loads((folder / "report.json").read_text())
    assert (report["model"], report["queries"], report["molecules"]) == ("carbon-counter", 2, 2)
    assert report["list_length"] == 3
    assert report["metrics"]["hit_rate@1"]["spectrum"] == 1
    assert list(report["controls"]) == ["random", "spectrum_blind", "shuffled_spectra", "precursor_mass"]
    # No molecule has 0 carbons: asked blind all candidates tie, against the target.
    assert report["controls"]["spectrum_blind"]["hit_rate@1"]["spectrum"] == 0
    assert report["controls"]["shuffled_spectra"]["hit_rate@1"]["spectrum"] == 0
    said = report["provenance"]
    assert (said["model_digest"], said["lists_keyed_by"]) == ("c0ffee", "target SMILES")
    assert said["spectra_without_structure"] == 1
    assert said["counts"]["duplicate_candidates_removed"] == 1
    assert said["counts"]["unparsed_candidates"] == 1
    shown = capsys.readouterr().out
    for text in ("carbon-counter", "spectrum_blind", "1 spectrum names no structure", "keyed by target SMILES"):
        assert text in shown


def test_spectra_of_one_identifier_are_counted_and_named(folder: Path, monkeypatch, capsys):
    again = MGF.partition("END IONS\n")[0] + "END IONS\n"
    (folder / "s.mgf").write_text(MGF + 4 * again)
    options = ["--model", "any", "--spectra", "s.mgf", "--candidates", "lists.json", "--bootstrap", "0"]
    assert run(monkeypatch, *options) == 0
    shown = " ".join(capsys.readouterr().out.split())
    line = "4 spectra share an identifier with one before them; they are called first#2, first#3, first#4, ..."
    assert line in shown
    said = json.loads((folder / "report.json").read_text())["provenance"]
    assert said["counts"]["spectra_of_repeated_identifiers"] == 4
    assert said["renamed_spectra"] == ["first#2", "first#3", "first#4", "first#5"]
    (folder / "s.mgf").write_text(MGF)
    assert run(monkeypatch, *options) == 0
    assert "share an identifier" not in capsys.readouterr().out


def test_a_model_that_ranks_no_structures_is_said_to(folder: Path, monkeypatch, capsys):
    options = ["--model", "any", "--spectra", "s.mgf", "--candidates", "lists.json", "--bootstrap", "0"]
    assert run(monkeypatch, *options) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(CarbonCounter, "metadata", {"ranks_structures": False})
    assert run(monkeypatch, *options) == 0
    said = capsys.readouterr().err
    assert said.startswith("diptych: model carbon-counter was trained to compare spectra with spectra alone: its ranks")
    assert said.count("\n") == 1


@pytest.mark.parametrize("more", [(), ("--consensus", "2")])
def test_without_the_prior_the_model_is_asked_less_what_it_says_blind(folder: Path, monkeypatch, more: tuple[str, ...]):
    options = ["--model", "any", "--spectra", "s.mgf", "--candidates", "lists.json", "--bootstrap", "0", *more]
    targets = []
    for prior in ("1", "0"):
        assert run(monkeypatch, *options, "--prior", prior) == 0
        assert json.loads((folder / "report.json").read_text())["provenance"]["prior"] == float(prior)
        with (folder / "report.ranks.tsv").open() as stream:
            targets.append([float(row["score_target"]) for row in csv.DictReader(stream, delimiter="\t")])
    # The blind vector is at right angles to the spectrum's: their difference has the length sqrt(2).
    np.testing.assert_allclose(targets[1], np.array(targets[0]) / np.sqrt(2), rtol=1e-4)


@pytest.mark.parametrize(("mces", "column"), [((), True), (("--mces", "bound"), True), (("--mces", "none"), False)])
def test_the_mces_distance_of_the_first_candidate_is_written(folder: Path, monkeypatch, mces, column: bool):
    (folder / "s.mgf").write_text(MGF.replace("2.0 100", "3.0 100"))  # ethanol is taken for propanol
    options = ["--model", "any", "--spectra", "s.mgf", "--candidates", "lists.json", "--bootstrap", "0", *mces]
    assert run(monkeypatch, *options) == 0
    with (folder / "report.ranks.tsv").open() as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    # One bond more in propanol than in ethanol.
    assert [row.get("mces") for row in rows] == (["1", "0"] if column else [None, None])
    assert json.loads((folder / "report.json").read_text())["provenance"]["mces"] == ("bound" if column else "none")


def test_without_its_package_the_exact_distance_is_refused_before_the_model_is_asked(folder: Path, monkeypatch, capfd):
    monkeypatch.setattr("diptych.evaluation.results.metadata.has_exact_mces", lambda: False)
    monkeypatch.setattr(CarbonCounter, "encode_spectra", None)
    options = ["--model", "any", "--spectra", "s.mgf", "--candidates", "lists.json", "--mces", "exact"]
    assert run(monkeypatch, *options) == 1
    assert capfd.readouterr().err.startswith("diptych: the exact MCES distance needs the package myopic-mces")


def test_several_spectra_of_a_molecule_are_asked_as_one_query(folder: Path, monkeypatch):
    again = (
        MGF.replace("TITLE=first", "TITLE=again").replace("2.0 100", "3.0 100").partition("BEGIN IONS\nTITLE=second")
    )
    (folder / "s.mgf").write_text(again[0] + MGF)
    options = ["--spectra", "s.mgf", "--candidates", "lists.json", "--bootstrap", "5"]
    assert run(monkeypatch, *options) == 0
    assert json.loads((folder / "report.json").read_text())["queries"] == 3
    assert run(monkeypatch, *options, "--consensus", "4") == 0
    report = json.loads((folder / "report.json").read_text())
    assert (report["queries"], report["provenance"]["spectra_per_query"]) == (2, 1.5)


def test_ranks_stand_beside_the_report_named_by_the_user(folder: Path, monkeypatch):
    options = ["--spectra", "s.mgf", "--candidates", "lists.json", "--bootstrap", "5", "-o", "deep/name.json"]
    assert run(monkeypatch, *options) == 0
    with (folder / "deep" / "name.ranks.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [(row["query"], row["rank"], row["n_candidates"]) for row in rows] == [
        ("first", "1", "3"),
        ("second", "1", "3"),
    ]


def test_only_the_spectra_of_a_fold_are_asked(folder: Path, monkeypatch, capsys):
    (folder / "folds.csv").write_text("accession,fold\nfirst,test\nsecond,train\nabsent,test\n")
    options = ["--spectra", "s.mgf", "--candidates", "lists.json", "--accessions", "folds.csv", "--fold", "test"]
    assert run(monkeypatch, *options) == 0
    report = json.loads((folder / "report.json").read_text())
    assert report["queries"] == 1
    assert report["provenance"]["absent_accessions"] == 1
    # One molecule: neither another's spectrum nor an interval.
    assert "shuffled_spectra" not in report["controls"]
    shown = capsys.readouterr().out
    assert "1 query of 1 molecule, lists of 3 on average" in shown
    assert "1 accession of the fold is not in the file" in shown
    assert "All queries are of one molecule: shuffled_spectra is left out." in shown


def test_one_molecule_with_a_list_that_is_long_enough_is_asked_without_shuffled_spectra(
    folder: Path, monkeypatch, capsys
):
    (folder / "lists.json").write_text(json.dumps({"CCO": ["CCO", "CCCO"], "CCCO": ["CCCO"]}))
    options = ["--model", "any", "--spectra", "s.mgf", "--candidates", "lists.json", "--min-list-length", "2"]
    assert run(monkeypatch, *options) == 0
    assert "shuffled_spectra" not in json.loads((folder / "report.json").read_text())["controls"]
    assert "All queries are of one molecule: shuffled_spectra is left out." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "lines"),
    [
        (("--min-list-length", "0"), ["2 targets are missing from their list (1 of these without any list)"]),
        (
            ("--min-list-length", "1"),
            [
                "1 query was left out for its short list, those without any list among them.",
                "1 target is missing from its list: counted as a miss.",
            ],
        ),
    ],
)
def test_spectra_without_a_list_are_counted_once(
    folder: Path, monkeypatch, capsys, more: tuple[str, ...], lines: list[str]
):
    (folder / "lists.json").write_text(json.dumps({"CCO": ["CCCO"]}))
    options = ["--model", "any", "--spectra", "s.mgf", "--candidates", "lists.json", "--bootstrap", "0"]
    assert run(monkeypatch, *options, *more) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for line in lines:
        assert line in shown
    assert "spectra have no candidate list" not in shown


@pytest.mark.parametrize(
    ("smiles", "line", "seen"),
    [
        (
            [ETHANOL],
            "1 of 2 queries are of molecules that this model was trained on; hit rate@1 of the other 1: 100.0 %.",
            {"seen_queries": 1, "queries": 2, "unseen": {"hit_rate@1": 1.0, "low": None, "high": None}},
        ),
        (
            [BUTANOL],
            "0 of 2 queries are of molecules that this model was trained on.",
            {"seen_queries": 0, "queries": 2},
        ),
        ([], "", None),
    ],
)
def test_queries_that_the_model_was_trained_on_are_told(
    folder: Path, monkeypatch, capsys, smiles: list[str], line: str, seen: dict | None
):
    blocks = [Structure.from_smiles(text).inchikey_first_block for text in smiles]
    if blocks:
        (folder / "any" / "training_first_blocks.txt").write_text("\n".join(blocks) + "\n")
    options = ["--model", "any", "--spectra", "s.mgf", "--candidates", "lists.json", "--bootstrap", "20"]
    assert run(monkeypatch, *options) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert line in shown
    assert ("trained on" in shown) is bool(blocks)
    assert json.loads((folder / "report.json").read_text())["provenance"].get("training_overlap") == seen


@pytest.mark.parametrize(("by", "length"), [("formula", 1), ("mass", 3)])
def test_candidates_are_drawn_from_a_library(folder: Path, monkeypatch, by: str, length: int):
    structures = [Structure.from_smiles(smiles) for smiles in (ETHANOL, PROPANOL, BUTANOL)]
    library = SimpleNamespace(
        window=lambda mass, half_width: slice(0, 3),
        formula_rows=lambda formula: np.flatnonzero([s.formula == formula for s in structures]),
        structures=lambda rows: [structures[row] for row in rows],
    )
    monkeypatch.setattr("diptych.retrieval.StructureLibrary", SimpleNamespace(load=lambda _: library), raising=False)
    assert run(monkeypatch, "--spectra", "s.mgf", "--library", "lib", "--by", by, "--bootstrap", "5") == 0
    report = json.loads((folder / "report.json").read_text())
    assert report["list_length"] == length
    assert report["metrics"]["hit_rate@1"]["spectrum"] == 1


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--spectra", "s.mgf"], 2, "either --candidates FILE or --library DIR"),
        (["--spectra", "s.mgf", "--candidates", "a", "--library", "b"], 2, "either --candidates FILE or --library DIR"),
        (["--spectra", "s.mgf", "--candidates", "lists.json", "--by", "mass"], 2, "--candidates are taken as they are"),
        (["--spectra", "s.mgf", "--candidates", "lists.json", "--ppm", "3"], 2, "--candidates are taken as they are"),
        (["--spectra", "s.mgf", "--library", "l", "--ppm", "3"], 2, "--ppm is the half width of --by mass"),
        (["--spectra", "none.mgf", "--candidates", "lists.json"], 2, "none.mgf"),
        (["--spectra", "s.mgf", "--candidates", "lists.json", "--accessions", "x.tsv"], 2, "--accessions needs --fold"),
        (["--spectra", "s.mgf", "--candidates", "lists.json", "--fold", "test"], 2, "COLUMN=NAME with a dataset"),
        (["--spectra", "s.mgf", "--candidates", "none.json"], 1, "diptych: none.json: cannot be read"),
        (["--spectra", "s.mgf", "--candidates", "s.mgf"], 1, "expected candidate lists as JSON"),
        (["--spectra", "s.mgf", "--candidates", "other.json"], 1, "no candidate list belongs to any of 2 spectra"),
        (["--spectra", "lists.json", "--candidates", "lists.json"], 1, "diptych: "),
        (["--spectra", "s.mgf", "--candidates", "lists.json", "--min-list-length", "9"], 1, "no query to evaluate: 2"),
        (["--spectra", "s.mgf", "--candidates", "lists.json", "-o", "taken"], 1, "cannot be written"),
    ],
)
def test_bad_input_is_one_clear_line(folder: Path, monkeypatch, capfd, options: list[str], code: int, message: str):
    (folder / "taken" / "inside").mkdir(parents=True)
    (folder / "other.json").write_text('{"c1ccccc1": ["C"]}')
    assert run(monkeypatch, *options) == code
    error = capfd.readouterr().err
    assert message in " ".join(error.replace("│", " ").split())
    assert code == 2 or len(error.splitlines()) == 1
    assert "Traceback" not in error


def test_a_saved_model_is_judged_by_the_command(folder: Path):
    untrained = (
        "from diptych.embedding import JointEmbedding\n"
        "JointEmbedding.from_config(spectrum={}, structure={}, embedding_dim=8).save('model')\n"
        "from diptych.cli.main import run\n"
        "run()\n"
    )
    options = ["--model", "model", "--spectra", "s.mgf", "--candidates", "lists.json", "--bootstrap", "5"]
    done = subprocess.run(
        [sys.executable, "-c", untrained, "evaluate", *options],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads((folder / "report.json").read_text())
    assert report["model"] == "unnamed"
    assert len(report["provenance"]["model_digest"]) == 64
    assert report["provenance"]["counts"]["targets_without_score"] == 0


def test_an_infinite_mass_window_is_refused(tmp_path: Path, monkeypatch, capfd):
    (tmp_path / "s.mgf").touch()
    monkeypatch.chdir(tmp_path)
    source = ("--spectra", "s.mgf", "--library", "l", "--by", "mass", "--ppm", "inf")
    monkeypatch.setattr(sys, "argv", ["diptych", "evaluate", *source])
    with pytest.raises(SystemExit):
        main.run()
    assert "--ppm is inf; expected a finite number" in " ".join(capfd.readouterr().err.split())
