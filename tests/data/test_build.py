import json
from pathlib import Path

import pytest

from diptych.data.build import BuildSettings, build_dataset, standardise_texts
from diptych.data.dataset import read_dataset
from diptych.data.screening import MassTolerance
from diptych.errors import DatasetError, OutputError

SAMPLE = Path(__file__).parents[1] / "fixtures" / "massbank" / "sample.tar.xz"

RECORD = """ACCESSION: MSBNK-Lab-SL{number:06d}
LICENSE: CC0
CH$NAME: Caffeine
CH$SMILES: CN1C=NC2=C1C(=O)N(C(=O)N2C)C
AC$INSTRUMENT_TYPE: LC-ESI-QFT
AC$MASS_SPECTROMETRY: MS_TYPE MS2
AC$MASS_SPECTROMETRY: ION_MODE POSITIVE
AC$MASS_SPECTROMETRY: COLLISION_ENERGY {energy} eV
MS$FOCUSED_ION: PRECURSOR_M/Z 195.0877
MS$FOCUSED_ION: PRECURSOR_TYPE [M+H]+
PK$NUM_PEAK: 1
PK$PEAK: m/z int. rel.int.
  138.0662 1000 999
//
"""


def records(*changes: tuple[str, str]) -> str:
    return "".join(RECORD.format(number=i, energy=i).replace(old, new) for i, (old, new) in enumerate(changes))


def build(folder: Path, text: str, **settings: object):
    source = folder / "records.txt"
    source.write_text(text, encoding="utf-8")
    return build_dataset(source, folder / "made.parquet", settings=BuildSettings(format="massbank", **settings))


def test_real_records_are_kept_or_left_out_for_a_reason(tmp_path: Path):
    output = tmp_path / "sample.parquet"
    progress: list[int] = []
    report = build_dataset(SAMPLE, output, on_progress=progress.append)
    dataset = read_dataset(output)
    assert report.records == 57
    assert report.kept + sum(report.excluded.values()) == 57
    assert len(dataset) == report.kept > 40
    assert {one.spectrum.polarity for one in dataset} == {"positive", "negative"}
    assert len(report.kept_by["adduct"]) >= 10
    assert {one.licence for one in dataset} == {"CC BY", "CC BY-SA"}
    assert {one.source for one in dataset} == {"sample.tar.xz"}
    assert progress[-1] == 57
    for one in dataset:
        computed = one.spectrum.adduct.mz(one.structure.neutral_mass)
        assert abs(one.spectrum.precursor_mz - computed) <= 0.02


def test_worker_processes_change_nothing(tmp_path: Path):
    paths = [tmp_path / f"{workers}.parquet" for workers in (1, 2)]
    for workers, path in enumerate(paths, start=1):
        build_dataset(SAMPLE, path, settings=BuildSettings(workers=workers))
    assert read_dataset(paths[0]).digest == read_dataset(paths[1]).digest


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("LICENSE: CC0", "DEPRECATED: 2020.01.01 wrong", "record withdrawn by its author"),
        ("MS_TYPE MS2", "MS_TYPE MS", "not MS2"),
        ("MS_TYPE MS2", "MS_TYPE MS3", "not MS2"),
        ("PK$NUM_PEAK: 1", "PK$NUM_PEAK: one", None),
        ("  138.0662 1000 999\n", "", "no peaks"),
        ("  138.0662 1000 999\n", "  138.0662 0 0\n", "no peaks"),
        ("CH$SMILES: CN1C=NC2=C1C(=O)N(C(=O)N2C)C", "CH$SMILES: N/A", "no structure"),
        ("CN1C=NC2=C1C(=O)N(C(=O)N2C)C", "C1CC", "structure cannot be parsed"),
        ("MS$FOCUSED_ION: PRECURSOR_M/Z 195.0877\n", "", "no precursor m/z"),
        ("MS$FOCUSED_ION: PRECURSOR_TYPE [M+H]+\n", "", "no adduct"),
        ("[M+H]+", "[M+Unobtainium]+", "unknown adduct"),
        ("195.0877", "195", "precursor m/z rounded too coarsely to check"),
        ("195.0877", "195.1377", "precursor disagrees with structure"),
        ("195.0877", "195.1075", None),
        ("[M+H]+", "[M+Na]+", "precursor disagrees with structure"),
        ("  138.0662 1000 999", "  138.0662 nothing 999", "record cannot be read"),
    ],
)
def test_each_reason_is_counted(tmp_path: Path, old: str, new: str, reason: str | None):
    report = build(tmp_path, records(("", ""), (old, new)))
    assert report.records == 2
    assert dict(report.excluded) == ({reason: 1} if reason else {})
    assert report.kept == (1 if reason else 2)
    assert all(len(examples) == 1 for examples in report.examples.values())


