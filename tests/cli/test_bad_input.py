"""Bad input to ``diptych annotate``: one clear line, never a traceback; what could be done is kept and valid."""

import csv
import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest

from diptych.cli import main
from diptych.embedding import JointEmbedding
from diptych.retrieval import build_library
from diptych.spectra import Spectrum

CAFFEINE = "BEGIN IONS\nTITLE={}\nPEPMASS=195.08765\nCHARGE=1+\nADDUCT=[M+H]+\n{}END IONS\n\n"
PEAKS = "110.0713 20\n138.0662 100\n42.0338 5\n69.0447 8\n83.0604 11\n"


class FirstTwoPeaks:
    name = "first-two-peaks"
    digest = "d" * 64
    embedding_dim = 2

    def __init__(self) -> None:
        self.metadata = {"calibration": {"temperature": 0.05}}
        self.structure_encoder = SimpleNamespace(featuriser=ones)

    def encode_structure_features(self, features: np.ndarray) -> np.ndarray:
        return features / np.linalg.norm(features, axis=1, keepdims=True)

    def encode_spectra(self, spectra: Sequence[Spectrum], *, blind: bool = False) -> np.ndarray:
        return self.encode_structure_features(np.array([spectrum.intensity[:2] for spectrum in spectra]))


def ones(mols: Sequence) -> np.ndarray:
    return np.ones((len(mols), 2), dtype=np.float32)


class Outcome(NamedTuple):
    code: int
    err: str


Command = Callable[..., Outcome]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library")
    (folder / "list.smi").write_text("Cn1c(=O)c2c(ncn2C)n(C)c1=O caffeine\n")
    build_library(folder / "list.smi", folder / "library", model=FirstTwoPeaks(), workers=1)
    return folder / "library"


@pytest.fixture
def with_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(JointEmbedding, "load", lambda name: FirstTwoPeaks())


