import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diptych.errors import ReadError
from diptych.spectra.readers.massbank import read_massbank

SAMPLE = Path(__file__).parents[2] / "fixtures" / "massbank" / "sample.tar.xz"

RECORD = """ACCESSION: MSBNK-Some_Lab-SL000001
RECORD_TITLE: Caffeine; LC-ESI-QFT; MS2
DATE: 2020.01.01
AUTHORS: A. Author
LICENSE: CC0
CH$NAME: Caffeine
CH$NAME: Guaranine
CH$FORMULA: C8H10N4O2
CH$EXACT_MASS: 194.0803756
CH$SMILES: CN1C=NC2=C1C(=O)N(C(=O)N2C)C
CH$IUPAC: N/A
CH$LINK: INCHIKEY RYYVLZVUVIJVGH-UHFFFAOYSA-N
AC$INSTRUMENT: Q Exactive Plus Orbitrap
AC$INSTRUMENT_TYPE: LC-ESI-QFT
AC$MASS_SPECTROMETRY: MS_TYPE MS2
AC$MASS_SPECTROMETRY: ION_MODE POSITIVE
AC$MASS_SPECTROMETRY: COLLISION_ENERGY 30 eV
AC$MASS_SPECTROMETRY: RESOLUTION 17500
MS$FOCUSED_ION: PRECURSOR_M/Z 195.0877
MS$FOCUSED_ION: PRECURSOR_TYPE [M+H]+
PK$ANNOTATION: m/z tentative_formula
  138.0662 C6H8N3O+
PK$NUM_PEAK: 2
PK$PEAK: m/z int. rel.int.
  138.0662 1000.5 999
  110.0713 20.25 20
//
"""


def read(path: Path) -> tuple[list, list[ReadError]]:
    problems: list[ReadError] = []
    return list(read_massbank(path, on_problem=problems.append)), problems


def write(folder: Path, text: str, name: str = "record.txt") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_record_becomes_a_spectrum_with_harmonised_metadata(tmp_path: Path):
    (spectrum,), problems = read(write(tmp_path, RECORD))
    assert problems == []
    assert spectrum.mz.tolist() == [110.0713, 138.0662]
    assert spectrum.intensity.tolist() == [20.25, 1000.5]
    assert spectrum.precursor_mz == 195.0877
    assert spectrum.adduct.name == "[M+H]+"
    assert spectrum.collision_energy == 30.0
    assert spectrum.instrument_type == "LC-ESI-QFT"
    assert spectrum.identifier == "MSBNK-Some_Lab-SL000001"
    expected = {
        "compound_name": "Caffeine",
        "synonyms": "Guaranine",
        "smiles": "CN1C=NC2=C1C(=O)N(C(=O)N2C)C",
        "inchikey": "RYYVLZVUVIJVGH-UHFFFAOYSA-N",
        "instrument": "Q Exactive Plus Orbitrap",
        "license": "CC0",
        "contributor": "Some_Lab",
        "ms_level": "2",
        "peakannotations": "m/z tentative_formula; 138.0662 C6H8N3O+",
        "ac$mass_spectrometryresolution": "17500",
    }
    assert {key: spectrum.metadata.get(key) for key in expected} == expected


def test_a_value_that_says_unknown_is_left_out(tmp_path: Path):
    (spectrum,), _ = read(write(tmp_path, RECORD))
    assert "inchi" not in spectrum.metadata


def test_several_records_of_one_file_are_separated_by_slashes(tmp_path: Path):
    second = RECORD.replace("SL000001", "SL000002")
    spectra, problems = read(write(tmp_path, RECORD + second))
    assert [spectrum.identifier[-1] for spectrum in spectra] == ["1", "2"]
    assert problems == []


def test_a_folder_is_read_to_the_bottom_in_sorted_order(tmp_path: Path):
    write(tmp_path, RECORD.replace("SL000001", "SL000002"), "Zoo/b.txt")
    write(tmp_path, RECORD, "Aquarium/a.txt")
    write(tmp_path, "no record", "Aquarium/.hidden.txt")
    write(tmp_path, "no record", "README.md")
    spectra, problems = read(tmp_path)
    assert [spectrum.metadata["contributor"] for spectrum in spectra] == ["Aquarium", "Zoo"]
    assert problems == []


