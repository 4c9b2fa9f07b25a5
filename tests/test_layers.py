import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "diptych"

# From the ground up: a module imports only from its own layer and from those before it.
LAYERS = [
    {"errors"},
    {"files"},
    {"presets"},
    {"spectra"},
    {"molecules"},
    {"data"},
    {"ranking"},
    {"evaluation"},
    {"encoders"},
    {"embedding"},
    {"retrieval"},
    {"annotation"},
    {"training"},
    {"cli"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def layer_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def upward_imports(layer: str, source: str) -> list[str]:
    modules = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            is_root = node.module == "diptych"
            modules += [f"diptych.{alias.name}" for alias in node.names] if is_root else [node.module]
        elif isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
    targets = [module.split(".")[1] for module in modules if module.startswith("diptych.")]
    return [target for target in targets if target in LEVEL and LEVEL[target] > LEVEL[layer]]


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_never_point_upward(path: Path):
    layer = layer_of(path)
    if layer == "__init__":
        return
    assert layer in LEVEL, f"{path} stands in no layer"
    assert upward_imports(layer, path.read_text(encoding="utf-8")) == []


def test_an_upward_import_is_found():
    assert upward_imports("spectra", "from diptych.encoders import anything") == ["encoders"]
    assert upward_imports("spectra", "from diptych import cli") == ["cli"]
    assert upward_imports("cli", "from diptych.spectra import anything") == []


@pytest.mark.parametrize(
    ("library", "homes"),
    [("rdkit", {"molecules"}), ("torch", {"encoders", "embedding", "retrieval", "annotation", "training"})],
)
def test_heavy_libraries_are_imported_where_they_belong(library: str, homes: set[str]):
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            if any(module.split(".")[0] == library for module in modules):
                assert layer_of(path) in homes, f"{path} imports {library}"
