from pathlib import Path

import numpy as np
import pytest

from diptych.errors import ReadError
from diptych.spectra import read_spectra

FIXTURE = Path(__file__).parents[2] / "fixtures" / "spectra" / "massspecgym_excerpt.tsv"
HEADER = (
    "identifier\tmzs\tintensities\tsmiles\tinchikey\tformula\tprecursor_formula\tparent_mass\tprecursor_mz\tadduct\t"
    "instrument_type\tcollision_energy\tfold\tsimulation_challenge"
)
ROW = (
    "MassSpecGymID0000001\t91.0542,125.0233\t0.24,1.0\tCC(=O)N\tDLFVBJFMPXGRIB\tC2H5NO\tC2H6NO\t59.037\t60.0444\t[M+H]+\t"
    "Orbitrap\t30.0\ttrain\tTrue"
)


def test_the_columns_of_the_benchmark_are_read(tmp_path: Path):
    (tmp_path / "a.tsv").write_text(f"{HEADER}\n{ROW}\n")
    (spectrum,) = read_spectra(tmp_path / "a.tsv")
    assert spectrum.mz.tolist() == [91.0542, 125.0233]
    assert (spectrum.identifier, spectrum.precursor_mz) == ("MassSpecGymID0000001", 60.0444)
    assert (spectrum.adduct.name, spectrum.collision_energy, spectrum.instrument_type) == ("[M+H]+", 30.0, "Orbitrap")
    assert spectrum.metadata["fold"] == "train"
    assert spectrum.metadata["inchikey"] == "DLFVBJFMPXGRIB"
    assert spectrum.metadata["simulation_challenge"] == "True"


def test_the_benchmark_as_mgf_says_the_same(tmp_path: Path):
    (tmp_path / "a.tsv").write_text(f"{HEADER}\n{ROW}\n")
    cells = dict(zip(HEADER.split("\t"), ROW.split("\t"), strict=True))
    peaks = zip(cells.pop("mzs").split(","), cells.pop("intensities").split(","), strict=True)
    lines = [f"{key.upper()}={value}" for key, value in cells.items()] + [" ".join(peak) for peak in peaks]
    (tmp_path / "a.mgf").write_text("\n".join(["BEGIN IONS", *lines, "END IONS", ""]))
    (table,), (mgf,) = read_spectra(tmp_path / "a.tsv"), read_spectra(tmp_path / "a.mgf")
    assert dict(table.metadata) == dict(mgf.metadata)
    assert (table.identifier, table.precursor_mz, table.adduct) == (mgf.identifier, mgf.precursor_mz, mgf.adduct)
    assert table.mz.tolist() == mgf.mz.tolist()


def test_a_real_excerpt_is_read():
    spectra = list(read_spectra(FIXTURE))
    assert [s.identifier for s in spectra] == ["MassSpecGymID0271110", "MassSpecGymID0002604", "MassSpecGymID0355423"]
    assert [s.n_peaks for s in spectra] == [2, 2, 3]
    assert [s.polarity for s in spectra] == ["positive"] * 3
    assert spectra[2].mz.tolist() == [436.272003, 454.283997, 455.286011]
    np.testing.assert_allclose(spectra[2].intensity / spectra[2].intensity.max(), [0.018, 1, 0.23], rtol=1e-6)
    assert [s.precursor_mz for s in spectra] == [376.25, 278.1055, 454.28]
    assert [s.metadata["fold"] for s in spectra] == ["train", "train", "val"]
    # The sample has no column of adducts, nor of structures.
    assert [s.adduct for s in spectra] == [None] * 3
    assert not any({"smiles", "inchi", "inchikey"} & s.metadata.keys() for s in spectra)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("MassSpecGymID1\t1,2", "line 3: 2 cells; expected 14 as the header has"),
        (ROW.replace("0.24,1.0", "0.24,x"), "line 3: column 'intensities': .*'x'; expected numbers parted by commas"),
        (ROW.replace("0.24,1.0", "0.24"), "line 3, spectrum 'MassSpecGymID0000001': .*2 m/z values against 1 intens"),
    ],
)
def test_a_bad_row_is_reported_and_the_next_one_read(tmp_path: Path, row: str, message: str):
    path = tmp_path / "a.tsv"
    path.write_text(f"{HEADER}\n{ROW}\n{row}\n\n{ROW}\n")
    problems: list[ReadError] = []
    assert [s.identifier for s in read_spectra(path, on_problem=problems.append)] == [
        "MassSpecGymID0000001",
        "MassSpecGymID0000001#2",
    ]
    with pytest.raises(ReadError, match=message):
        raise problems[0]


def test_columns_of_peaks_are_needed(tmp_path: Path):
    (tmp_path / "a.tsv").write_text("a\tb\n1\t2\n")
    with pytest.raises(ReadError, match="line 1: columns 'a, b'; expected mzs and intensities among them"):
        list(read_spectra(tmp_path / "a.tsv"))