@pytest.mark.parametrize("suffix", ["tar", "tar.gz", "tar.xz", "zip"])
def test_every_archive_holds_the_same_spectra(tmp_path: Path, suffix: str):
    path = tmp_path / f"records.{suffix}"
    if suffix == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("Lab/a.txt", RECORD)
    else:
        with tarfile.open(path, f"w:{suffix[4:]}") as archive:
            info = tarfile.TarInfo("./Lab/a.txt")
            info.size = len(RECORD.encode())
            archive.addfile(info, io.BytesIO(RECORD.encode()))
    (spectrum,), problems = read(path)
    assert problems == []
    assert (spectrum.identifier, spectrum.metadata["contributor"]) == ("MSBNK-Some_Lab-SL000001", "Lab")


def test_real_records_of_many_labs_are_all_read():
    spectra, problems = read(SAMPLE)
    assert problems == []
    assert len(spectra) == 57
    assert {spectrum.polarity for spectrum in spectra} == {"positive", "negative"}
    assert all(spectrum.metadata["license"] in {"CC0", "CC BY", "CC BY-SA"} for spectrum in spectra)


def test_an_archive_cut_short_gives_what_came_before_and_one_problem(tmp_path: Path):
    path = tmp_path / "cut.tar.xz"
    path.write_bytes(SAMPLE.read_bytes()[:20_000])
    spectra, problems = read(path)
    assert 0 < len(spectra) < 57
    assert len(problems) == 1
    assert "damaged or cut short" in str(problems[0])


def test_an_archive_that_is_none_is_reported(tmp_path: Path):
    for name in ("noise.tar.xz", "noise.zip"):
        path = tmp_path / name
        path.write_bytes(b"\x00\x01binary" * 100)
        spectra, problems = read(path)
        assert spectra == []
        assert "the archive is damaged or cut short" in str(problems[0])


def test_a_record_cut_short_is_reported_and_not_yielded(tmp_path: Path):
    spectra, problems = read(write(tmp_path, RECORD[: RECORD.index("  110.0713")]))
    assert spectra == []
    assert "1 peaks and no closing '//'; expected 2 peaks" in str(problems[0])


def test_a_whole_record_may_lack_its_last_slashes(tmp_path: Path):
    spectra, problems = read(write(tmp_path, RECORD.removesuffix("//\n")))
    assert len(spectra) == 1
    assert problems == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ACCESSION: MSBNK-Some_Lab-SL000001\n", "", "without ACCESSION"),
        ("138.0662 1000.5 999", "138.0662 many 999", "a peak is not a number"),
        ("138.0662 1000.5 999", "138.0662 1000.5", "expected a multiple of 3"),
        ("DATE: 2020.01.01", "nothing that a record holds", "line 3: expected 'TAG: value'"),
    ],
)
def test_a_broken_record_is_reported_with_its_place_and_the_next_is_read(
    tmp_path: Path, old: str, new: str, message: str
):
    path = write(tmp_path, RECORD.replace(old, new) + RECORD)
    spectra, problems = read(path)
    assert len(spectra) == 1
    assert len(problems) == 1
    assert message in str(problems[0])
    assert str(problems[0]).startswith(f"{path}, line ")


@settings(max_examples=150)
@given(st.integers(0, len(RECORD)), st.binary(max_size=30), st.integers(0, 40))
def test_damage_anywhere_is_a_problem_or_a_spectrum_and_never_another_error(
    tmp_path: Path, place: int, noise: bytes, removed: int
):
    content = RECORD.encode()
    path = tmp_path / "damaged.txt"
    path.write_bytes(content[:place] + noise + content[place + removed :] + content)
    spectra, _ = read(path)
    assert all(spectrum.mz.size == spectrum.intensity.size for spectrum in spectra)


@given(st.lists(st.tuples(st.floats(1, 2000), st.floats(1e-3, 1e9)), max_size=30))
@settings(max_examples=50)
def test_peaks_come_back_as_they_were_written(tmp_path: Path, peaks: list[tuple[float, float]]):
    lines = "".join(f"  {mz!r} {intensity!r} 1\n" for mz, intensity in peaks)
    text = RECORD[: RECORD.index("  138.0662 1000.5")] + lines + "//\n"
    (spectrum,), problems = read(write(tmp_path, text))
    assert problems == []
    assert spectrum.mz.tolist() == sorted(mz for mz, _ in peaks)
    assert sorted(spectrum.intensity.tolist()) == sorted(float(np.float32(intensity)) for _, intensity in peaks)


def test_a_missing_file_is_reported(tmp_path: Path):
    spectra, problems = read(tmp_path / "missing.txt")
    assert spectra == []
    assert "No such file" in str(problems[0])


def test_bytes_that_are_no_utf8_do_not_stop_a_record(tmp_path: Path):
    path = tmp_path / "latin.txt"
    path.write_bytes(RECORD.replace("A. Author", "A. Müller").encode("latin-1"))
    spectra, problems = read(path)
    assert len(spectra) == 1
    assert problems == []
