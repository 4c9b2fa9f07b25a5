import lzma
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from diptych.annotation import cache_folder, shipped, shipped_example, shipped_library
from diptych.errors import LibraryError, OutputError, ReadError


class AtomCounts:
    def __call__(self, mols: Sequence) -> np.ndarray:
        return np.array([[mol.GetNumAtoms(), 1.0] for mol in mols], dtype=np.float32)


class Model:
    name = "counts"
    digest = "c" * 64
    embedding_dim = 2
    structure_encoder = SimpleNamespace(featuriser=AtomCounts())

    def encode_structure_features(self, features: np.ndarray) -> np.ndarray:
        return features / np.linalg.norm(features, axis=1, keepdims=True)


@pytest.fixture
def structures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "structures.tsv.xz"
    with lzma.open(path, "wt") as stream:
        stream.write("smiles\tsource\tlicence\nCCO\ta\tCC0\nCCN\ta\tCC0\nCCC=O\ta\tCC0\n")
    monkeypatch.setattr(shipped, "_STRUCTURES", path)
    monkeypatch.setenv("DIPTYCH_CACHE", str(tmp_path / "cache"))
    return path


def test_the_library_is_made_once_and_then_taken_from_the_cache(structures: Path, tmp_path: Path):
    calls: list[tuple[int, int | None]] = []
    library = shipped_library(Model(), progress=lambda done, total: calls.append((done, total)))
    assert len(library) == 3
    assert calls[-1] == (3, 3)
    again = shipped_library(Model(), progress=lambda done, total: calls.append((-1, None)))
    assert again.folder == library.folder
    assert (-1, None) not in calls
    assert [path.name for path in (tmp_path / "cache" / "libraries").iterdir()] == [library.folder.name]


def test_a_damaged_library_is_made_again(structures: Path):
    folder = shipped_library(Model()).folder
    (folder / "embeddings.npy").write_bytes(b"cut")
    assert len(shipped_library(Model())) == 3


def test_another_model_gets_a_library_of_its_own(structures: Path):
    other = Model()
    other.digest = "e" * 64
    assert shipped_library(Model()).folder != shipped_library(other).folder


def test_of_two_processes_that_make_it_at_once_the_first_one_stays(structures: Path, monkeypatch: pytest.MonkeyPatch):
    build = shipped.build_library

    def build_while_another_finishes(source: Path, folder: Path, **settings) -> None:
        build(source, folder, **settings)
        final = folder.parent.parent / folder.parent.name.removeprefix(".").rpartition(".")[0]
        build(source, final, **settings)
        (final / "first").touch()

    monkeypatch.setattr(shipped, "build_library", build_while_another_finishes)
    assert (shipped_library(Model()).folder / "first").exists()


def test_an_interrupted_build_leaves_nothing_behind(structures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def interrupted(done: int, total: int | None) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shipped_library(Model(), progress=interrupted)
    assert list((tmp_path / "cache" / "libraries").iterdir()) == []


def test_what_a_killed_process_left_is_removed_once_it_is_old(structures: Path):
    folder = shipped_library(Model()).folder
    old, recent = (folder.with_name(f".{folder.name}.{number}") for number in (1, 2))
    old.mkdir()
    recent.mkdir()
    os.utime(old, (0, 0))
    (folder / "embeddings.npy").unlink()
    shipped_library(Model())
    assert (old.exists(), recent.exists()) == (False, True)


def test_a_cache_that_cannot_be_written_names_the_way_out(
    structures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DIPTYCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(OutputError, match="DIPTYCH_CACHE names another cache folder"):
        shipped_library(Model())


def test_a_package_without_its_files_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shipped, "_STRUCTURES", tmp_path / "none")
    monkeypatch.setattr(shipped, "_EXAMPLE", tmp_path / "none")
    with pytest.raises(LibraryError, match="the shipped structures are missing"):
        shipped_library(Model())
    with pytest.raises(ReadError, match="the example spectra are missing"):
        shipped_example()


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {"DIPTYCH_CACHE": "/a"}, "/a"),
        ("linux", {"XDG_CACHE_HOME": "/x"}, "/x/diptych"),
        ("linux", {"HOME": "/h"}, "/h/.cache/diptych"),
        ("darwin", {"HOME": "/h"}, "/h/Library/Caches/diptych"),
        ("win32", {"LOCALAPPDATA": "/l"}, "/l/diptych/cache"),
    ],
)
def test_the_cache_stands_where_the_platform_keeps_caches(
    platform: str, variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
):
    for name in ("DIPTYCH_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert cache_folder() == Path(expected)
