"""The command with a model of two dimensions: a spectrum's vector is its first two intensities, normalised."""

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from diptych.cli import main
from diptych.embedding import JointEmbedding
from diptych.spectra import Spectrum

REFERENCES = """BEGIN IONS
TITLE=caffeine 20 eV
COMPOUND_NAME=Caffeine
INCHIKEY=RYYVLZVUVIJVGH-UHFFFAOYSA-N
PEPMASS=195.0877
ADDUCT=[M+H]+
110.071 300
138.066 999
END IONS

BEGIN IONS
TITLE=isomer 20 eV
COMPOUND_NAME=Isomer
SMILES=CCn1c(=O)c2[nH]cnc2n(C)c1=O
PEPMASS=195.0877
ADDUCT=[M+H]+
110.071 300
167.056 999
END IONS

BEGIN IONS
TITLE=without peaks
COMPOUND_NAME=Nothing
PEPMASS=195.0877
ADDUCT=[M+H]+
END IONS
"""
UNKNOWNS = """BEGIN IONS
TITLE=first
PEPMASS=195.0875
ADDUCT=[M+H]+
110.071 280
138.066 999
END IONS

BEGIN IONS
TITLE=another mass
PEPMASS=300.1234
ADDUCT=[M+H]+
110.071 280
138.066 999
END IONS
"""


