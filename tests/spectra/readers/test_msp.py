from pathlib import Path

import pytest

from diptych.errors import ReadError
from diptych.spectra import Spectrum, read_spectra

FIXTURE = Path(__file__).parents[2] / "fixtures" / "spectra" / "cbio_excerpt.msp"

NIST = """Name: Caffeine
Precursor_type: [M+H]+
Spectrum_type: MS2
PrecursorMZ: 195.0877
Instrument_type: HCD
Collision_energy: NCE=35% 33eV
Ion_mode: P
InChIKey: RYYVLZVUVIJVGH-UHFFFAOYSA-N
Synon: 1,3,7-Trimethylxanthine
Synon: Guaranine
Comments: Consensus Nreps=4/5 Mz_diff=0.2ppm
Num Peaks: 4
110.0713 20 "p-C3H;x/1.1ppm 4/5"; 123.0427 30.5 "?";
138.0662 999 "p-C2H3NO"
195.0877 100

"""
MONA = """Name: Caffeine
Synon: $:00in-source
DB#: MoNA000001
InChIKey: RYYVLZVUVIJVGH-UHFFFAOYSA-N
Precursor_type: [M+H]+
Spectrum_type: MS2
PrecursorMZ: 195.0877
Instrument_type: LC-ESI-QTOF
Collision_energy: 20 eV
Ion_mode: P
Formula: C8H10N4O2
Comments: "SMILES=CN1C=NC2=C1C(=O)N(C)C(=O)N2C" "InChI=InChI=1S/C8H10N4O2" "author=A. B." "exact mass=194.0804"
Num Peaks: 2
110.071300 20.000000
138.066200 100.000000
"""
RIKEN = (
    "NAME: Caffeine\nPRECURSORMZ: 195.0877\nPRECURSORTYPE: [M-H]-\nIONMODE: Negative\nRETENTIONTIME: 5.3\n"
    "SMILES: CN1C=NC2=C1C(=O)N(C)C(=O)N2C\nINSTRUMENTTYPE: LC-ESI-QTOF\nNum Peaks: 2\n110.0713\t20\n138.0662\t100\n"
    "NAME: next without an empty line\nPRECURSORMZ: 200\nNum Peaks: 0\n\n"
)
GOLM = (
    "Name: Alanine\nSynon: METB InChI: InChI=1S/C3H7NO2\nSynon: RI: 1100.5\nMW:89\nNum Peaks: 4\n"
    "85:7 86:9 \n87:1 88:2 \n"
)


def read(tmp_path: Path, text: str, *, n_problems: int = 0) -> tuple[list[Spectrum], list[str]]:
    path = tmp_path / "a.msp"
    path.write_text(text, encoding="utf-8")
    problems: list[ReadError] = []
    spectra = list(read_spectra(path, on_problem=problems.append))
    assert len(problems) == n_problems
    return spectra, [str(problem) for problem in problems]


def test_the_dialect_of_nist_is_read(tmp_path: Path):
    (spectrum,), _ = read(tmp_path, NIST)
    assert spectrum.mz.tolist() == [110.0713, 123.0427, 138.0662, 195.0877]
    assert spectrum.intensity.tolist() == [20, 30.5, 999, 100]
    assert (spectrum.precursor_mz, spectrum.adduct.name, spectrum.instrument_type) == (195.0877, "[M+H]+", "HCD")
    assert spectrum.collision_energy == 33
    assert spectrum.metadata["normalised_collision_energy"] == "35"
    assert spectrum.metadata["synonyms"] == "1,3,7-Trimethylxanthine; Guaranine"
    assert spectrum.metadata["comment"] == "Consensus Nreps=4/5 Mz_diff=0.2ppm"
    assert spectrum.metadata["nreps"] == "4/5"
    assert (spectrum.metadata["ms_level"], spectrum.polarity, spectrum.identifier) == ("2", "positive", "Caffeine")