@pytest.fixture
def command(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    def call(*arguments: str | Path) -> Outcome:
        argv = ["diptych", "annotate", "-o", tmp_path / "out", "--library", library, *arguments]
        monkeypatch.setattr("sys.argv", [str(argument) for argument in argv])
        try:
            main.run()
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        return Outcome(code, capsys.readouterr().err)

    return call


def rows_in(folder: Path) -> list[dict[str, str]]:
    with (folder / "annotations.tsv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def is_one_line(outcome: Outcome, *mentioned: str) -> bool:
    line = outcome.err
    return (
        outcome.code == 1
        and line.startswith("diptych: ")
        and line.count("\n") == 1
        and all(text in line for text in mentioned)
    )


good = CAFFEINE.format("good", PEAKS)
UNREADABLE_FILES = {
    "empty.mgf": b"",
    "blank.mgf": b"\n\n  \n",
    "binary.mgf": bytes(range(256)) * 64,
    "zeros.mgf": bytes(4096),
    "image.mgf": b"\x89PNG\r\n\x1a\n" + os.urandom(2000),
    "empty.msp": b"",
    "empty.mzML": b"",
    "cut.mzML": b'<?xml version="1.0"?><mzML xmlns="http://psi.hupo.org/ms/mzml"><run><spectrumList count="2"><spec',
    "text.json": b"not json at all",
    "not.mgf.gz": b"this is no gzip",
    "prose.mgf": b"Dear Sir or Madam,\nplease find attached nothing.\n",
}


@pytest.mark.parametrize("name", UNREADABLE_FILES)
def test_a_file_without_spectra_is_one_line(name: str, command: Command, with_model: None, tmp_path: Path):
    (tmp_path / name).write_bytes(UNREADABLE_FILES[name])
    outcome = command(tmp_path / name)
    assert is_one_line(outcome, name), outcome
    assert not (tmp_path / "out" / "annotations.tsv").exists()


def test_a_truncated_compressed_file_keeps_what_came_before_the_cut(command: Command, with_model: None, tmp_path: Path):
    text = "".join(CAFFEINE.format(number, PEAKS) for number in range(4000)).encode()
    compressed = gzip.compress(text, compresslevel=1)
    (tmp_path / "cut.mgf.gz").write_bytes(compressed[: len(compressed) // 2])
    outcome = command(tmp_path / "cut.mgf.gz")
    assert is_one_line(outcome, "cut.mgf.gz"), outcome
    assert 0 < sum(row["status"] == "annotated" for row in rows_in(tmp_path / "out")) < 4000
    assert json.loads((tmp_path / "out" / "annotations.json").read_text())["summary"]["unreadable"] == 1


def test_a_truncated_record_does_not_take_the_others_with_it(command: Command, with_model: None, tmp_path: Path):
    (tmp_path / "cut.mgf").write_text(good + good[: len(good) * 2 // 3])
    outcome = command(tmp_path / "cut.mgf")
    assert outcome.code in {0, 1}
    assert rows_in(tmp_path / "out")[0]["status"] == "annotated"


def test_a_mis_encoded_file_is_read(command: Command, with_model: None, tmp_path: Path):
    (tmp_path / "latin.mgf").write_bytes(CAFFEINE.format("Größe β", PEAKS).encode("latin-1", errors="replace"))
    assert command(tmp_path / "latin.mgf").code == 0
    assert rows_in(tmp_path / "out")[0]["spectrumId"].startswith("Gr")


PEAK_LISTS = {
    "nan": ("100 nan\nnan 5\n" + PEAKS, True, "peaks without a usable number left out: 2"),
    "negative": ("-100 50\n101 -50\n" + PEAKS, True, "peaks without a usable number left out: 2"),
    "zero": ("0 50\n101 0\n" + PEAKS, True, "peaks without a usable number left out: 1"),
    "infinite": ("inf 50\n101 inf\n" + PEAKS, True, "peaks without a usable number left out: 2"),
    "unsorted": ("180.1 3\n" + PEAKS + "50.2 7\n", True, ""),
    "many": ("".join(f"{50 + i * 0.001:.3f} {1 + i % 97}\n" for i in range(100_000)), True, ""),
    "none": ("", False, "no peaks"),
    "only zeros": ("100 0\n110 0\n120 0\n", False, "no peaks"),
}


@pytest.mark.parametrize("kind", PEAK_LISTS)
def test_odd_peaks_are_survived(kind: str, command: Command, with_model: None, tmp_path: Path):
    peaks, is_usable, reason = PEAK_LISTS[kind]
    (tmp_path / "odd.mgf").write_text(CAFFEINE.format("odd", peaks) + good)
    outcome = command(tmp_path / "odd.mgf")
    assert outcome == (0, "")
    rows = {row["spectrumId"]: row for row in rows_in(tmp_path / "out")}
    assert rows["good"]["status"] == "annotated"
    assert (rows["odd"]["status"] == "annotated") == is_usable
    assert rows["odd"]["reason"] == reason


HEADERS = {
    "no precursor": ("PEPMASS=195.08765\n", ""),
    "precursor of zero": ("195.08765", "0.0"),
    "negative precursor": ("195.08765", "-195.1"),
    "infinite precursor": ("195.08765", "inf"),
    "precursor that is no number": ("195.08765", "heavy"),
    "absurd precursor": ("195.08765", "1e9"),
    "charge against adduct": ("CHARGE=1+", "CHARGE=1-"),
}


@pytest.mark.parametrize("kind", HEADERS)
def test_an_impossible_header_is_a_row_with_its_reason(kind: str, command: Command, with_model: None, tmp_path: Path):
    old, new = HEADERS[kind]
    (tmp_path / "odd.mgf").write_text(CAFFEINE.format("odd", PEAKS).replace(old, new) + good)
    assert command(tmp_path / "odd.mgf").code == 0
    odd, *_, last = rows_in(tmp_path / "out")
    assert (odd["status"], last["status"]) == ("not annotated", "annotated")
    assert odd["reason"]


def test_an_adduct_that_nobody_knows_is_said_and_the_likely_ones_are_tried(
    command: Command, with_model: None, tmp_path: Path
):
    (tmp_path / "odd.mgf").write_text(good.replace("[M+H]+", "[M+Unobtainium]+"))
    assert command(tmp_path / "odd.mgf").code == 0
    (row,) = rows_in(tmp_path / "out")
    assert (row["adduct"], row["status"]) == ("[M+H]+", "annotated")
    assert "[M+Unobtainium]+" in row["reason"]


def test_where_no_spectrum_can_be_annotated_the_reasons_are_the_line(
    command: Command, with_model: None, tmp_path: Path
):
    (tmp_path / "odd.mgf").write_text(good.replace("195.08765", "500.1"))
    outcome = command(tmp_path / "odd.mgf")
    assert is_one_line(outcome, "no structure in the library within 10 ppm (1)"), outcome
    assert [row["status"] for row in rows_in(tmp_path / "out")] == ["not annotated"]


@pytest.mark.parametrize(
    ("options", "mentioned"),
    [
        (["--adducts", "[M+Unobtainium]+"], "Unobtainium"),
        (["--adducts", ""], "no adducts given"),
        (["--format", "xlsx"], "xlsx"),
    ],
)
def test_impossible_options_are_one_line(
    options: list[str], mentioned: str, command: Command, with_model: None, tmp_path: Path
):
    (tmp_path / "good.mgf").write_text(good)
    outcome = command(tmp_path / "good.mgf", *options)
    assert is_one_line(outcome, mentioned), outcome


def test_wrong_usage_exits_with_2(command: Command, tmp_path: Path):
    assert command(tmp_path / "missing.mgf").code == 2
    (tmp_path / "good.mgf").write_text(good)
    assert command(tmp_path / "good.mgf", "--ppm", "-1").code == 2
    assert command(tmp_path / "good.mgf", "--nonsense").code == 2


@pytest.mark.parametrize("damage", ["missing folder", "missing file", "truncated", "foreign", "file", "other model"])
def test_a_damaged_library_is_one_line(damage: str, command: Command, with_model: None, tmp_path: Path):
    folder = tmp_path / "own"
    (tmp_path / "list.smi").write_text("Cn1c(=O)c2c(ncn2C)n(C)c1=O caffeine\n")
    model = FirstTwoPeaks()
    model.digest = "e" * 64 if damage == "other model" else model.digest
    if damage != "missing folder":
        build_library(tmp_path / "list.smi", folder, model=model, workers=1)
    arrays = sorted(folder.glob("*.npy")) if damage in {"missing file", "truncated"} else []
    for path in arrays:
        path.unlink() if damage == "missing file" else path.write_bytes(path.read_bytes()[:40])
    if damage == "foreign":
        next(folder.glob("*.json")).write_text('{"format": "something else"}')
    (tmp_path / "good.mgf").write_text(good)
    outcome = command(tmp_path / "good.mgf", "--library", tmp_path / "list.smi" if damage == "file" else folder)
    assert is_one_line(outcome, "list.smi" if damage == "file" else "own"), outcome


@pytest.mark.parametrize("damage", ["missing", "empty", "foreign", "file"])
def test_a_damaged_model_is_one_line(damage: str, command: Command, tmp_path: Path):
    folder = tmp_path / "own-model"
    if damage == "file":
        folder.write_text("no folder")
    elif damage != "missing":
        folder.mkdir()
        if damage == "foreign":
            (folder / "config.json").write_text('{"some": "other tool"}')
            (folder / "model.safetensors").write_bytes(b"\0" * 64)
    (tmp_path / "good.mgf").write_text(good)
    outcome = command(tmp_path / "good.mgf", "--model", folder)
    assert is_one_line(outcome, "own-model"), outcome


def test_a_place_that_cannot_be_written_is_one_line(command: Command, with_model: None, tmp_path: Path):
    (tmp_path / "good.mgf").write_text(good)
    (tmp_path / "taken").write_text("a file")
    outcome = command(tmp_path / "good.mgf", "-o", tmp_path / "taken" / "results")
    assert is_one_line(outcome, "taken"), outcome


SCRIPT = """
import resource, sys, time
sys.path.insert(0, sys.argv.pop(1))
limit, pause = int(sys.argv.pop(1)), float(sys.argv.pop(1))
import test_bad_input as stand_ins
from diptych.cli import main
model = stand_ins.FirstTwoPeaks()
encode = model.encode_spectra
def slowly(spectra, **settings):
    print("batch", flush=True)
    time.sleep(pause)
    return encode(spectra)
model.encode_spectra = slowly
stand_ins.JointEmbedding.load = lambda name: model
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
sys.argv[0] = "diptych"
main.run()
"""


def in_a_process(*arguments: str | Path, limit: int = 0, pause: float = 0.0) -> subprocess.Popen[str]:
    here = Path(__file__).parent
    command = [sys.executable, "-c", SCRIPT, here, limit, pause, "annotate", *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.Popen(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to send to one process")
def test_ctrl_c_ends_a_run_with_whole_files(library: Path, tmp_path: Path):
    (tmp_path / "many.mgf").write_text("".join(CAFFEINE.format(number, PEAKS) for number in range(3000)))
    process = in_a_process(tmp_path / "many.mgf", "--library", library, "-o", tmp_path / "out", pause=0.5)
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(2)] == ["batch\n"] * 2
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (130, "diptych: interrupted; what was finished is kept\n")
    stored = json.loads((tmp_path / "out" / "annotations.json").read_text())
    assert stored["complete"] is False
    assert 0 < len(stored["annotations"]) < 3000
    assert len(rows_in(tmp_path / "out")) == len(stored["annotations"])
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["annotations.json", "annotations.tsv"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of a file")
def test_a_full_disk_is_one_line_and_what_fitted_is_valid(library: Path, tmp_path: Path):
    (tmp_path / "many.mgf").write_text("".join(CAFFEINE.format(number, PEAKS) for number in range(3000)))
    process = in_a_process(tmp_path / "many.mgf", "--library", library, "-o", tmp_path / "out", limit=200_000)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 1
    assert err.count("\n") == 1
    assert "the answers before are kept" in err
    assert json.loads((tmp_path / "out" / "annotations.json").read_text())["complete"] is False
    assert all(row["status"] == "annotated" for row in rows_in(tmp_path / "out"))


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("alloc_cpu.cpp:127 DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    ],
)
def test_full_memory_is_one_line_that_says_what_to_lower(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
):
    def full() -> None:
        raise error

    monkeypatch.setattr(main, "_answer", full)
    with pytest.raises(SystemExit, match="1"):
        main.run()
    said = capsys.readouterr().err
    assert said.startswith("diptych: out of memory; lower the sizes of the model that is trained (embedding_dim")
    assert said.count("\n") == 1


def test_another_error_of_torch_is_not_hidden(monkeypatch: pytest.MonkeyPatch):
    def broken() -> None:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(main, "_answer", broken)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        main.run()
