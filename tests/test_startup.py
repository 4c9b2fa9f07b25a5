import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = {"torch", "lightning", "matchms", "matplotlib", "numba", "pandas", "pyarrow", "rdkit", "scipy"}

COMMAND_LINE = """
import sys
from diptych.cli.main import run
sys.argv = {arguments!r}
try:
    run()
except SystemExit as stop:
    assert not stop.code, stop.code
"""
REPORT = "import sys\nsys.stderr.write(' '.join(sys.modules))"


def heavy_modules_after(code: str) -> set[str]:
    """Return which heavy libraries an interpreter has loaded after running the code."""
    answer = subprocess.run(
        [sys.executable, "-c", f"{code}\n{REPORT}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    return HEAVY.intersection(answer.stderr.split())


def test_importing_diptych_loads_nothing_heavy():
    assert heavy_modules_after("import diptych") == set()


@pytest.mark.parametrize("package", ["spectra", "ranking", "evaluation"])
def test_the_layers_without_a_network_load_no_torch(package: str):
    assert "torch" not in heavy_modules_after(f"import diptych.{package}")


def test_spectra_alone_need_neither_chemistry_nor_matchms():
    assert heavy_modules_after("import diptych; diptych.read_spectra; diptych.Adduct.parse('[M+H]+')") == set()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["annotate", "--help"],
        ["dataset", "--help"],
        ["evaluate", "--help"],
        ["library", "--help"],
        ["presets", "list"],
        ["pretrain", "graph", "--help"],
        ["pretrain", "smiles", "--help"],
        ["train", "--help"],
    ],
    ids=" ".join,
)
def test_help_loads_nothing_heavy(arguments: list[str]):
    assert heavy_modules_after(COMMAND_LINE.format(arguments=["diptych", *arguments])) == set()


def test_a_heavy_library_is_found_where_there_is_one():
    assert heavy_modules_after("import scipy") == {"scipy"}
