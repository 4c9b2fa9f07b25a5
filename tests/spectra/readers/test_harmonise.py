from pathlib import Path

import pytest

from diptych.errors import ReadError
from diptych.spectra import Spectrum
from diptych.spectra.readers import keys
from diptych.spectra.readers.harmonise import build_spectrum
from diptych.spectra.readers.keys import harmonised_key


def built(mz=(100.0,), intensity=(1.0,), **raw: str) -> Spectrum:
    return build_spectrum(raw, mz, intensity, path=Path("a.mgf"), line=3, ordinal=9)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("PrecursorMZ", "precursor_mz"),
        ("PEPMASS", "precursor_mz"),
        ("MS$FOCUSED_ION:PRECURSOR_TYPE", "adduct"),
        ("Ion_mode", "ionmode"),
        ("RTINSECONDS", "retention_time"),
        ("DB#", "spectrum_id"),
        ("Synon: METB InChI", "inchi"),
        ("collision energy", "collision_energy"),
        ("My own: key!", "my_own_key"),
    ],
)
def test_names_become_those_of_matchms(key: str, name: str):
    assert harmonised_key(key) == name


def test_names_that_are_harmonised_stay_so():
    for name in set(keys._table().values()):
        assert harmonised_key(name) == name


def test_names_without_matchms_are_an_error(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(keys, "find_spec", lambda name: None)
    with pytest.raises(ReadError, match="matchms is not installed"):
        keys._table.__wrapped__()


@pytest.mark.parametrize(
    ("text", "precursor_mz", "kept"),
    [
        ("181.07", 181.07, None),
        ("448.2/285.1", 448.2, "448.2/285.1"),
        ("0", None, None),
        ("0.0", None, None),
        ("-5", -5.0, None),
        ("1e9", 1e9, None),
        ("nan", None, "nan"),
        ("181,07", None, "181,07"),
        ("about 5", None, "about"),
    ],
)
def test_a_precursor_that_is_no_number_keeps_its_text(text: str, precursor_mz: float | None, kept: str | None):
    spectrum = built(PRECURSOR_MZ=text)
    assert (spectrum.precursor_mz, spectrum.metadata.get("precursor_mz")) == (precursor_mz, kept)


def test_pepmass_may_carry_intensity_and_charge():
    spectrum = built(PEPMASS="500.5 1234 2+")
    assert (spectrum.precursor_mz, spectrum.charge, spectrum.metadata["precursor_intensity"]) == (500.5, 2, "1234")
    assert built(PEPMASS="500.5 1234 2+", CHARGE="3+").charge == 3


@pytest.mark.parametrize(
    ("raw", "charge"),
    [
        ({"charge": "1+"}, 1),
        ({"charge": "+1"}, 1),
        ({"charge": "1"}, 1),
        ({"charge": "1-"}, -1),
        ({"charge": "-1"}, -1),
        ({"charge": "2.0"}, 2),
        ({"charge": "+"}, 1),
        ({"charge": "--"}, -2),
        ({"charge": "0"}, None),
        ({"charge": "0+"}, None),
        ({"charge": "1", "ionmode": "Negative"}, -1),
        ({"charge": "1", "adduct": "[M-H]-"}, -1),
        ({"charge": "1+", "ionmode": "Negative"}, 1),
    ],
)
def test_charges_are_signed(raw: dict[str, str], charge: int | None):
    spectrum = built(**raw)
    assert spectrum.charge == charge
    assert "charge" not in spectrum.metadata


@pytest.mark.parametrize("text", ["2+ and 3+", "+1-", "many"])
def test_a_charge_that_is_none_keeps_its_text(text: str):
    spectrum = built(charge=text)
    assert (spectrum.charge, spectrum.metadata["charge"]) == (None, text)


@pytest.mark.parametrize(
    ("raw", "name", "kept"),
    [
        ({"adduct": "[M+H]+"}, "[M+H]+", None),
        ({"precursor_type": "M+H"}, "[M+H]+", "M+H"),
        ({"adduct": "M", "ionmode": "positive"}, "[M]+", "M"),
        ({"adduct": "[M-CH3]", "ionmode": "n"}, "[M-CH3]-", "[M-CH3]"),
        ({"adduct": "M"}, None, "M"),
        ({"adduct": "[M+H]2+"}, None, "[M+H]2+"),
        ({"adduct": "N/A"}, None, None),
        ({"adduct": "unknown"}, None, None),
    ],
)
def test_an_adduct_in_another_spelling_keeps_its_text(raw: dict[str, str], name: str | None, kept: str | None):
    spectrum = built(**raw)
    assert (spectrum.adduct and spectrum.adduct.name, spectrum.metadata.get("adduct")) == (name, kept)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"INCHI": "1S/H2O/h1H2"}, {"inchi": "InChI=1S/H2O/h1H2"}),
        ({"INCHI": '"InChI=1S/H2O/h1H2"'}, {"inchi": "InChI=1S/H2O/h1H2"}),
        ({"SMILES": "InChI=1S/H2O/h1H2"}, {"inchi": "InChI=1S/H2O/h1H2"}),
        ({"SMILES": " ", "INCHI": "N/A", "FORMULA": "None", "NAME": "nan"}, {}),
        ({"SMILES": "N/A N/A"}, {}),
        ({"InChIKey": "inchikey=XLYOFNOQVPJJNP-UHFFFAOYSA-N"}, {"inchikey": "XLYOFNOQVPJJNP-UHFFFAOYSA-N"}),
        ({"InChIKey": "SVRNCBGWUMMBQB-UHFFFAOYNA"}, {"inchikey": "SVRNCBGWUMMBQB-UHFFFAOYNA"}),
        ({"InChIKey": "SVRNCB-1"}, {"malformed_inchikey": "SVRNCB-1"}),
        ({"Spectrum_type": "MS2"}, {"ms_level": "2"}),
        ({"MS_TYPE": "MS"}, {"ms_level": "1"}),
        ({"MS_TYPE": "MSn"}, {"ms_level": "MSn"}),
        ({"IONMODE": "P"}, {"ionmode": "positive"}),
        ({"Num Peaks": "5"}, {}),
        ({"Foo": "bar"}, {"foo": "bar"}),
        ({"Precursor_type": "N/A", "ADDUCT": "oops"}, {"adduct": "oops"}),
        ({"NAME": "one", "compoundname": "two"}, {"compound_name": "one", "compoundname": "two"}),
    ],
)
def test_values_are_harmonised(raw: dict[str, str], expected: dict[str, str]):
    assert dict(built(**raw).metadata) == expected