def test_an_ion_mode_against_the_adduct_is_a_reason(tmp_path: Path):
    report = build(tmp_path, records(("", ""), ("POSITIVE", "NEGATIVE")))
    assert dict(report.excluded) == {"polarity contradicts adduct": 1}


def test_the_odd_adduct_of_a_permanent_cation_is_understood(tmp_path: Path):
    cyanidin = "Oc1cc(O)c2cc(O)c(-c3ccc(O)c(O)c3)[o+]c2c1"
    # C15H11O6+ without two protons: 287.0550 - 2 * 1.00728 = 285.0405.
    text = records(("195.0877", "285.0405"))
    text = text.replace("CN1C=NC2=C1C(=O)N(C(=O)N2C)C", cyanidin).replace("[M+H]+", "[M-2H]-")
    report = build(tmp_path, text.replace("POSITIVE", "NEGATIVE"))
    assert report.kept_by["adduct"] == {"[M-2H]-.": 1}


def test_exact_duplicates_are_kept_once_and_other_energies_stay(tmp_path: Path):
    same = RECORD.format(number=1, energy=20) + RECORD.format(number=2, energy=20)
    report = build(tmp_path, same + RECORD.format(number=3, energy=30))
    assert report.kept == 2
    assert dict(report.excluded) == {"exact duplicate": 1}


def test_the_inchi_stands_in_for_a_smiles_that_cannot_be_parsed(tmp_path: Path):
    inchi = "InChI=1S/C8H10N4O2/c1-10-4-9-6-5(10)7(13)12(3)8(14)11(6)2/h4H,1-3H3"
    text = records(("CH$SMILES: CN1C=NC2=C1C(=O)N(C(=O)N2C)C", f"CH$SMILES: C1CC\nCH$IUPAC: {inchi}"))
    assert build(tmp_path, text).kept == 1


def test_a_wider_tolerance_admits_coarse_precursors(tmp_path: Path):
    text = records(("", ""), ("195.0877", "195"))
    assert build(tmp_path, text, tolerance=MassTolerance(da=0.5)).kept == 2
    assert build(tmp_path, text, tolerance=MassTolerance(da=0.0, ppm=1000)).kept == 2


def test_the_report_is_written_beside_the_dataset(tmp_path: Path):
    report = build(tmp_path, records(("", ""), ("MS_TYPE MS2", "MS_TYPE MS")))
    written = json.loads((tmp_path / "made.build.json").read_text(encoding="utf-8"))
    assert written == json.loads(json.dumps(report.to_dict()))
    assert written["excluded"]["not MS2"] == 1
    assert written["excluded"]["no peaks"] == 0
    assert written["examples"]["not MS2"] == ["MSBNK-Lab-SL000001 1"]
    assert (written["kept"], written["molecules"]) == (1, 1)


def test_a_file_of_which_nothing_can_be_used_is_an_error_and_leaves_no_file(tmp_path: Path):
    with pytest.raises(DatasetError, match="none of 1 records can be used: 1 not MS2"):
        build(tmp_path, records(("MS_TYPE MS2", "MS_TYPE MS")))
    assert not (tmp_path / "made.parquet").exists()


def test_an_output_that_cannot_be_written_is_an_error(tmp_path: Path):
    (tmp_path / "made.parquet").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        build_dataset(SAMPLE, tmp_path / "made.parquet")


def test_texts_become_structures_or_reasons():
    caffeine, nothing, broken = standardise_texts([("CN1C=NC2=C1C(=O)N(C(=O)N2C)C", ""), ("", ""), ("C1CC", "")])
    assert caffeine.inchikey_first_block == "RYYVLZVUVIJVGH"
    assert nothing == "no SMILES and no InChI"
    assert "cannot be parsed" in broken
