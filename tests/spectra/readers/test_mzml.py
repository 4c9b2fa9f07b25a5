import base64
import gzip
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diptych.errors import ReadError
from diptych.spectra.readers.mzml import read_mzml, read_mzxml

MZ = [85.0284, 110.0713, 138.0662]
INTENSITY = [10.0, 20.0, 1000.0]


def cv(accession: str, name: str, value: object = "", unit: str = "") -> str:
    unit_text = f' unitAccession="{unit}" unitName="some unit"' if unit else ""
    return f'<cvParam cvRef="MS" accession="{accession}" name="{name}" value="{value}"{unit_text}/>'


def encoded(numbers: list[float], *, dtype: str, compressed: bool) -> str:
    data = np.array(numbers, dtype=dtype).tobytes()
    return base64.b64encode(zlib.compress(data) if compressed else data).decode()


def array(numbers: list[float], kind: str, *, bits: int, compressed: bool) -> str:
    text = encoded(numbers, dtype=f"<f{bits // 8}", compressed=compressed)
    return (
        f'<binaryDataArray encodedLength="{len(text)}">'
        + (cv("MS:1000523", "64-bit float") if bits == 64 else cv("MS:1000521", "32-bit float"))
        + (cv("MS:1000574", "zlib compression") if compressed else cv("MS:1000576", "no compression"))
        + (cv("MS:1000514", "m/z array") if kind == "mz" else cv("MS:1000515", "intensity array"))
        + f"<binary>{text}</binary></binaryDataArray>"
    )


def spectrum(scan: int, *, level: int = 2, polarity: str = "", charge: int = 1, energy: str = "", **peaks) -> str:
    bits, compressed = peaks.get("bits", 64), peaks.get("compressed", True)
    precursor = (
        '<precursorList count="1"><precursor><isolationWindow>'
        + cv("MS:1000827", "isolation window target m/z", 195.1)
        + cv("MS:1000828", "isolation window lower offset", 0.5)
        + "</isolationWindow><selectedIonList><selectedIon>"
        + cv("MS:1000744", "selected ion m/z", 195.0877)
        + cv("MS:1000041", "charge state", charge)
        + "</selectedIon></selectedIonList><activation>"
        + cv("MS:1000422", "beam-type collision-induced dissociation")
        + (energy or cv("MS:1000045", "collision energy", 35.0, "UO:0000266"))
        + "</activation></precursor></precursorList>"
    )
    return (
        f'<spectrum index="{scan}" id="controllerType=0 scan={scan}" defaultArrayLength="3">'
        + '<referenceableParamGroupRef ref="common"/>'
        + cv("MS:1000511", "ms level", level)
        + (polarity or cv("MS:1000130", "positive scan"))
        + '<userParam name="own remark" value="kept"/>'
        + f"<scanList><scan>{cv('MS:1000016', 'scan start time', 1.5, 'UO:0000031')}</scan></scanList>"
        + (precursor if level > 1 else "")
        + '<binaryDataArrayList count="2">'
        + array(MZ, "mz", bits=bits, compressed=compressed)
        + peaks.get("intensity", array(INTENSITY, "intensity", bits=bits, compressed=compressed))
        + "</binaryDataArrayList></spectrum>"
    )


def mzml(*spectra: str) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?><mzML xmlns="http://psi.hupo.org/ms/mzml" version="1.1.0">'
        '<referenceableParamGroupList><referenceableParamGroup id="common">'
        + cv("MS:1000127", "centroid spectrum")
        + "</referenceableParamGroup></referenceableParamGroupList><instrumentConfigurationList>"
        '<instrumentConfiguration id="IC1">'
        + cv("MS:1001911", "Q Exactive")
        + f"<componentList><source>{cv('MS:1000073', 'electrospray ionization')}</source>"
        + f"<analyzer>{cv('MS:1000484', 'orbitrap')}</analyzer></componentList>"
        + f'</instrumentConfiguration></instrumentConfigurationList><run id="r"><spectrumList count="{len(spectra)}">'
        + "".join(spectra)
        + "</spectrumList></run></mzML>"
    )


def read(path: Path, reader=read_mzml) -> tuple[list, list[ReadError]]:
    problems: list[ReadError] = []
    return list(reader(path, on_problem=problems.append)), problems


