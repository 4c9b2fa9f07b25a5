import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from diptych.cli.main import app

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "src" / "diptych" / "shipped" / "example.mgf"
README = ROOT / "README.md"
OTHER_PAGES = [
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "benchmarks").glob("*.md")),
]
STRUCTURES = """smiles,name
COc1cc(Cc2cnc(N)nc2N)cc(OC)c1OC,trimethoprim
CCC(=O)C(CC(C)N(C)C)(c1ccccc1)c1ccccc1,methadone
CCCCCc1cc(O)c2c(c1)OC(C)(C)C1CCC(C)=CC21,tetrahydrocannabinol
"""


def blocks(pages: list[Path], *languages: str) -> Iterator[object]:
    """Yield the fenced blocks of the pages that are in one of the languages."""
    for page in pages:
        for number, found in enumerate(re.finditer(r"^```(\w*)\n(.*?)^```$", page.read_text(), re.M | re.S), start=1):
            if found[1] in languages:
                yield pytest.param(found[2], id=f"{page.name}-{number}")


def shell_commands(block: str) -> list[list[str]]:
    """Return the words of each command; where there are prompts, the lines without one are output."""
    lines = block.replace("\\\n", " ").splitlines()
    prompted = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    commands = [shlex.split(line, comments=True) for line in prompted or lines]
    return [command for command in commands if command]


@pytest.mark.parametrize("block", blocks([README], "python"))
def test_the_readme_runs(block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    monkeypatch.chdir(tmp_path)
    ions = EXAMPLE.read_text(encoding="utf-8").split("END IONS\n")
    wanted = [ion for ion in ions if re.search("AU158303|EA019904|EA282805", ion)]
    for name in ("unknowns.mgf", "references.mgf"):
        Path(name).write_text("END IONS\n".join([*wanted, ""]), encoding="utf-8")
    Path("my_structures.csv").write_text(STRUCTURES, encoding="utf-8")
    exec(compile(block, "README", "exec"), {"__name__": "readme"})  # noqa: S102 - the blocks are the project's own
    printed = capsys.readouterr().out.casefold()
    assert all(name in printed for name in ("trimethoprim", "methadone", "tetrahydrocannabinol"))


@pytest.mark.parametrize("block", blocks(OTHER_PAGES, "python"))
def test_the_other_pages_import_what_exists(block: str):
    imports = [node for node in ast.parse(block).body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert imports
    exec(compile(ast.Module(imports, []), "page", "exec"), {})  # noqa: S102 - the blocks are the project's own


@pytest.mark.parametrize("block", blocks([README, *OTHER_PAGES], "sh", "bash", "console"))
def test_shell_blocks_name_commands_that_exist(block: str):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    for command in shell_commands(block):
        if command[0] == "torchrun":
            command = command[command.index("diptych") :]
        if command[0] == "make":
            assert set(command[1:]) <= targets
        elif command[0] == "diptych":
            assert unknown_words(command[1:]) == []
        elif command[0] == "python":
            assert (ROOT / command[1]).is_file(), command[1]
        else:
            pytest.fail(f"{shlex.join(command)}: neither a make target, nor a diptych command, nor a script")


def unknown_words(arguments: list[str]) -> list[str]:
    """Return the sub-commands and options that the command line does not have."""
    command = typer.main.get_command(app)
    words = list(arguments)
    while words and hasattr(command, "commands"):
        if words[0] not in command.commands:
            return [words[0]]
        command = command.commands[words.pop(0)]
    options = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    return [word for word in words if word.startswith("-") and word.partition("=")[0] not in {*options, "--help"}]


def test_a_command_that_is_not_there_is_found():
    assert unknown_words(["conquer", "world"]) == ["conquer"]
    assert unknown_words(["annotate", "x.mgf", "--sing"]) == ["--sing"]
