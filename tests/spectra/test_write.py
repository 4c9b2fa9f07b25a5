from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diptych.errors import OutputError
from diptych.spectra import Adduct, Spectrum, read_spectra, write_mgf

PEAK = st.tuples(st.floats(1e-3, 1e5), st.floats(2.0**-100, 2.0**100, width=32))
PEAKS = st.lists(PEAK, max_size=20, unique_by=lambda peak: peak[0])
# Keys that no format gives a meaning to come back as they are; values on one line, without blanks at their ends.
KEYS = st.from_regex(r"x[a-z0-9_]{0,8}", fullmatch=True).map(lambda key: f"own_{key}")
VALUES = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=20).map(lambda v: f"v {v} w")


@given(
    peaks=PEAKS,
    precursor_mz=st.none() | st.floats(1e-6, 1e9),
    charge=st.none() | st.integers(-20, 20).filter(bool),
    adduct=st.sampled_from([None, "[M+H]+", "[2M+Na-2H]-", "[M-2H]-.", "[M-C6H10O5+H]+"]),
    identifier=st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=20),
    metadata=st.dictionaries(KEYS, VALUES, max_size=4),
)
@settings(max_examples=150)
def test_what_is_written_is_read_again(tmp_path: Path, peaks, precursor_mz, charge, adduct, identifier, metadata):
    spectrum = Spectrum.from_peaks(
        [mz for mz, _ in peaks],
        [intensity for _, intensity in peaks],
        precursor_mz=precursor_mz,
        charge=charge,
        adduct=Adduct.parse(adduct) if adduct else None,
        identifier=identifier,
        metadata=metadata,
    )
    path = tmp_path / "spectra.mgf"
    assert write_mgf([spectrum], path) == 1
    (again,) = read_spectra(path)
    np.testing.assert_array_equal(again.mz, spectrum.mz)
    np.testing.assert_array_equal(again.intensity, spectrum.intensity)
    for field in ("precursor_mz", "charge", "adduct", "identifier"):
        assert getattr(again, field) == getattr(spectrum, field)
    assert dict(again.metadata) == metadata


def test_all_that_a_file_said_survives(tmp_path: Path):
    text = (
        "BEGIN IONS\nFEATURE_ID=7\nPEPMASS=250.5 1e5\nCHARGE=1\nADDUCT=M+H\nNAME=a = b\nCOLLISION_ENERGY=30 NCE\n"
        "INSTRUMENT_TYPE=LC-ESI-QFT\nIONMODE=positive\nSMILES=C=CO\nMY KEY=µ\n100.1 5\n200.2 1\nEND IONS\n"
        "BEGIN IONS\nFEATURE_ID=7\nPEPMASS=448.2/285.1\nCHARGE=1+ and 2+\nADDUCT=oops\nEXACTMASS=5\n"
        "PARENT_MASS=6\nEND IONS\n"
    )
    (tmp_path / "a.mgf").write_text(text, encoding="utf-8")
    first = list(read_spectra(tmp_path / "a.mgf"))
    write_mgf(first, tmp_path / "b.mgf")
    second = list(read_spectra(tmp_path / "b.mgf"))
    assert [spectrum.identifier for spectrum in second] == ["7", "7#2"]
    for one, other in zip(first, second, strict=True):
        assert dict(one.metadata) == dict(other.metadata)
        for field in ("precursor_mz", "charge", "adduct", "collision_energy", "instrument_type", "identifier"):
            assert getattr(one, field) == getattr(other, field)
    assert first[0].collision_energy == pytest.approx(30 * 250.5 / 500)
    assert first[0].metadata["compound_name"] == "a = b"


def test_odd_keys_and_values_still_make_a_legal_file(tmp_path: Path):
    spectrum = Spectrum.from_peaks(
        [100.0], [1.0], identifier="a", collision_energy=20.0, metadata={"#a=b c": "1\n2", "empty": "", "ß": "s"}
    )
    write_mgf([spectrum], tmp_path / "a.mgf")
    (again,) = read_spectra(tmp_path / "a.mgf")
    assert again.collision_energy == 20
    assert dict(again.metadata) == {"_a_b_c": "1 2", "ß": "s", "collision_energy": "20.0 eV"}


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "a.mgf").mkdir()
    with pytest.raises(OutputError, match=r"a\.mgf: cannot be written"):
        write_mgf([], tmp_path / "a.mgf")


def test_an_error_on_the_way_leaves_the_older_file(tmp_path: Path):
    path = tmp_path / "a.mgf"
    path.write_text("old")

    def failing():
        yield Spectrum.from_peaks([1.0], [1.0])
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        write_mgf(failing(), path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_the_decimals_of_the_precursor_say_comes_back(tmp_path: Path):
    spectra = [
        Spectrum.from_peaks([100.0], [1.0], precursor_mz=mz, identifier=str(mz), metadata=metadata)
        for mz, metadata in ((480.0, {}), (480.123456789, {}), (481.0, {"precursor_mz_decimals": "0"}))
    ]
    write_mgf(spectra, tmp_path / "a.mgf")
    back = list(read_spectra(tmp_path / "a.mgf"))
    assert [spectrum.precursor_mz for spectrum in back] == [480.0, 480.123456789, 481.0]
    assert [spectrum.metadata.get("precursor_mz_decimals") for spectrum in back] == [None, None, "0"]
