import inspect
import json
import re
import tomllib
from pathlib import Path

import pytest

import diptych.training.losses
from diptych.training.config import RunConfig
from diptych.training.losses import LOSS_TERMS, LOSSES
from diptych.training.losses.terms import SCHEDULE_KEYS

PAGE = (Path(__file__).parents[3] / "docs" / "losses.md").read_text(encoding="utf-8")
MAIN, TERMS = (part.split("\n## ")[0] for part in re.split(r"^## (?:Main losses|Terms)$", PAGE, flags=re.M)[1:])
GIVEN = {"model", "embedding_dim"}


def sections(text: str) -> dict[str, str]:
    return dict(re.findall(r"^### `([\w-]+)`\n(.*?)(?=^##|\Z)", text, re.M | re.S))


def test_the_page_tells_of_every_loss_in_the_order_of_the_names():
    assert list(sections(MAIN)) == list(LOSSES)
    assert list(sections(TERMS)) == list(LOSS_TERMS)


@pytest.mark.parametrize("name", list(LOSS_TERMS))
def test_the_page_tells_every_option_and_its_default(name: str):
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \|", sections(TERMS)[name], re.M)
    parameters = inspect.signature(LOSS_TERMS[name]).parameters
    expected = {key: parameters[key].default for key in parameters if key not in GIVEN}
    assert {key: json.loads(value) for key, value in rows} == expected


def test_the_page_tells_what_all_terms_have_in_common():
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", PAGE.split("## Main losses")[0], re.M))
    assert {"name", *rows} == set(SCHEDULE_KEYS)


def test_the_sources_of_the_page_are_those_of_the_code():
    folder = Path(inspect.getfile(diptych.training.losses)).parent
    code = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    code += (folder.parents[1] / "encoders" / "projection.py").read_text(encoding="utf-8")
    sources = [source.rstrip(".,") for source in re.findall(r"doi:([^\s,;)]+)", PAGE)]
    assert sources
    assert [source for source in sources if source not in code] == []


@pytest.mark.parametrize("block", re.findall(r"```toml\n(.*?)```", PAGE, re.S))
def test_the_examples_can_be_read(block: str):
    RunConfig.from_dict(tomllib.loads(block))