def write(folder: Path, text: str, name: str = "run.mzML") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_an_ms2_scan_keeps_what_the_instrument_said(tmp_path: Path):
    (found,), problems = read(write(tmp_path, mzml(spectrum(1, level=1), spectrum(2))))
    assert problems == []
    assert found.mz.tolist() == MZ
    assert found.intensity.tolist() == INTENSITY
    assert (found.precursor_mz, found.charge, found.polarity) == (195.0877, 1, "positive")
    assert found.collision_energy == 35.0
    assert found.instrument_type == "electrospray ionization-orbitrap"
    expected = {
        "scans": "2",
        "ms_level": "2",
        "instrument": "Q Exactive",
        "fragmentation_mode": "beam-type collision-induced dissociation",
        "isolation_window_lower_offset": "0.5",
        "spectrum_representation": "centroid",
        "own_remark": "kept",
    }
    assert {key: found.metadata.get(key) for key in expected} == expected
    assert float(found.metadata["retention_time"]) == 90.0


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("compressed", [True, False])
def test_peaks_are_decoded_whatever_their_encoding(tmp_path: Path, bits: int, compressed: bool):
    (found,), _ = read(write(tmp_path, mzml(spectrum(2, bits=bits, compressed=compressed))))
    np.testing.assert_allclose(found.mz, MZ, rtol=1e-7 if bits == 32 else 1e-15)
    assert found.intensity.tolist() == INTENSITY


def test_a_negative_scan_has_a_negative_charge(tmp_path: Path):
    negative = spectrum(2, polarity=cv("MS:1000129", "negative scan"), charge=2)
    (found,), _ = read(write(tmp_path, mzml(negative)))
    assert (found.charge, found.polarity) == (-2, "negative")


def test_ms3_scans_are_passed_over(tmp_path: Path):
    found, problems = read(write(tmp_path, mzml(spectrum(1, level=3))))
    assert (found, problems) == ([], [])


def test_a_gzip_file_is_read_as_it_is(tmp_path: Path):
    path = tmp_path / "run.mzML.gz"
    path.write_bytes(gzip.compress(mzml(spectrum(2)).encode()))
    found, problems = read(path)
    assert (len(found), problems) == (1, [])


