import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "tests" / "fixtures" / "massbank" / "sample.tar.xz"


def diptych(*arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    program = "from diptych.cli.main import run; run()"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("dataset")
    done = diptych("dataset", "build", SAMPLE, "-o", "made.parquet", "--workers", 1, folder=folder)
    assert done.returncode == 0, done.stderr
    return folder / "made.parquet", done.stdout


def test_build_prints_what_was_kept_and_why_the_rest_was_not(built: tuple[Path, str]):
    path, output = built
    assert path.exists()
    assert path.with_suffix(".build.json").exists()
    for text in ("kept", "all records", "not MS2", "no structure", "precursor disagrees with structure", "[M+Na]+"):
        assert text in output


def test_build_from_a_damaged_archive_keeps_what_came_before_and_says_so(tmp_path: Path):
    (tmp_path / "cut.tar.xz").write_bytes(SAMPLE.read_bytes()[:20_000])
    done = diptych("dataset", "build", "cut.tar.xz", "-o", "made.parquet", "--workers", 1, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "not read: cut.tar.xz: the archive is damaged or cut short" in done.stderr
    assert (tmp_path / "made.parquet").exists()


def test_split_prints_the_ladder_and_info_what_the_file_holds(built: tuple[Path, str], tmp_path: Path):
    path, _ = built
    folds = tmp_path / "folds.tsv"
    folds.write_text("inchikey_first_block\tfold\nRYYVLZVUVIJVGH\ttest\n", encoding="utf-8")
    done = diptych("dataset", "split", path, "-o", "split.parquet", "--massspecgym-folds", folds, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    for text in ("random", "molecule", "scaffold", "similarity", "massspecgym", "left out", "licence"):
        assert text in done.stdout
    done = diptych("dataset", "info", "split.parquet", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "splits: random, molecule, scaffold, similarity, massspecgym" in done.stdout
    assert "digest " in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("build", "missing.mgf", "-o", "made.parquet"), 1, "missing.mgf"),
        (("split", "missing.parquet"), 1, "missing.parquet: cannot be read as a dataset"),
        (("info", "missing.parquet"), 1, "missing.parquet: cannot be read as a dataset"),
        (("split", "missing.parquet", "--structures", "some.tsv"), 2, "give --massspecgym-folds too"),
        (("split", "missing.parquet", "--train", "0.5"), 1, "expected three parts of 1"),
        (("build",), 2, "Missing argument"),
    ],
)
def test_bad_input_is_one_line_and_an_exit_code(tmp_path: Path, arguments: tuple[str, ...], code: int, message: str):
    done = diptych("dataset", *arguments, folder=tmp_path)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
