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
# The rooms of evaluation, likewise; judging an answer takes its file, its figures and evaluate() together.
ROOMS = [
    {"wording"},
    {"questions"},
    {"results", "statistics", "evaluation"},
    {"benchmark"},
    {"protocols"},
    {"report"},
    {"audit"},
    {"ablation"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
ROOM_LEVEL = {name: level for level, names in enumerate(ROOMS) for name in names}


def layer_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(source: str) -> list[str]:
    modules = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            is_root = node.module == "diptych"
            modules += [f"diptych.{alias.name}" for alias in node.names] if is_root else [node.module]
        elif isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
    return modules


def upward_imports(layer: str, source: str) -> list[str]:
    targets = [module.split(".")[1] for module in imported(source) if module.startswith("diptych.")]
    return [target for target in targets if target in LEVEL and LEVEL[target] > LEVEL[layer]]


def upward_rooms(room: str, source: str) -> list[str]:
    targets = [module.split(".")[2] for module in imported(source) if module.startswith("diptych.evaluation.")]
    return [target for target in targets if ROOM_LEVEL[target] > ROOM_LEVEL[room]]


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


EVALUATION = PACKAGE / "evaluation"


@pytest.mark.parametrize("path", sorted(EVALUATION.rglob("*.py")), ids=lambda path: str(path.relative_to(EVALUATION)))
def test_a_room_of_evaluation_takes_only_from_those_before_it(path: Path):
    room = path.relative_to(EVALUATION).parts[0].removesuffix(".py")
    if room != "__init__":
        assert upward_rooms(room, path.read_text(encoding="utf-8")) == []


def test_a_room_that_takes_from_a_later_one_is_found():
    assert upward_rooms("statistics", "from diptych.evaluation.report.tables import table") == ["report"]
    assert upward_rooms("audit", "from diptych.evaluation.report.tables import table") == []


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