def test_a_normalised_collision_energy_is_kept_apart():
    spectrum = built(PEPMASS="250", ADDUCT="[M+2H]2+", COLLISION_ENERGY="30 % (nominal)")
    assert spectrum.collision_energy == pytest.approx(13.5)
    assert spectrum.metadata["normalised_collision_energy"] == "30"
    assert spectrum.metadata["collision_energy"] == "30 % (nominal)"


@pytest.mark.parametrize(
    ("raw", "identifier"),
    [
        ({"spectrum_id": "CCMSLIB1", "scans": "5"}, "CCMSLIB1"),
        ({"ACCESSION": "MSBNK-1"}, "MSBNK-1"),
        ({"FEATURE_ID": "7", "SCANS": "5", "TITLE": "t"}, "t"),
        ({"FEATURE_ID": "7", "SCANS": "5"}, "7"),
        ({"SCANS": "-1", "TITLE": "t", "NAME": "n"}, "t"),
        ({"NAME": "n"}, "n"),
        ({}, "9"),
    ],
)
def test_the_identifier_is_the_best_that_the_record_has(raw: dict[str, str], identifier: str):
    assert built(**raw).identifier == identifier


def test_an_identifier_of_its_own_leaves_the_metadata():
    spectrum = built(identifier="MassSpecGymID1")
    assert (spectrum.identifier, dict(spectrum.metadata)) == ("MassSpecGymID1", {})


def test_peaks_of_two_lengths_are_placed():
    with pytest.raises(ReadError, match=r"a\.mgf, line 3, spectrum '9': .*1 m/z values against 2 intensities"):
        built(intensity=(1.0, 2.0))
    with pytest.raises(ReadError, match=r"^a\.json, spectrum '1'"):
        build_spectrum({}, [1.0], [], path=Path("a.json"), line=0, ordinal=1)


@pytest.mark.parametrize(
    ("text", "decimals"),
    [("480", "0"), ("480.", "0"), ("480.0 1000", "1"), ("480.000", "3"), ("480.0000", None), ("4.8e2", None)],
)
def test_few_decimals_of_the_precursor_are_noted(text: str, decimals: str | None):
    spectrum = built(pepmass=text)
    assert (spectrum.precursor_mz, spectrum.metadata.get("precursor_mz_decimals")) == (480.0, decimals)


def test_decimals_of_a_float_as_text_say_nothing():
    raw = {"precursor_mz": "480.0"}
    read = build_spectrum(raw, [100.0], [1.0], path=Path("a.mzML"), line=0, ordinal=1, states_decimals=False)
    assert "precursor_mz_decimals" not in read.metadata