def test_the_dialect_of_mona_is_read(tmp_path: Path):
    (spectrum,), _ = read(tmp_path, MONA)
    assert spectrum.identifier == "MoNA000001"
    assert spectrum.metadata["smiles"] == "CN1C=NC2=C1C(=O)N(C)C(=O)N2C"
    assert spectrum.metadata["inchi"] == "InChI=1S/C8H10N4O2"
    assert spectrum.metadata["author"] == "A. B."
    assert spectrum.metadata["parent_mass"] == "194.0804"
    assert "comment" not in spectrum.metadata
    assert spectrum.n_peaks == 2


def test_the_dialect_of_riken_is_read(tmp_path: Path):
    (first, second), _ = read(tmp_path, RIKEN)
    assert (first.adduct.name, first.polarity, first.n_peaks) == ("[M-H]-", "negative", 2)
    assert first.metadata["retention_time"] == "5.3"
    assert (second.identifier, second.n_peaks) == ("next without an empty line", 0)


def test_the_dialect_of_golm_is_read(tmp_path: Path):
    (spectrum,), _ = read(tmp_path, GOLM)
    assert spectrum.mz.tolist() == [85, 86, 87, 88]
    assert spectrum.intensity.tolist() == [7, 9, 1, 2]
    assert (spectrum.metadata["inchi"], spectrum.metadata["retention_index"]) == ("InChI=1S/C3H7NO2", "1100.5")


def test_the_dialect_of_one_laboratory_is_read():
    spectra = list(read_spectra(FIXTURE))
    assert [spectrum.metadata["ms_level"] for spectrum in spectra] == ["1", "2", "2", "2", "2", "2", "2"]
    assert [spectrum.n_peaks for spectrum in spectra] == [3, 7, 2, 17, 12, 2, 43]
    assert [spectrum.polarity for spectrum in spectra[:5]] == ["positive"] * 3 + ["negative"] * 2
    assert spectra[1].identifier == "Phenanzine-1-carboxamide#2"
    assert spectra[1].metadata["inchi"].startswith("InChI=1S/C13H9N3O/")
    assert spectra[2].metadata["inchi"].startswith("InChI=1/C12H8N2O/")
    assert (spectra[1].collision_energy, spectra[1].instrument_type) == (24.6531, "ESI-TOF")
    assert spectra[1].metadata["contributor"] == "CBIO"


def test_empty_lines_inside_of_a_record_are_allowed(tmp_path: Path):
    (spectrum,), _ = read(tmp_path, "Name: a\n\nPrecursorMZ: 100\nNum Peaks: 2\n\n50 1\n\n60 2\n")
    assert spectrum.mz.tolist() == [50, 60]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ("Name: bad\nNum Peaks: 3\n1 2\n3 4\n", "cut short: 2 peaks; expected 3 as 'Num Peaks' says"),
        ("Name: bad\nPrecursorMZ: 5\n", "it ends without 'Num Peaks: n'"),
        ("Name: bad\nNum Peaks: many\n1 2\n", "it ends without 'Num Peaks: n'"),
        ("Name: bad\nNum Peaks: 1\n1 x\n", "peak 1 of 1 reads '1 x'; expected 'm/z intensity'"),
    ],
)
def test_a_bad_record_is_reported_and_the_next_one_read(tmp_path: Path, record: str, message: str):
    spectra, problems = read(tmp_path, NIST + record + NIST, n_problems=1)
    assert len(spectra) == 2
    assert problems[0].endswith(f"a.msp, line 17, spectrum 'bad': {message}")


def test_a_truncated_file_gives_what_came_before(tmp_path: Path):
    spectra, problems = read(tmp_path, NIST + NIST[: NIST.index("138")], n_problems=1)
    assert len(spectra) == 1
    assert "line 17, spectrum 'Caffeine': cut short: 2 peaks; expected 4" in problems[0]