class FirstTwoPeaks:
    name = "first-two-peaks"
    digest = "d" * 64
    embedding_dim = 2

    def encode_spectra(self, spectra: Sequence[Spectrum], *, blind: bool = False) -> np.ndarray:
        vectors = np.array([spectrum.intensity[:2] for spectrum in spectra], np.float32).reshape(-1, 2)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def match(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    monkeypatch.setattr(JointEmbedding, "load", lambda model: FirstTwoPeaks())
    monkeypatch.chdir(tmp_path)
    Path("unknowns.mgf").write_text(UNKNOWNS, encoding="utf-8")
    Path("references.mgf").write_text(REFERENCES, encoding="utf-8")

    def run(*words: str) -> Outcome:
        monkeypatch.setattr("sys.argv", ["diptych", "match", *words])
        with pytest.raises(SystemExit) as stop:
            main.run()
        printed = capsys.readouterr()
        return Outcome(int(stop.value.code or 0), printed.out, printed.err)

    return run


def table(folder: str = "results") -> list[dict[str, str]]:
    with Path(folder, "matches.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_the_molecules_of_the_references_are_ranked_for_every_spectrum(match: Callable[..., Outcome]):
    outcome = match("unknowns.mgf", "-r", "references.mgf", "--ppm", "10")
    assert (outcome.code, outcome.err) == (0, "")
    first, second, third = table()
    assert (first["spectrumId"], first["spectraFile"], first["rank"]) == ("first", "unknowns.mgf", "1")
    assert (first["name"], first["InChIkey"]) == ("Caffeine", "RYYVLZVUVIJVGH-UHFFFAOYSA-N")
    assert float(first["spectralEntropySimilarity"]) > 0.99
    assert float(first["precursorDifferencePpm"]) == pytest.approx(-1.025, abs=1e-3)
    assert (second["name"], second["rank"], second["numberOfReferences"]) == ("Isomer", "2", "2")
    assert float(first["score"]) > float(second["score"])
    assert (third["spectrumId"], third["status"], third["reason"]) == (
        "another mass", "not matched", "no reference of its ion within 10 ppm",
    )  # fmt: skip
    assert "Caffeine" in outcome.out
    assert "2 reference spectra; left out: no peaks (1)" in outcome.out
    assert "matched 1 of 2 spectra" in outcome.out
    assert "not matched: no reference of its ion within 10 ppm (1)" in outcome.out


def test_only_references_of_the_mass_compete_unless_the_search_is_open(match: Callable[..., Outcome]):
    outcome = match("unknowns.mgf", "-r", "references.mgf")
    assert "not matched: no reference of its ion within 10 ppm (1)" in outcome.out
    assert [row["status"] for row in table()] == ["matched", "matched", "not matched"]
    outcome = match("unknowns.mgf", "-r", "references.mgf", "--open")
    assert "matched 2 of 2 spectra" in outcome.out
    # 300.1234 beside 195.0877: 538,402 ppm apart, and the first 1 ppm.
    shown = {
        line.split()[0]: line.split() for line in outcome.out.splitlines() if line.startswith(("first", "another"))
    }
    assert (shown["first"][-2], shown["another"][-2]) == ("-1.0", "538,402")


def test_the_first_block_stands_there_wherever_it_is_known(match: Callable[..., Outcome]):
    inchi = "InChI=1S/C8H10N4O2/c1-10-4-9-6-5(10)7(13)12(3)8(14)11(6)2/h4H,1-3H3"
    references = REFERENCES.replace("INCHIKEY=RYYVLZVUVIJVGH-UHFFFAOYSA-N", f"INCHI={inchi}")
    Path("references.mgf").write_text(references.replace("SMILES=CC", "REMARK=CC"), encoding="utf-8")
    match("unknowns.mgf", "-r", "references.mgf")
    assert [(row["InChIkey"], row["InChIkey2D"]) for row in table()] == [("", "RYYVLZVUVIJVGH"), ("", ""), ("", "")]


def test_the_json_file_says_what_the_answers_were_made_with(match: Callable[..., Outcome]):
    match("unknowns.mgf", "-r", "references.mgf", "--open", "-o", "answers", "--format", "json", "--top", "1")
    document = json.loads(Path("answers/matches.json").read_text(encoding="utf-8"))
    made = document["provenance"]
    assert (made["scorer"], made["model_digest"]) == ("first-two-peaks_with_match_evidence", "d" * 64)
    assert (made["references"], made["n_references"], made["ppm"]) == (["references.mgf"], 2, None)
    assert [len(answer["matches"]) for answer in document["answers"]] == [1, 1]
    assert document["answers"][0]["matches"][0]["name"] == "Caffeine"
    assert document["answers"][0]["matches"][0]["inchikey_first_block"] == "RYYVLZVUVIJVGH"
    assert not Path("answers/matches.tsv").exists()


def test_without_a_network_the_peaks_alone_are_compared(match: Callable[..., Outcome]):
    outcome = match("unknowns.mgf", "-r", "references.mgf", "--scorer", "spectral_entropy")
    assert outcome.code == 0
    assert table()[0]["score"] == table()[0]["spectralEntropySimilarity"]


def test_what_is_to_mind_about_a_query_is_said(match: Callable[..., Outcome]):
    coarse = (
        UNKNOWNS.replace("300.1234", "1e300")
        .replace("195.0875", "195.1")
        .replace("138.066 999", "138.066 999\nnan 280")
    )
    Path("unknowns.mgf").write_text(coarse, encoding="utf-8")
    outcome = match("unknowns.mgf", "-r", "references.mgf", "--ppm", "100")
    first, *_, last = table()
    assert first["reason"] == (
        "precursor m/z stated coarsely: 195.1 may be off by 0.05, more than the window of 100 ppm; "
        "peaks without a usable number left out: 1"
    )
    assert (last["precursorMz"], last["reason"]) == ("1.00000e+300", "absurd precursor m/z")
    assert "not matched: absurd precursor m/z (1)" in outcome.out
    assert "to mind: precursor m/z stated coarsely (1), peaks without a usable number left out (1)" in outcome.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--scorer", "entropy"), "no spectrum scorer 'entropy'; expected one of with_model, match_evidence"),
        (("--open", "--ppm", "5"), "--open looks at references of any precursor m/z; expected it without --ppm"),
        (("--scorer", "cosine", "--model", "other"), "--scorer cosine asks no model"),
        (("--format", "xlsx"), "output format xlsx; expected one of tsv, json"),
        (("--ppm", "0"), "Invalid value for '--ppm'"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(match: Callable[..., Outcome], words: tuple[str, ...], said: str):
    outcome = match("unknowns.mgf", "-r", "references.mgf", *words)
    assert outcome.code in {1, 2}
    assert said in " ".join(outcome.err.split())
    assert "Traceback" not in outcome.err
    assert not Path("results").exists()


def test_a_file_that_cannot_be_read_does_not_stop_the_others(match: Callable[..., Outcome]):
    Path("empty.mgf").write_text("", encoding="utf-8")
    outcome = match("empty.mgf", "unknowns.mgf", "-r", "references.mgf")
    assert outcome.code == 1
    assert outcome.err.startswith("diptych: empty.mgf: ")
    assert [row["spectrumId"] for row in table() if row["rank"] == "1"] == ["first"]


def test_the_files_of_a_folder_are_named_in_the_table(match: Callable[..., Outcome]):
    Path("folder").mkdir()
    Path("unknowns.mgf").rename("folder/unknowns.mgf")
    assert match("folder", "-r", "references.mgf", "--top", "1").code == 0
    assert {row["spectraFile"] for row in table()} == {"unknowns.mgf"}


def test_a_file_without_spectra_leaves_earlier_results_alone(match: Callable[..., Outcome]):
    Path("empty.mgf").write_text("", encoding="utf-8")
    assert match("unknowns.mgf", "-r", "references.mgf").code == 0
    before = table()
    outcome = match("empty.mgf", "-r", "references.mgf")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("diptych: empty.mgf: the file is empty")
    assert table() == before


def test_references_without_a_usable_spectrum_are_refused(match: Callable[..., Outcome]):
    Path("references.mgf").write_text(
        REFERENCES.partition("BEGIN IONS\nTITLE=without")[2].join(["BEGIN IONS\nTITLE=without", ""])
    )
    outcome = match("unknowns.mgf", "-r", "references.mgf")
    assert outcome.code == 1
    assert "no reference spectrum can be worked with: no peaks (1)" in outcome.err
