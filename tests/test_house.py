import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAX_FILE_BYTES = 20_000_000
MAX_MODULE_LINES = 350
MAX_FUNCTION_LINES = 60

PICKLING_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
PICKLING_CALLS = {"torch.load", "torch.save"}
# Each name is spelt in two halves, or this file would find itself.
REGISTRY_HOSTS = re.compile(
    "|".join(["py" r"pi\.org", "python" r"hosted\.org", "ana" r"conda\.org", "npm" r"js\.", "download\\.py" r"torch\."])
)


def tracked_files() -> list[Path]:
    """Return the files under version control; all source files where there is no repository, as in an archive."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode == 0 and listing.stdout:
        paths = [ROOT / name for name in listing.stdout.split("\0") if name]
    else:
        paths = [path for folder in ("src", "tests", "benchmarks", "docs") for path in (ROOT / folder).rglob("*")]
    return [path for path in paths if path.is_file()]


TRACKED = tracked_files()
MODULES = [path for path in TRACKED if path.suffix == ".py"]
PRODUCT_MODULES = [path for path in MODULES if path.relative_to(ROOT).parts[0] in {"src", "benchmarks", "examples"}]


def pickle_uses(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.split(".")[0] in PICKLING_MODULES)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PICKLING_MODULES:
            yield node.module or ""
        elif isinstance(node, ast.Call):
            if ast.unparse(node.func) in PICKLING_CALLS:
                yield ast.unparse(node.func)
            yield from (
                ast.unparse(keyword)
                for keyword in node.keywords
                if keyword.arg == "allow_pickle" and ast.unparse(keyword.value) != "False"
            )


def long_functions(source: str) -> list[str]:
    return [
        f"{node.name} at line {node.lineno}: {node.end_lineno - node.lineno + 1} lines"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > MAX_FUNCTION_LINES
    ]


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=shown)
def test_nothing_is_pickled(path: Path):
    assert list(pickle_uses(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "import joblib.numpy_pickle",
        "from cloudpickle import dumps",
        "import torch\nweights = torch.load('weights.pt')",
        "import numpy as np\nnp.load('x.npy', allow_pickle=True)",
    ],
)
def test_pickling_is_found_where_there_is_some(source: str):
    assert len(list(pickle_uses(source))) == 1


def test_no_file_is_too_large():
    assert {shown(path): path.stat().st_size for path in TRACKED if path.stat().st_size > MAX_FILE_BYTES} == {}


@pytest.mark.parametrize("path", PRODUCT_MODULES, ids=shown)
def test_modules_and_functions_stay_short(path: Path):
    source = path.read_text(encoding="utf-8")
    assert source.count("\n") <= MAX_MODULE_LINES
    assert long_functions(source) == []


def test_a_long_function_is_found():
    body = "\n".join(["    pass"] * MAX_FUNCTION_LINES)
    assert long_functions(f"def f():\n{body}\n") == ["f at line 1: 61 lines"]


def test_no_text_names_a_package_registry():
    found = {}
    for path in TRACKED:
        if path.suffix in {".xz", ".gz", ".safetensors", ".png", ".npy", ".parquet"}:
            continue
        hosts = REGISTRY_HOSTS.findall(path.read_text(encoding="utf-8", errors="ignore"))
        if hosts:
            found[shown(path)] = hosts
    assert found == {}
