import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diptych.errors import ReadError
from diptych.spectra import FORMATS, read_spectra
from diptych.spectra.readers import text as texts

MGF = "BEGIN IONS\nTITLE=µ-a\nPEPMASS=181.07\n100.1 5\nEND IONS\n"
MSP = "Name: a\nPrecursorMZ: 181.07\nNum Peaks: 1\n100.1 5\n"
JSON = '[{"spectrum_id": "a", "Precursor_MZ": "181.07", "peaks_json": "[[100.1, 5]]"}]'
TSV = "identifier\tmzs\tintensities\tprecursor_mz\na\t100.1\t5\t181.07\n"
MASSBANK = (
    "ACCESSION: MSBNK-Test-1\nAC$MASS_SPECTROMETRY: MS_TYPE MS2\nMS$FOCUSED_ION: PRECURSOR_M/Z 181.07\n"
    "PK$NUM_PEAK: 1\nPK$PEAK: m/z int. rel.int.\n  100.1 5 999\n//\n"
)
TEXTS = {"mgf": MGF, "msp": MSP, "json": JSON, "tsv": TSV, "massbank": MASSBANK}
COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {".gz": gzip.compress, ".xz": lzma.compress, ".bz2": bz2.compress}


def read_file(path: Path, content: bytes | str, **how):
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read_spectra(path, **how))


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("suffix", ["", ".dat", ".mgf", ".msp", ".txt"])
def test_the_content_counts_where_the_suffix_is_wrong(tmp_path: Path, name: str, suffix: str):
    (spectrum,) = read_file(tmp_path / f"a{suffix}", TEXTS[name])
    assert (spectrum.precursor_mz, spectrum.mz.tolist()) == (181.07, [100.1])


@pytest.mark.parametrize("name", ["mgf", "msp", "json", "tsv"])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_compressed_files_are_read_whatever_their_name(tmp_path: Path, name: str, compression: str):
    content = COMPRESSIONS[compression](TEXTS[name].encode())
    for file in (f"a.{name}{compression}", f"b.{name}", "c"):
        (spectrum,) = read_file(tmp_path / file, content)
        assert spectrum.precursor_mz == 181.07


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends_are_told_apart(tmp_path: Path, encoding: str, newline: str):
    text = MGF.replace("\n", newline)
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    (spectrum,) = read_file(tmp_path / "a.mgf", f"{mark}{text}".encode(encoding))
    assert spectrum.identifier == "µ-a"


@pytest.mark.parametrize("name", ["msp", "json", "tsv"])
def test_utf16_is_read_in_every_format(tmp_path: Path, name: str):
    (spectrum,) = read_file(tmp_path / f"a.{name}", TEXTS[name].encode("utf-16"))
    assert spectrum.identifier == "a"


def test_folders_and_archives_hold_massbank_records(tmp_path: Path):
    folder = tmp_path / "records" / "Test"
    folder.mkdir(parents=True)
    (folder / "MSBNK-Test-1.txt").write_text(MASSBANK)
    with tarfile.open(tmp_path / "a.tar.xz", "w:xz") as archive:
        archive.add(folder, "Test")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(folder / "MSBNK-Test-1.txt", "Test/MSBNK-Test-1.txt")
    for path in (tmp_path / "records", tmp_path / "a.tar.xz", tmp_path / "a.zip"):
        assert [spectrum.identifier for spectrum in read_spectra(path)] == ["MSBNK-Test-1"]


def test_all_files_of_spectra_in_a_folder_are_read(tmp_path: Path):
    folder = tmp_path / "folder"
    (folder / "deeper").mkdir(parents=True)
    (folder / "b.mgf").write_text(MGF)
    (folder / "a.msp.gz").write_bytes(gzip.compress(MSP.encode()))
    (folder / "deeper" / "z.txt").write_text(MASSBANK)
    (folder / "deeper" / "c.MGF").write_text(MGF)
    (folder / "notes.pdf").write_bytes(b"%PDF")
    (folder / ".hidden.mgf").write_text(MGF)
    spectra = list(read_spectra(folder))
    assert [spectrum.identifier for spectrum in spectra] == ["MSBNK-Test-1", "a", "µ-a", "µ-a#2"]
    files = [spectrum.metadata.get("file_in_folder") for spectrum in spectra]
    assert files == [None, "a.msp.gz", "b.mgf", "deeper/c.MGF"]
    assert [spectrum.identifier for spectrum in read_spectra(folder, format="massbank")] == ["MSBNK-Test-1"]


