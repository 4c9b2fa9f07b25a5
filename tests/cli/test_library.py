import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import numpy as np
import pytest
from rdkit import Chem

from diptych.cli.main import run

Command = Callable[..., tuple[int, str, str]]


def weights_and_sizes(mols: Sequence[Chem.Mol]) -> np.ndarray:
    return np.array([[mol.GetNumHeavyAtoms(), mol.GetNumBonds() + 1] for mol in mols], dtype=np.float32)


class Tower:
    featuriser = staticmethod(weights_and_sizes)


class StandIn:
    name = "stand-in"
    digest = "feed" * 16
    embedding_dim = 2
    metadata: ClassVar[dict] = {}
    structure_encoder = Tower()

    @classmethod
    def load(cls, name: str | None) -> "StandIn":
        return cls()

    def encode_structure_features(self, features: np.ndarray) -> np.ndarray:
        return features / np.linalg.norm(features, axis=1, keepdims=True)


class ForSpectraAlone(StandIn):
    metadata: ClassVar[dict] = {"ranks_structures": False}


class Stopped(StandIn):
    def encode_structure_features(self, features: np.ndarray) -> np.ndarray:
        raise KeyboardInterrupt


@pytest.fixture
def diptych(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    def command(*arguments: object, model: type[StandIn] = StandIn) -> tuple[int, str, str]:
        module = ModuleType("diptych.embedding")
        module.JointEmbedding = model  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "diptych.embedding", module)
        monkeypatch.setattr(sys, "argv", ["diptych", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "200")
        code = 0
        try:
            run()
        except SystemExit as stop:
            code = int(stop.code or 0)
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return command


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "list.csv"
    path.write_text(
        "drawn,name,source,licence\nCCO,ethanol,mine,CC0\nOCC,spirit,yours,CC0\nxx,,,\nCOC,ether,mine,CC BY\n"
    )
    return path


@pytest.fixture
def library(diptych: Command, source: Path, tmp_path: Path) -> Path:
    diptych("library", "build", source, "-o", tmp_path / "library", "--smiles-column", "drawn", "--workers", 1)
    return tmp_path / "library"


def test_building_says_what_became_of_the_rows(diptych: Command, source: Path, tmp_path: Path):
    code, out, _ = diptych("library", "build", source, "-o", tmp_path / "new", "--smiles-column", "drawn")
    assert code == 0
    lines = {" ".join(line.strip("│ ").split("│")[0].split()): line for line in out.splitlines()}
    assert " 4 " in lines["rows read"]
    assert " 2 " in lines["structures"]
    assert " 1 " in lines["duplicates merged"]
    assert "failures.tsv" in lines["rows that failed"]
    assert "stand-in" in lines["model"]
    assert json.loads((tmp_path / "new" / "library.json").read_text())["n_structures"] == 2


def test_a_model_that_ranks_no_structures_is_said_to(diptych: Command, source: Path, tmp_path: Path):
    command = ("library", "build", source, "--smiles-column", "drawn", "--workers", 1, "-o")
    code, _, err = diptych(*command, tmp_path / "first", model=ForSpectraAlone)
    assert code == 0
    assert "diptych: model stand-in was trained to compare spectra with spectra alone: its ranks" in err
    assert "spectra alone" not in diptych(*command, tmp_path / "second")[2]


def test_info_says_what_a_library_holds(diptych: Command, library: Path):
    code, out, _ = diptych("library", "info", library)
    assert code == 0
    for expected in ("stand-in", "feed" * 16, "46.0419 to 46.0419 Da", "mine: 2", "CC BY: 1", "4 (1 merged"):
        assert expected in out


def model_of(folder: Path, *blocks: str, digest: str = StandIn.digest) -> Path:
    """Write what ``library info`` reads of a model: its digest, and the molecules that it was trained on."""
    folder.mkdir()
    described = {"format_version": 1, "name": "stand-in", "digest": digest, "config": {}, "metadata": {}}
    (folder / "model.json").write_text(json.dumps(described))
    if blocks:
        (folder / "training_first_blocks.txt").write_text("".join(f"{block}\n" for block in blocks))
    return folder


def test_info_counts_the_training_molecules(
    diptych: Command, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # Of ethanol and dimethyl ether the model has seen ethanol.
    monkeypatch.chdir(tmp_path)
    assert "training molecules" not in diptych("library", "info", library)[1]
    model_of(tmp_path / "stand-in", "LFQSCWFLJHTTHZ", "RYYVLZVUVIJVGH")
    for told in ((), ("--model", tmp_path / "stand-in")):
        _, out, _ = diptych("library", "info", library, *told)
        (line,) = (line for line in out.splitlines() if "training molecules" in line)
        assert "1 of 2 (50.0 %)" in line


def test_info_counts_nothing_by_another_model(
    diptych: Command, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    other = model_of(tmp_path / "stand-in", "LFQSCWFLJHTTHZ", digest="bad" * 20)
    code, out, _ = diptych("library", "info", library)
    assert (code, "training molecules" in out) == (0, False)
    code, _, err = diptych("library", "info", library, "--model", other)
    assert code == 1
    assert "embedded by the model stand-in; expected its folder, got" in err
    assert "no such model" in diptych("library", "info", library, "--model", "nowhere")[2]
    silent = model_of(tmp_path / "silent")
    code, out, _ = diptych("library", "info", library, "--model", silent)
    assert (code, "training molecules" in out) == (0, False)


def test_structures_are_listed_by_mass_or_formula(diptych: Command, library: Path):
    for question in (("--mass", "46.0419"), ("--formula", "C2H6O")):
        code, out, _ = diptych("library", "search", library, *question)
        assert code == 0
        assert "ethanol" in out
        assert "ether" in out
        assert "2 of 2 structures shown" in out
    assert "1 of 2 structures shown" in diptych("library", "search", library, "--mass", "46.0419", "--top", "1")[1]
    assert "0 of 0 structures shown" in diptych("library", "search", library, "--mass", "46.05")[1]


def test_a_search_needs_one_question(diptych: Command, library: Path):
    code, _, err = diptych("library", "search", library)
    assert code == 2
    assert "give either --mass or --formula" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("build", "none.csv", "-o", "new"), "none.csv: no such file"),
        (("build", "{source}", "-o", "new"), "no column of SMILES or InChI; found drawn, name"),
        (("build", "{source}", "-o", "{tmp}", "--smiles-column", "drawn"), "holds something else than a library"),
        (("info", "{tmp}"), "library.json: missing"),
        (("search", "{tmp}", "--mass", "1"), "library.json: missing"),
    ],
)
def test_a_failure_is_one_line_and_exit_code_1(
    diptych: Command, source: Path, tmp_path: Path, arguments: tuple[str, ...], message: str
):
    code, _, err = diptych("library", *(text.format(source=source, tmp=tmp_path) for text in arguments))
    assert code == 1
    last = err.strip().splitlines()[-1]
    assert last.startswith("diptych: ")
    assert message in last
    assert "Traceback" not in err


def test_stopping_a_build_says_how_it_goes_on(diptych: Command, source: Path, tmp_path: Path):
    arguments = ("library", "build", source, "-o", tmp_path / "new", "--smiles-column", "drawn", "--workers", 1)
    code, _, err = diptych(*arguments, model=Stopped)
    assert code == 130
    assert "stopped; the same command goes on" in err
    assert diptych(*arguments)[0] == 0
