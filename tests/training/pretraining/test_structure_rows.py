import zlib
from pathlib import Path

import pytest

from diptych.errors import DatasetError, TrainingError
from diptych.molecules import Structure, murcko_scaffold
from diptych.training.pretraining.structure_rows import read_pretraining_rows

RINGS = [
    "c1ccccc1",
    "c1ccncc1",
    "C1CCCCC1",
    "c1ccsc1",
    "c1ccoc1",
    "C1CCNCC1",
    "c1cncnc1",
    "C1CC1",
    "C1CCOC1",
    "c1c[nH]cc1",
]
SMILES = [f"{chain}{ring}" for ring in RINGS for chain in ("C", "CC", "CCC", "OCC")] + ["CCO", "CCCN", "not one"]


def table(path: Path) -> Path:
    rows = [f"{number:014d}\t{smiles}" for number, smiles in enumerate(SMILES)]
    path.write_text("\n".join(["inchikey_first_block\tsmiles", *rows]) + "\n")
    return path


def scaffolds(smiles: list[str]) -> set[str]:
    return {murcko_scaffold(Structure.from_smiles(text)) for text in smiles}


def test_scaffolds_are_held_out_by_their_checksum_and_shared_by_none(tmp_path: Path):
    rows = read_pretraining_rows(table(tmp_path / "t.tsv"), held_out=0.4)
    assert scaffolds(rows.train).isdisjoint(scaffolds(rows.held_out))
    assert all(zlib.crc32(scaffold.encode()) < 0.4 * 2**32 for scaffold in scaffolds(rows.held_out))
    assert {"CCO", "CCCN"} <= set(rows.train)
    assert len(rows.train) + len(rows.held_out) == len(SMILES) - 1
    assert rows.n_failed == 1


def test_what_is_held_out_does_not_depend_on_the_draw(tmp_path: Path):
    path = table(tmp_path / "t.tsv")
    every = read_pretraining_rows(path, held_out=0.4)
    some = read_pretraining_rows(path, held_out=0.4, limit=20, seed=5)
    assert set(some.held_out) <= set(every.held_out)
    assert len(some.train) + len(some.held_out) + some.n_failed == 20
    assert some == read_pretraining_rows(path, held_out=0.4, limit=20, seed=5)
    assert some.digest != read_pretraining_rows(path, held_out=0.4, limit=20, seed=6).digest


def test_excluded_molecules_and_long_ones_are_left_out(tmp_path: Path):
    path = table(tmp_path / "t.tsv")
    rows = read_pretraining_rows(path, held_out=0.4, exclude={f"{SMILES.index('Cc1ccccc1'):014d}"}, max_length=9)
    kept = {*rows.train, *rows.held_out}
    assert "Cc1ccccc1" not in kept
    assert "Cc1ccncc1" in kept
    assert max(map(len, kept)) <= 9


def test_progress_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("diptych.training.pretraining.structure_rows._ROWS_PER_REPORT", 20)
    lines: list[str] = []
    read_pretraining_rows(table(tmp_path / "t.tsv"), held_out=0.4, report=lines.append)
    assert lines == ["20 of 43 structures read", "40 of 43 structures read"]


def test_tables_that_will_not_do_are_refused(tmp_path: Path):
    with pytest.raises(
        TrainingError, match=r"42 structures to learn from, 0 held out by scaffold; expected some of both"
    ):
        read_pretraining_rows(table(tmp_path / "t.tsv"), held_out=1e-9)
    with pytest.raises(DatasetError, match="cannot be read"):
        read_pretraining_rows(tmp_path / "absent.tsv")
    (tmp_path / "bare.tsv").write_text("smiles\nCCO\n")
    with pytest.raises(DatasetError, match="no column inchikey_first_block"):
        read_pretraining_rows(tmp_path / "bare.tsv", exclude={"A"})