def test_a_file_of_a_folder_that_cannot_be_read_does_not_stop_the_others(tmp_path: Path):
    (tmp_path / "a.mgf").write_text("")
    (tmp_path / "b.tsv").write_text("name\tmass\n")
    (tmp_path / "c.mgf").write_text(MGF)
    problems: list[ReadError] = []
    assert len(list(read_spectra(tmp_path, on_problem=problems.append))) == 1
    assert [str(problem).partition(": ")[2][:17] for problem in problems] == ["the file is empty", "columns 'name, ma"]
    with pytest.raises(ReadError, match=r"a\.mgf: the file is empty"):
        list(read_spectra(tmp_path))


def test_a_format_can_be_told(tmp_path: Path):
    assert len(read_file(tmp_path / "a.txt", MGF, format="mgf")) == 1
    assert len(read_file(tmp_path / "a.txt", MGF, format=".MGF")) == 1
    with pytest.raises(ReadError, match=r"no spectra in it; expected at least one"):
        read_file(tmp_path / "a.msp", "x", format="mgf")
    with pytest.raises(ReadError, match=r"format 'pdf' is unknown; expected one of \.json, .*\.mgf"):
        read_file(tmp_path / "a.mgf", MGF, format="pdf")


def test_identifiers_are_unique_within_a_file(tmp_path: Path):
    text = "".join(f"BEGIN IONS\nTITLE={title}\nEND IONS\n" for title in ["a", "a", "a#2", "b", "a", "a#2"])
    identifiers = [spectrum.identifier for spectrum in read_file(tmp_path / "a.mgf", text)]
    assert identifiers == ["a", "a#2", "a#2#2", "b", "a#3", "a#2#3"]


@pytest.mark.parametrize("content", [b"", b"\n\n  \n", b"\xef\xbb\xbf", b"\xff\xfe", gzip.compress(b"")])
@pytest.mark.parametrize("suffix", [".mgf", ".json", ".mzML", ".txt", ".xyz"])
def test_an_empty_file_is_named(tmp_path: Path, content: bytes, suffix: str):
    with pytest.raises(ReadError, match=r"a\..*: the file is empty; expected spectra"):
        read_file(tmp_path / f"a{suffix}", content)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(ReadError, match=r"a\.mgf: no such file or folder"):
        list(read_spectra(tmp_path / "a.mgf"))


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path):
    with pytest.raises(ReadError, match="cannot be opened: Is a directory"):
        texts.open_bytes(tmp_path)


def test_a_folder_without_records_is_named(tmp_path: Path):
    (tmp_path / "notes.pdf").write_bytes(b"%PDF")
    with pytest.raises(ReadError, match=r"no spectra in it; expected at least one MS/MS spectrum, in files of .*\.mgf"):
        list(read_spectra(tmp_path))


@pytest.mark.parametrize("content", [bytes(range(256)) * 40, b"hello world, these are no spectra"])
def test_an_unknown_format_names_the_known_ones(tmp_path: Path, content: bytes):
    with pytest.raises(ReadError, match=r"suffix '\.xyz'; expected one of \.json, .*\.mgf, .*\.mzml"):
        read_file(tmp_path / "a.xyz", content)


@pytest.mark.parametrize("suffix", [".mgf", ".msp", ".json", ".tsv"])
def test_binary_junk_of_a_known_suffix_is_one_error(tmp_path: Path, suffix: str):
    with pytest.raises(ReadError, match=r"a\."):
        read_file(tmp_path / f"a{suffix}", bytes(range(256)) * 400)


