import os
import subprocess
import sys
import tomllib
from pathlib import Path


def diptych(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    source = Path(__file__).parents[2] / "src"
    return subprocess.run(
        [sys.executable, "-c", "from diptych.cli.main import run; run()", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1", "COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_the_list_names_every_preset_with_what_it_is(tmp_path: Path):
    result = diptych("presets", "list", cwd=tmp_path)
    assert result.returncode == 0
    assert "jestr" in result.stdout
    assert "shared table of fragment masses" in result.stdout


def test_show_prints_toml_that_can_be_saved_and_changed(tmp_path: Path):
    result = diptych("presets", "show", "fingerprint-ions", cwd=tmp_path)
    assert tomllib.loads(result.stdout)["model"]["ions"]["dim"] == 192


def test_an_unknown_preset_is_one_line(tmp_path: Path):
    for arguments in (["presets", "show", "jester"], ["train", "--preset", "jester", "-o", "runs/x"]):
        result = diptych(*arguments, cwd=tmp_path)
        assert result.returncode == 1
        assert result.stderr == "diptych: unknown preset 'jester'; did you mean 'jestr'?\n"


def test_neither_file_nor_preset_is_one_line(tmp_path: Path):
    result = diptych("train", "-o", "runs/x", cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr == "diptych: neither a configuration file nor a preset; expected one of them, or both\n"


def test_a_mistake_beside_a_preset_says_where_it_stands(tmp_path: Path):
    result = diptych("train", "--preset", "fingerprint-ions", "--set", "training.epoch=3", "-o", "runs/x", cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.startswith("diptych: preset fingerprint-ions: unknown key 'epoch' in section [training]")
