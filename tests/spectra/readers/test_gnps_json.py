import json
from pathlib import Path

import pytest

from diptych.errors import ReadError
from diptych.spectra import Spectrum, read_spectra

RECORD = {
    "spectrum_id": "CCMSLIB00000001547",
    "Compound_Name": "3-Des-Microcystein_LR",
    "Ion_Source": "LC-ESI",
    "Instrument": "qTof",
    "Adduct": "M+H",
    "Precursor_MZ": "981.54",
    "Charge": "0",
    "Ion_Mode": "Positive",
    "Smiles": "CC",
    "INCHI": "N/A",
    "ms_level": "2",
    "peaks_json": "[[289.286377,8068.0],[295.545288,22507.0]]",
    "annotation_history": [{"user_id": "x"}],
    "n": 5,
    "nothing": None,
}


def read(tmp_path: Path, text: str, *, n_problems: int = 0) -> tuple[list[Spectrum], list[str]]:
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8")
    problems: list[ReadError] = []
    spectra = list(read_spectra(path, on_problem=problems.append))
    assert len(problems) == n_problems
    return spectra, [str(problem) for problem in problems]


@pytest.mark.parametrize("layout", ["array", "object", "lines"])
def test_a_library_is_read(tmp_path: Path, layout: str):
    text = {
        "array": json.dumps([RECORD, RECORD], indent=1),
        "object": json.dumps(RECORD),
        "lines": f"{json.dumps(RECORD)}\n{json.dumps(RECORD)}\n",
    }[layout]
    spectra, _ = read(tmp_path, text)
    assert len(spectra) == (1 if layout == "object" else 2)
    spectrum = spectra[0]
    assert (spectrum.identifier, spectrum.precursor_mz, spectrum.charge) == ("CCMSLIB00000001547", 981.54, None)
    assert (spectrum.adduct.name, spectrum.polarity) == ("[M+H]+", "positive")
    assert spectrum.mz.tolist() == [289.286377, 295.545288]
    assert spectrum.metadata["compound_name"] == "3-Des-Microcystein_LR"
    assert spectrum.metadata["annotation_history"] == '[{"user_id": "x"}]'
    assert spectrum.metadata["n"] == "5"
    assert not {"inchi", "nothing", "peaks_json"}.intersection(spectrum.metadata)


def test_peaks_may_be_an_array(tmp_path: Path):
    (spectrum,), _ = read(tmp_path, json.dumps([{"peaks": [[1, 2, 0], [3, 4, 0]], "scans": 7}]))
    assert (spectrum.mz.tolist(), spectrum.intensity.tolist(), spectrum.identifier) == ([1, 3], [2, 4], "7")


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"scans": 1}, "record 2: no peaks in it; expected one of peaks_json, peaks"),
        ({"peaks_json": "[[1,2"}, r"record 2: its peaks read '\[\[1,2'; expected"),
        ({"peaks_json": "5"}, "record 2: its peaks read '5'; expected"),
        ({"peaks": [[1], [2]]}, r"record 2: its peaks read .*; expected \[\[m/z, intensity\], ...\]"),
        ({"peaks": [["a", 2]]}, "record 2: its peaks read"),
        (5, "record 2: int found; expected an object with peaks_json or peaks"),
    ],
)
def test_a_bad_object_is_reported_and_the_next_one_read(tmp_path: Path, record: object, message: str):
    spectra, problems = read(tmp_path, json.dumps([RECORD, record, RECORD]), n_problems=1)
    assert len(spectra) == 2
    with pytest.raises(ReadError, match=message):
        raise ReadError(problems[0])


def test_a_truncated_file_gives_what_came_before(tmp_path: Path):
    spectra, problems = read(tmp_path, json.dumps([RECORD, RECORD])[:-40], n_problems=1)
    assert len(spectra) == 1
    assert "damaged or cut short" in problems[0]
    assert "expected JSON to its end" in problems[0]
