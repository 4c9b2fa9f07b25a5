"""The command with a model of two dimensions: a spectrum's vector is its first two intensities, normalised."""

import csv
import json
import lzma
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest

from diptych.annotation import shipped
from diptych.cli import main
from diptych.embedding import JointEmbedding
from diptych.retrieval import build_library
from diptych.spectra import Spectrum

CAFFEINE_MZ = 195.08765
# Caffeine has three N-methyls, its isomer one.
STRUCTURES = (
    "smiles\tname\nCn1c(=O)c2c(ncn2C)n(C)c1=O\tcaffeine\nCCn1c(=O)c2[nH]cnc2n(C)c1=O\tisomer\n"
    "CC(=O)Nc1ccc(O)cc1\tparacetamol\n"
)


def one_and_methyls(mols: Sequence) -> np.ndarray:
    return np.array([[1.0, sum(atom.GetTotalNumHs() == 3 for atom in mol.GetAtoms())] for mol in mols], np.float32)


class FirstTwoPeaks:
    name = "first-two-peaks"
    digest = "d" * 64
    embedding_dim = 2

    def __init__(self) -> None:
        self.metadata = {"calibration": {"temperature": 0.05}}
        self.structure_encoder = SimpleNamespace(featuriser=one_and_methyls)

    def encode_structure_features(self, features: np.ndarray) -> np.ndarray:
        return features / np.linalg.norm(features, axis=1, keepdims=True)

    def encode_spectra(self, spectra: Sequence[Spectrum], *, blind: bool = False) -> np.ndarray:
        seen = [[1.0, 0.0] if blind else spectrum.intensity[:2] for spectrum in spectra]
        return self.encode_structure_features(np.array(seen))


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


Command = Callable[..., Outcome]


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> FirstTwoPeaks:
    stand_in = FirstTwoPeaks()
    monkeypatch.setattr(JointEmbedding, "load", lambda name: stand_in)
    return stand_in


@pytest.fixture
def library(tmp_path: Path, model: FirstTwoPeaks) -> Path:
    (tmp_path / "structures.tsv").write_text(STRUCTURES)
    build_library(tmp_path / "structures.tsv", tmp_path / "library", model=model, workers=1)
    return tmp_path / "library"