def test_a_document_cut_short_gives_the_scans_before_and_one_problem(tmp_path: Path):
    text = mzml(*(spectrum(scan) for scan in range(40)))
    path = write(tmp_path, text[: len(text) * 3 // 4])
    found, problems = read(path)
    assert 20 <= len(found) < 40
    assert len(problems) == 1
    assert "damaged or cut short" in str(problems[0])


@settings(max_examples=60)
@given(st.integers(0, 3000), st.binary(max_size=12), st.integers(0, 60))
def test_damage_anywhere_is_a_problem_or_a_spectrum_and_never_another_error(
    tmp_path: Path, place: int, noise: bytes, removed: int
):
    for name, text, reader in (("run.mzML", mzml(spectrum(2)), read_mzml), ("run.mzXML", mzxml(scan(2)), read_mzxml)):
        content = text.encode()
        path = tmp_path / name
        path.write_bytes(content[:place] + noise + content[place + removed :])
        found, problems = read(path, reader)
        assert len(found) <= 1
        assert all(isinstance(problem, ReadError) for problem in problems)


def test_a_file_that_is_no_xml_is_reported(tmp_path: Path):
    for text in ("", "\x01\x02 not xml"):
        found, problems = read(write(tmp_path, text))
        assert found == []
        assert "expected a whole XML document" in str(problems[0])


@pytest.mark.parametrize(
    ("intensity", "message"),
    [
        (array(INTENSITY, "intensity", bits=64, compressed=False).replace("</binary>", "QQQQ</binary>"), "decoded"),
        (
            array(INTENSITY, "intensity", bits=64, compressed=True)
            .replace("64-bit float", "x")
            .replace("1000523", "1"),
            "number type",
        ),
        (
            array(INTENSITY, "intensity", bits=64, compressed=True).replace(
                cv("MS:1000574", "zlib compression"), cv("MS:1002312", "MS-Numpress linear prediction compression")
            ),
            "Numpress",
        ),
        (array(INTENSITY[:2], "intensity", bits=64, compressed=True), "3 m/z values against 2 intensities"),
    ],
)
def test_a_scan_that_cannot_be_decoded_is_reported_and_the_next_is_read(tmp_path: Path, intensity: str, message: str):
    found, problems = read(write(tmp_path, mzml(spectrum(1, intensity=intensity), spectrum(2))))
    assert [one.metadata["scans"] for one in found] == ["2"]
    assert len(problems) == 1
    assert message in str(problems[0])


def test_an_entity_bomb_is_not_expanded(tmp_path: Path):
    bomb = '<!DOCTYPE m [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    text = mzml(spectrum(2)).replace("?>", f"?>{bomb}", 1).replace("kept", "&b;")
    found, problems = read(write(tmp_path, text))
    assert len(found) + len(problems) == 1


def mzxml(*scans: str) -> str:
    return (
        '<?xml version="1.0"?><mzXML xmlns="http://sashimi.sourceforge.net/schema_revision/mzXML_3.2"><msRun>'
        '<msInstrument><msModel value="impact II"/><msMassAnalyzer value="TOFMS"/></msInstrument>'
        + "".join(scans)
        + "</msRun></mzXML>"
    )


def scan(
    number: int, *, level: int = 2, polarity: str = "+", inner: str = "", bits: int = 32, compression: str = "none"
) -> str:
    pairs = [value for pair in zip(MZ, INTENSITY, strict=True) for value in pair]
    text = encoded(pairs, dtype=f">f{bits // 8}", compressed=compression == "zlib")
    precursor = '<precursorMz precursorCharge="1" activationMethod="CID">195.0877</precursorMz>' if level > 1 else ""
    return (
        f'<scan num="{number}" msLevel="{level}" polarity="{polarity}" retentionTime="PT90.5S" collisionEnergy="20">'
        f'{precursor}<peaks precision="{bits}" byteOrder="network" compressionType="{compression}">{text}</peaks>'
        f"{inner}</scan>"
    )


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("compression", ["none", "zlib"])
def test_nested_mzxml_scans_keep_what_the_instrument_said(tmp_path: Path, bits: int, compression: str):
    text = mzxml(scan(1, level=1, inner=scan(2, polarity="-", bits=bits, compression=compression)))
    (found,), problems = read(write(tmp_path, text, "run.mzXML"), read_mzxml)
    assert problems == []
    np.testing.assert_allclose(found.mz, MZ, rtol=1e-7)
    assert (found.precursor_mz, found.charge, found.polarity) == (195.0877, -1, "negative")
    assert found.collision_energy == 20.0
    assert found.instrument_type == "TOFMS"
    assert found.metadata["instrument"] == "impact II"
    assert (found.metadata["scans"], found.metadata["fragmentation_mode"]) == ("2", "CID")
    assert float(found.metadata["retention_time"]) == 90.5


def test_mzxml_agrees_with_pyteomics(tmp_path: Path):
    pyteomics = pytest.importorskip("pyteomics.mzxml")
    path = write(tmp_path, mzxml(scan(1, level=1), scan(2), scan(3, bits=64, compression="zlib")), "run.mzXML")
    with pyteomics.MzXML(str(path), use_index=False) as theirs:
        expected = [one for one in theirs if one["msLevel"] == 2]
    found, _ = read(path, read_mzxml)
    assert len(found) == len(expected) == 2
    for ours, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours.mz, np.asarray(other["m/z array"], dtype=np.float64))
        assert ours.precursor_mz == other["precursorMz"][0]["precursorMz"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('compressionType="none"', 'compressionType="lzma"', "peaks compressed by 'lzma'"),
        ("</peaks>", "AAAA</peaks>", "peaks cannot be decoded"),
    ],
)
def test_a_broken_mzxml_scan_is_reported_and_the_next_is_read(tmp_path: Path, old: str, new: str, message: str):
    text = mzxml(scan(1).replace(old, new), scan(2))
    found, problems = read(write(tmp_path, text, "run.mzXML"), read_mzxml)
    assert [one.metadata["scans"] for one in found] == ["2"]
    assert message in str(problems[0])


def test_an_odd_number_of_values_in_mzxml_is_reported(tmp_path: Path):
    text = mzxml(
        '<scan num="1" msLevel="2"><peaks precision="32">'
        + encoded([1.0, 2.0, 3.0], dtype=">f4", compressed=False)
        + "</peaks></scan>"
    )
    found, problems = read(write(tmp_path, text, "run.mzXML"), read_mzxml)
    assert found == []
    assert "expected pairs of m/z and intensity" in str(problems[0])


def test_a_scan_without_peaks_is_an_empty_spectrum(tmp_path: Path):
    text = mzxml('<scan num="1" msLevel="2"><precursorMz>100.5</precursorMz></scan>')
    (found,), problems = read(write(tmp_path, text, "run.mzXML"), read_mzxml)
    assert (found.n_peaks, problems) == (0, [])
