import os
import subprocess
import sys
from pathlib import Path

import pytest

RUN = "from diptych.cli.main import run; run()"


def diptych(*arguments: str | Path, cwd: Path, code: str = RUN) -> subprocess.CompletedProcess[str]:
    source = Path(__file__).parents[2] / "src"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def written(folder: Path, text: str) -> Path:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_help_names_the_options(tmp_path: Path):
    result = diptych("train", "--help", cwd=tmp_path)
    assert result.returncode == 0
    assert all(option in result.stdout for option in ("--set", "--resume", "--output"))


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        ("[training]\nepoch = 3\n", [], "unknown key 'epoch' in section [training]; did you mean 'epochs'?"),
        ("", ["--set", "training.epochs=many"], "training.epochs must be a whole number, got 'many'"),
        ("[training\n", [], "is not TOML"),
        ("[data]\ndataset = 'none.parquet'\nfold_column = 'fold_scaffold'\n", [], "none.parquet: cannot be read"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_1(tmp_path: Path, text: str, arguments: list[str], message: str):
    result = diptych("train", written(tmp_path, text), "-o", "runs/x", *arguments, cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.startswith("diptych: ")
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_without_the_extra_the_command_says_what_to_install(tmp_path: Path):
    code = "import sys; sys.modules['lightning'] = None; from diptych.cli.main import run; run()"
    result = diptych("train", written(tmp_path, ""), "-o", "runs/x", cwd=tmp_path, code=code)
    assert result.returncode == 1
    assert result.stderr == "diptych: training needs the package lightning: pip install 'diptych[train]'\n"


def test_a_missing_run_folder_is_wrong_usage(tmp_path: Path):
    assert diptych("train", written(tmp_path, ""), cwd=tmp_path).returncode == 2