@pytest.mark.parametrize("name", ["mgf", "msp", "tsv", "jsonl"])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_truncated_archive_gives_what_came_before(tmp_path: Path, name: str, compression: str):
    record = {"mgf": MGF, "msp": MSP, "tsv": TSV.partition("\n")[2], "jsonl": JSON[1:-1] + "\n"}[name]
    numbers = np.random.default_rng(7).uniform(50, 1000, size=4000)
    records = "".join(record.replace("100.1", repr(float(number))) for number in numbers)
    whole = (records if name != "tsv" else TSV + records).encode()
    # Of bzip2, a block that is not whole is lost; at this level a block holds 100 kB.
    packed = bz2.compress(whole, 1) if compression == ".bz2" else COMPRESSIONS[compression](whole)
    path = tmp_path / f"a.{name}{compression}"
    path.write_bytes(packed[: len(packed) * 9 // 10])
    problems: list[ReadError] = []
    assert len(list(read_spectra(path, on_problem=problems.append))) > 1000
    assert any("damaged or cut short" in str(problem) for problem in problems)


def test_a_file_with_nothing_but_the_start_of_an_archive_is_named(tmp_path: Path):
    with pytest.raises(ReadError, match="damaged or cut short"):
        read_file(tmp_path / "a.mgf.gz", gzip.compress(MGF.encode())[:12])


def test_a_file_of_ms1_scans_only_holds_no_spectra(tmp_path: Path):
    text = '<?xml version="1.0"?><mzML xmlns="http://psi.hupo.org/ms/mzml"><run><spectrumList/></run></mzML>'
    with pytest.raises(ReadError, match="no spectra in it; expected at least one MS/MS spectrum"):
        read_file(tmp_path / "a.mzML", text)


def test_every_suffix_has_a_reader():
    assert {".mgf", ".msp", ".json", ".tsv", ".mzml", ".mzxml", ".txt", ".zip", ".tar.xz"}.issubset(FORMATS)


FRAGMENTS = st.sampled_from(
    [
        *[MGF, MSP, JSON, TSV, MASSBANK, "BEGIN IONS\n", "END IONS\n", "Num Peaks: 3\n", "PEPMASS=1e999\n"],
        *['{"peaks": [[1, null]]}', "[[[[", "nan nan\n", "=\n", ":\n", "1 2 3 4\n", "\x00", "\ufeff", "'\""],
        *["a\tmzs\t", "CHARGE=99999\n"],
    ]
)


@given(
    content=st.binary(max_size=300)
    | st.lists(FRAGMENTS | st.text(max_size=20), max_size=8).map(
        lambda parts: "".join(parts).encode("utf-8", "replace")
    )
    | st.tuples(st.sampled_from(sorted(COMPRESSIONS)), st.binary(max_size=100), st.integers(0, 60)).map(
        lambda parts: COMPRESSIONS[parts[0]](parts[1])[: parts[2]]
    ),
    name=st.sampled_from(["mgf", "msp", "json", "tsv"]),
    is_told=st.booleans(),
)
@settings(max_examples=400)
def test_any_bytes_are_spectra_or_read_errors(tmp_path: Path, content: bytes, name: str, is_told: bool):
    problems: list[ReadError] = []
    path = tmp_path / f"a.{name}"
    path.write_bytes(content)
    try:
        spectra = list(read_spectra(path, format=name if is_told else None, on_problem=problems.append))
    except ReadError as error:
        assert str(path) in str(error)
        return
    assert all(str(path) in str(problem) for problem in problems)
    assert len({spectrum.identifier for spectrum in spectra}) == len(spectra)


def test_decoding_falls_back_byte_by_byte():
    assert texts.decode("µ".encode() + b"\xb5") == "µµ"
    assert texts.decode(b"\xff\xfea\x00b") == "a\N{REPLACEMENT CHARACTER}"
    with pytest.raises(UnicodeEncodeError):
        io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="diptych.latin1").write("µ")