@pytest.fixture
def command(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    def call(*arguments: str | Path) -> Outcome:
        argv = ["diptych", "annotate", "-o", tmp_path / "out", *arguments]
        monkeypatch.setattr("sys.argv", [str(argument) for argument in argv])
        capsys.readouterr()
        try:
            main.run()
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        return Outcome(code, *capsys.readouterr())

    return call


def mgf(*records: dict[str, object], first: float = 1.0, second: float = 3.0) -> str:
    lines = []
    for number, record in enumerate(records, start=1):
        fields = {"TITLE": f"s{number}", "PEPMASS": CAFFEINE_MZ, "CHARGE": "1+", "ADDUCT": "[M+H]+", **record}
        peaks = [f"{100 + i} {intensity}" for i, intensity in enumerate([first, second, 0.5, 0.5, 0.5])]
        known = [f"{key}={value}" for key, value in fields.items() if value is not None]
        lines += ["BEGIN IONS", *known, *peaks, "END IONS", ""]
    return "\n".join(lines)


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "annotations.tsv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def test_spectra_become_a_table_json_and_a_summary(command: Command, library: Path, tmp_path: Path):
    (tmp_path / "a.mgf").write_text(mgf({"FEATURE_ID": 5, "SCANS": 17}, {"PEPMASS": 500.1234}, {"PEPMASS": None}))
    outcome = command(tmp_path / "a.mgf", "--library", library)
    assert outcome.code == 0, outcome.err
    rows = table(tmp_path / "out")
    assert [(row["spectrumId"], row["rank"], row["name"]) for row in rows if row["name"]] == [
        (rows[0]["spectrumId"], "1", "caffeine"),
        (rows[0]["spectrumId"], "2", "isomer"),
    ]
    assert (rows[0]["mappingFeatureId"], rows[0]["scans"], rows[0]["spectraFile"]) == ("5", "17", "a.mgf")
    assert [row["reason"] for row in rows[2:]] == ["no structure in the library within 10 ppm", "no precursor m/z"]
    stored = json.loads((tmp_path / "out" / "annotations.json").read_text())
    assert stored["provenance"]["model"] == "first-two-peaks"
    assert stored["provenance"]["n_structures"] == 3
    assert stored["complete"] is True
    assert "caffeine" in outcome.out
    assert "annotated 1 of 3 spectra" in outcome.out
    assert "no precursor m/z (1)" in outcome.out
    assert str(tmp_path / "out" / "annotations.tsv") in outcome.out


def test_without_the_prior_the_scores_change_and_there_is_no_probability(
    command: Command, library: Path, tmp_path: Path
):
    (tmp_path / "a.mgf").write_text(mgf({}))
    scores = {}
    for prior in ("1", "0"):
        assert command(tmp_path / "a.mgf", "--library", library, "--prior", prior).code == 0
        rows = table(tmp_path / "out")
        scores[prior] = [row["score"] for row in rows]
        assert [bool(row["probability"]) for row in rows] == [prior == "1"] * len(rows)
        assert json.loads((tmp_path / "out" / "annotations.json").read_text())["provenance"]["prior"] == float(prior)
    assert scores["1"] != scores["0"]
    assert command(tmp_path / "a.mgf", "--library", library, "--prior", "2").code == 2


def test_a_model_that_ranks_no_structures_is_said_to(
    command: Command, library: Path, model: FirstTwoPeaks, tmp_path: Path
):
    (tmp_path / "a.mgf").write_text(mgf({}))
    asked = (tmp_path / "a.mgf", "--library", library)
    assert "probabilities compare" in command(*asked).out
    model.metadata["ranks_structures"] = False
    code, out, err = command(*asked)
    assert code == 0
    assert "probabilities compare" not in out
    assert "probabilities mean nothing: the model was not trained to rank structures" in out
    assert err.startswith("diptych: model first-two-peaks was trained to compare spectra with spectra alone: its ranks")
    assert err.count("\n") == 1


def test_a_candidate_without_competitors_is_shown_as_the_only_one(command: Command, library: Path, tmp_path: Path):
    # Paracetamol, 151.063329 + 1.007276: the only structure of its mass.
    (tmp_path / "a.mgf").write_text(mgf({}, {"PEPMASS": 152.070605}))
    outcome = command(tmp_path / "a.mgf", "--library", library)
    shown = {line.split()[0]: line.split() for line in outcome.out.splitlines() if line.startswith("s")}
    assert shown["s2"][-2:] == ["only", "1"]
    assert float(shown["s1"][-2]) < 1
    assert [row["probability"] for row in table(tmp_path / "out")][-1] == "1.000000"
    assert "1 spectrum had a single candidate: nothing else was found, which is no evidence" in outcome.out


def test_the_closing_lines_say_what_probabilities_mean(command: Command, library: Path, tmp_path: Path):
    (tmp_path / "a.mgf").write_text(mgf({}))
    meaning = (
        "probabilities compare the candidates found in the mass window under the adducts tried; they say nothing "
        "if the right structure is not among them"
    )
    with_prior = command(tmp_path / "a.mgf", "--library", library).out
    assert meaning in with_prior
    assert "a single candidate" not in with_prior
    without = command(tmp_path / "a.mgf", "--library", library, "--prior", "0").out
    assert "no probabilities with --prior 0" in without
    assert "probabilities compare" not in without


def test_a_model_without_calibration_gives_no_probabilities_and_says_so(
    command: Command, model: FirstTwoPeaks, library: Path, tmp_path: Path
):
    model.metadata = {}
    (tmp_path / "a.mgf").write_text(mgf({}))
    outcome = command(tmp_path / "a.mgf", "--library", library)
    assert "no probabilities: the model was not calibrated for this" in outcome.out


def test_bad_values_are_said_and_do_not_break_the_table(command: Command, library: Path, tmp_path: Path):
    text = mgf({"PEPMASS": "abc"}, {"PEPMASS": "1e300"}, {"PEPMASS": 500}, {"PEPMASS": "195.1"}, {"ADDUCT": "[Xx]"})
    (tmp_path / "a.mgf").write_text(text.replace("104 0.5", "104 -0.5\nnan 1"))
    outcome = command(tmp_path / "a.mgf", "--library", library, "--ppm", "100")
    rows = {row["spectrumId"]: row for row in table(tmp_path / "out")}
    assert rows["s1"]["reason"] == "no precursor m/z: 'abc' is no number"
    assert (rows["s2"]["precursorMz"], rows["s2"]["reason"]) == ("1.00000e+300", "absurd precursor m/z")
    coarse = "precursor m/z stated coarsely: {} more than the window of 100 ppm"
    assert rows["s3"]["reason"] == (
        "no structure in the library within 100 ppm: " + coarse.format("500 may be off by 0.5,")
        + "; peaks without a usable number left out: 2"
    )  # fmt: skip
    assert rows["s4"]["reason"].startswith(coarse.format("195.1 may be off by 0.05,"))
    assert max(map(len, outcome.out.splitlines()[:6])) < 100
    assert "absurd precursor m/z (1)" in outcome.out
    assert "no structure in the library within 100 ppm (1)" in outcome.out
    assert "peaks without a usable number left out (2)" in outcome.out
    assert "adduct not understood (1)" in outcome.out
    assert "precursor m/z stated coarsely (1)" in outcome.out


def test_ppm_top_and_format_are_obeyed(command: Command, library: Path, tmp_path: Path):
    (tmp_path / "a.mgf").write_text(mgf({"PEPMASS": CAFFEINE_MZ * (1 + 15e-6)}))
    arguments = [tmp_path / "a.mgf", "--library", library, "--top", "1", "--format", "tsv"]
    assert command(*arguments).code == 1
    assert command(*arguments, "--ppm", "20").code == 0
    assert [row["numberOfCandidates"] for row in table(tmp_path / "out")] == ["2"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["annotations.tsv"]


def test_adducts_are_assumed_where_none_is_stated(command: Command, library: Path, tmp_path: Path):
    # Paracetamol as sodium adduct: 151.063329 + 22.989218 = 174.052547.
    (tmp_path / "a.mgf").write_text(mgf({"PEPMASS": 174.052547, "ADDUCT": None}))
    outcome = command(tmp_path / "a.mgf", "--library", library, "--adducts", "[M+H]+, [M+Na]+")
    assert outcome.code == 0, outcome.err
    assert [(row["name"], row["adduct"]) for row in table(tmp_path / "out")] == [("paracetamol", "[M+Na]+")]


def test_spectra_of_one_feature_are_merged_on_request(command: Command, library: Path, tmp_path: Path):
    (tmp_path / "a.mgf").write_text(mgf({"FEATURE_ID": 5}, {"FEATURE_ID": 5}, {"FEATURE_ID": 6}))
    outcome = command(tmp_path / "a.mgf", "--library", library, "--merge-by", "feature_id", "--top", "1")
    assert outcome.code == 0, outcome.err
    assert [row["mappingFeatureId"] for row in table(tmp_path / "out")] == ["5", "6"]
    assert "annotated 2 of 2 features from 3 spectra" in outcome.out


def test_a_key_that_no_spectra_share_is_said(command: Command, library: Path, tmp_path: Path):
    (tmp_path / "a.mgf").write_text(mgf({"FEATURE_ID": 5}, {"FEATURE_ID": 6}))
    outcome = command(tmp_path / "a.mgf", "--library", library, "--merge-by", "featureid")
    assert "no two spectra share featureid: each was answered alone" in outcome.out


def test_several_files_go_into_one_table_and_a_bad_one_does_not_stop_the_others(
    command: Command, library: Path, tmp_path: Path
):
    (tmp_path / "a.mgf").write_text(mgf({}))
    (tmp_path / "b.mgf").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "c.mgf").write_text(mgf({}))
    outcome = command(tmp_path / "a.mgf", tmp_path / "b.mgf", tmp_path / "c.mgf", "--library", library, "--top", "1")
    assert outcome.code == 1
    assert outcome.err.count("\n") == 1
    assert "b.mgf" in outcome.err
    assert {row["spectraFile"] for row in table(tmp_path / "out") if row["rank"]} == {"a.mgf", "c.mgf"}
    assert json.loads((tmp_path / "out" / "annotations.json").read_text())["complete"] is False


def test_the_files_of_a_folder_are_named_in_the_table(command: Command, library: Path, tmp_path: Path):
    (tmp_path / "spectra").mkdir()
    for name in ("b.mgf", "a.mgf"):
        (tmp_path / "spectra" / name).write_text(mgf({}))
    outcome = command(tmp_path / "spectra", "--library", library, "--top", "1")
    assert outcome.code == 0, outcome.err
    assert [(row["spectraFile"], row["spectrumId"]) for row in table(tmp_path / "out")] == [
        ("a.mgf", "s1"), ("b.mgf", "s1#2"),
    ]  # fmt: skip


def test_only_the_first_answers_are_shown(command: Command, library: Path, tmp_path: Path):
    (tmp_path / "a.mgf").write_text(mgf(*[{} for _ in range(23)]))
    outcome = command(tmp_path / "a.mgf", "--library", library, "--top", "1")
    assert "... and 3 more" in outcome.out
    assert len(table(tmp_path / "out")) == 23


def test_without_a_library_the_shipped_structures_are_embedded_once(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with lzma.open(tmp_path / "structures.tsv.xz", "wt") as stream:
        stream.write(STRUCTURES)
    monkeypatch.setattr(shipped, "_STRUCTURES", tmp_path / "structures.tsv.xz")
    monkeypatch.setenv("DIPTYCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "a.mgf").write_text(mgf({}))
    assert command(tmp_path / "a.mgf").code == 0
    assert len(list((tmp_path / "cache" / "libraries").iterdir())) == 1


def test_ctrl_c_keeps_what_was_finished(
    command: Command, model: FirstTwoPeaks, library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    encode, batches = model.encode_spectra, []

    def interrupted(spectra: Sequence[Spectrum], **settings: int) -> np.ndarray:
        batches.append(len(spectra))
        if len(batches) == 2:
            raise KeyboardInterrupt
        return encode(spectra)

    monkeypatch.setattr(model, "encode_spectra", interrupted)
    (tmp_path / "a.mgf").write_text(mgf(*[{} for _ in range(600)]))
    outcome = command(tmp_path / "a.mgf", "--library", library, "--top", "1")
    assert (outcome.code, outcome.err) == (130, "diptych: interrupted; what was finished is kept\n")
    assert len(table(tmp_path / "out")) == batches[0]
    stored = json.loads((tmp_path / "out" / "annotations.json").read_text())
    assert (len(stored["annotations"]), stored["complete"]) == (batches[0], False)
