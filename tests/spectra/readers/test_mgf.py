from pathlib import Path

import pytest

from diptych.errors import ReadError
from diptych.spectra import Spectrum, read_spectra

RECORD = "BEGIN IONS\nTITLE=a\nPEPMASS=181.07\nCHARGE=1+\n100.1 5\n200.2 10\nEND IONS\n"


def read(tmp_path: Path, text: str, *, n_problems: int = 0) -> tuple[list[Spectrum], list[str]]:
    path = tmp_path / "a.mgf"
    path.write_text(text, encoding="utf-8")
    problems: list[ReadError] = []
    spectra = list(read_spectra(path, on_problem=problems.append))
    assert len(problems) == n_problems
    return spectra, [str(problem) for problem in problems]


def test_a_record_is_read(tmp_path: Path):
    (spectrum,), _ = read(tmp_path, RECORD)
    assert (spectrum.identifier, spectrum.precursor_mz, spectrum.charge) == ("a", 181.07, 1)
    assert spectrum.mz.tolist() == [100.1, 200.2]
    assert spectrum.intensity.tolist() == [5, 10]


def test_what_mgf_allows_is_read(tmp_path: Path):
    text = (
        "# a comment\nCOM=all of them\nCHARGE=2+ and 3+\nIONMODE=Positive\n\n"
        "begin ions\r\npepmass=500.25 1000\r\nfeature_id = 12\nscans=3\nname=first\nNAME=second\ncharge=2+\n"
        "; another comment\n/ and another\n! and another\n300 1 2+\n100\t2\n200   3   1+\n+50 4\nend ions\n"
        "BEGIN IONS\nPEPMASS=100\nEND IONS"
    )
    (first, second), _ = read(tmp_path, text)
    assert first.mz.tolist() == [50, 100, 200, 300]
    assert (first.precursor_mz, first.charge, first.identifier) == (500.25, 2, "12")
    assert first.metadata["com"] == "all of them"
    assert first.metadata["compound_name"] == "first; second"
    assert (second.charge, second.metadata["charge"], second.polarity) == (None, "2+ and 3+", "positive")
    assert (second.n_peaks, second.identifier) == (0, "2")


def test_a_title_names_a_spectrum_before_its_feature_and_scan(tmp_path: Path):
    text = "BEGIN IONS\nTITLE={}\nFEATURE_ID=F0\nSCANS=7\nEND IONS\n"
    spectra, _ = read(tmp_path, text.format("s0") + text.format("s1"))
    assert [spectrum.identifier for spectrum in spectra] == ["s0", "s1"]
    assert {(spectrum.metadata["feature_id"], spectrum.metadata["scans"]) for spectrum in spectra} == {("F0", "7")}


def test_peaks_that_cannot_be_are_counted(tmp_path: Path):
    (spectrum,), _ = read(
        tmp_path, "BEGIN IONS\nPEPMASS=5\n300 1\nnan 5\n100 0\n200 -3\n-1 4\ninf 2\n150 2\nEND IONS\n"
    )
    assert spectrum.mz.tolist() == [150, 300]
    assert spectrum.metadata["unusable_peaks"] == "5"


def test_a_hundred_thousand_peaks_are_read(tmp_path: Path):
    peaks = "\n".join(f"{mz / 100} 1" for mz in range(100_000, 0, -1))
    (spectrum,), _ = read(tmp_path, f"BEGIN IONS\nPEPMASS=5\n{peaks}\nEND IONS\n")
    assert (spectrum.n_peaks, spectrum.mz[0]) == (100_000, 0.01)


def test_a_bad_record_is_reported_and_the_next_one_read(tmp_path: Path):
    spectra, problems = read(tmp_path, RECORD.replace("200.2 10", "200.2 ten") + RECORD, n_problems=1)
    assert [spectrum.identifier for spectrum in spectra] == ["a"]
    assert problems[0].endswith("a.mgf, line 1, spectrum 'a': peak 2 of 2 reads '200.2 ten'; expected 'm/z intensity'")


def test_a_truncated_file_gives_what_came_before(tmp_path: Path):
    spectra, problems = read(tmp_path, RECORD + RECORD[:40], n_problems=1)
    assert len(spectra) == 1
    assert problems[0].endswith("line 8, spectrum 'a': cut short: the file ends before its 'END IONS'")


def test_a_record_that_begins_in_another_is_reported(tmp_path: Path):
    spectra, problems = read(tmp_path, RECORD.replace("END IONS\n", "") + RECORD, n_problems=1)
    assert len(spectra) == 1
    assert "line 1, spectrum 'a': cut short: another begins on line 7 before its 'END IONS'" in problems[0]


def test_without_a_listener_the_first_bad_record_raises(tmp_path: Path):
    path = tmp_path / "a.mgf"
    path.write_text(RECORD + RECORD[:40])
    spectra = read_spectra(path)
    assert next(spectra).identifier == "a"
    with pytest.raises(ReadError, match="cut short"):
        next(spectra)


def test_records_are_read_one_at_a_time(tmp_path: Path):
    path = tmp_path / "a.mgf"
    path.write_text(RECORD * 5000 + "BEGIN IONS\n")
    assert next(read_spectra(path)).identifier == "a"
