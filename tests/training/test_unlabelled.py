from pathlib import Path

import pytest

from diptych.errors import ConfigError, DatasetError, ReadError
from diptych.training import RunConfig
from diptych.training.unlabelled import read_unlabelled

MGF = """BEGIN IONS
TITLE=one
PEPMASS=200.0
50.0 1.0
END IONS

BEGIN IONS
TITLE=no peaks
PEPMASS=200.0
END IONS

BEGIN IONS
TITLE=two
PEPMASS=300.0
60.0 1.0
END IONS
"""


def read(path: str, *, wanted: int = 2) -> tuple[list[str], list[str]]:
    config = RunConfig.from_dict({"data": {"unlabelled": path}, "sampling": {"unlabelled": wanted}})
    lines: list[str] = []
    return [spectrum.identifier for spectrum in read_unlabelled(config, report=lines.append)], lines


def test_spectra_of_a_file_are_read_and_those_without_peaks_are_counted(tmp_path: Path):
    (tmp_path / "pool.mgf").write_text(MGF)
    names, lines = read(str(tmp_path / "pool.mgf"))
    assert names == ["one", "two"]
    assert lines == ["2 spectra without structures (1 more have no peaks, 0 cannot be read)"]


def test_a_dataset_is_a_pool_too(amides: Path):
    names, _ = read(str(amides / "dataset.parquet"))
    assert len(names) == 546


def test_where_none_are_drawn_no_file_is_read():
    assert read("/none.mgf", wanted=0) == ([], [])


def test_a_pool_that_is_missing_or_too_small_is_named(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"sampling\.unlabelled is 2, but data\.unlabelled names no file"):
        read("")
    with pytest.raises(ReadError, match=r"none\.mgf"):
        read("/none.mgf")
    (tmp_path / "pool.mgf").write_text(MGF)
    with pytest.raises(
        DatasetError, match=r"pool\.mgf: 2 spectra with peaks; expected at least sampling\.unlabelled = 3"
    ):
        read(str(tmp_path / "pool.mgf"), wanted=3)
