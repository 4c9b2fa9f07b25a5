import csv
import io
import json
from pathlib import Path

import pytest

from diptych.annotation import Annotation, Candidate, Provenance, ScoreCalibration, writing
from diptych.annotation.writers import COLUMNS, tsv_rows
from diptych.errors import OutputError
from diptych.molecules import Structure
from diptych.spectra import Adduct

PROTONATED = Adduct.parse("[M+H]+")
PROVENANCE = Provenance(
    diptych_version="0", model="m", model_digest="d", library_digest="l", n_structures=2, ppm=10.0, top=10
)


def answer(**fields) -> Annotation:
    structure = Structure.from_smiles("CC(=O)Nc1ccc(O)cc1", name=fields.pop("name", "paracetamol"))
    best = Candidate(rank=1, structure=structure, adduct=PROTONATED, score=0.75, probability=0.5, mass_error_ppm=-1.25)
    known = {
        "identifiers": ("s1",), "source": "a.mgf", "feature_id": "7", "scans": "12", "retention_time": "63.1",
        "precursor_mz": 152.0704, "adduct": PROTONATED, "n_candidates": 4, "candidates": (best,),
    }  # fmt: skip
    return Annotation(**{**known, **fields})


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text), delimiter="\t"))


def table(*annotations: Annotation) -> list[dict[str, str]]:
    return rows_of("\t".join(COLUMNS) + "\n" + "".join(map(tsv_rows, annotations)))


def test_a_candidate_is_a_row_that_joins_back():
    (row,) = table(answer())
    assert row == {
        "mappingFeatureId": "7", "spectrumId": "s1", "spectraFile": "a.mgf", "scans": "12", "precursorMz": "152.07040",
        "retentionTime": "63.1", "rank": "1", "molecularFormula": "C8H9NO2", "adduct": "[M+H]+",
        "InChIkey2D": "RZVAJINKPMORJF",
        "InChI": "InChI=1S/C8H9NO2/c1-6(10)9-7-2-4-8(11)5-3-7/h2-5,11H,1H3,(H,9,10)",
        "smiles": "CC(=O)Nc1ccc(O)cc1", "name": "paracetamol", "score": "0.750000",
        "probability": "0.500000", "massErrorPpm": "-1.250", "numberOfCandidates": "4", "status": "annotated",
        "reason": "",
    }  # fmt: skip


def test_a_spectrum_without_candidates_is_a_row_with_its_reason():
    (row,) = table(answer(candidates=(), n_candidates=0, precursor_mz=None, adduct=None, reason="no precursor m/z"))
    assert (row["status"], row["reason"], row["rank"], row["smiles"]) == ("not annotated", "no precursor m/z", "", "")
    assert (row["spectrumId"], row["precursorMz"], row["adduct"], row["numberOfCandidates"]) == ("s1", "", "", "0")


@pytest.mark.parametrize("name", ['5"-deoxy', '"quoted"', "tab\there", "line\nfeed", "bell\x07", "\u2028", "naïve β"])
def test_no_name_breaks_the_table(name: str):
    (row,) = table(answer(name=name))
    assert row["name"].split() == name.replace("\x07", "").split() or row["name"] == name
    assert row["reason"] == ""


def test_merged_spectra_stand_in_one_cell():
    (row,) = table(answer(identifiers=("a", "b")))
    assert row["spectrumId"] == "a;b"


def test_both_files_hold_every_answer(tmp_path: Path):
    with writing(tmp_path / "out", provenance=PROVENANCE, calibration=ScoreCalibration(temperature=0.1)) as results:
        results.write(answer())
        results.write(answer(candidates=(), reason="no peaks", identifiers=("s2",)))
    rows = rows_of((tmp_path / "out" / "annotations.tsv").read_text(encoding="utf-8"))
    assert [row["spectrumId"] for row in rows] == ["s1", "s2"]
    stored = json.loads((tmp_path / "out" / "annotations.json").read_text(encoding="utf-8"))
    assert stored["provenance"]["model_digest"] == "d"
    assert stored["calibration"]["temperature"] == 0.1
    assert "outside the library" in stored["calibration"]["condition"]
    assert [item["spectra"] for item in stored["annotations"]] == [["s1"], ["s2"]]
    assert stored["annotations"][0]["candidates"][0]["inchikey_first_block"] == "RZVAJINKPMORJF"
    assert stored["summary"] == {
        "spectra": 2, "answers": 2, "annotated": 1, "unreadable": 0, "not_annotated": {"no peaks": 1}, "notes": {}
    }  # fmt: skip
    assert stored["complete"] is True


def test_no_answers_are_valid_files_too(tmp_path: Path):
    with writing(tmp_path, provenance=PROVENANCE) as results:
        results.complete = False
    stored = json.loads((tmp_path / "annotations.json").read_text())
    assert (stored["annotations"], stored["calibration"], stored["complete"]) == ([], None, False)
    assert (tmp_path / "annotations.tsv").read_text().split("\n") == ["\t".join(COLUMNS), ""]


def test_only_the_formats_that_were_asked_for_are_written(tmp_path: Path):
    with writing(tmp_path, formats=["json"], provenance=PROVENANCE):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["annotations.json"]


@pytest.mark.parametrize("formats", [["xlsx"], []])
def test_an_unknown_format_is_named(tmp_path: Path, formats: list[str]):
    with (
        pytest.raises(OutputError, match="expected one of tsv, json"),
        writing(tmp_path, formats=formats, provenance=PROVENANCE),
    ):
        pass


def test_an_error_leaves_the_files_of_an_earlier_run(tmp_path: Path):
    with writing(tmp_path, provenance=PROVENANCE) as results:
        results.write(answer())
    before = (tmp_path / "annotations.tsv").read_bytes()
    with pytest.raises(ZeroDivisionError), writing(tmp_path, provenance=PROVENANCE):
        raise ZeroDivisionError
    assert (tmp_path / "annotations.tsv").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["annotations.json", "annotations.tsv"]


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(OutputError, match="the folder for the results cannot be made: Not a directory"),
        writing(tmp_path / "file" / "out", provenance=PROVENANCE),
    ):
        pass


def test_a_disk_that_fills_up_is_said_and_what_was_written_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with writing(tmp_path, provenance=PROVENANCE) as results:
        results.write(answer())

        def full(record: str) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(results.writers[0]._file, "write", full)
        with pytest.raises(OutputError, match="No space left on device; the answers before are kept"):
            results.write(answer())
        results.complete = False
    assert len(rows_of((tmp_path / "annotations.tsv").read_text())) == 1
    assert len(json.loads((tmp_path / "annotations.json").read_text())["annotations"]) == 1
