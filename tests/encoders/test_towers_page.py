import inspect
import json
import re
from pathlib import Path

import pytest

from diptych import encoders
from diptych.encoders import SPECTRUM_ENCODERS, STRUCTURE_ENCODERS

PAGE = (Path(__file__).parents[2] / "docs" / "towers.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### `([\w-]+)`\n(.*?)(?=^##|\Z)", PAGE, re.M | re.S))
ENCODERS = {**SPECTRUM_ENCODERS, **STRUCTURE_ENCODERS}
EVERYWHERE = {"embedding_dim", "ion_table", "ion_weight", "cleaning"}


def test_the_page_tells_of_every_tower_in_the_order_of_the_names():
    assert list(SECTIONS) == list(ENCODERS)


@pytest.mark.parametrize("name", list(ENCODERS))
def test_the_page_tells_every_option_and_its_default(name: str):
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \|", SECTIONS[name], re.M)
    parameters = inspect.signature(ENCODERS[name]).parameters
    expected = {key: parameters[key].default for key in parameters if key not in EVERYWHERE}
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in expected.items()}
    assert {key: json.loads(value) for key, value in rows} == plain


def test_the_sources_of_the_page_are_those_of_the_code():
    folder = Path(inspect.getfile(encoders)).parent
    code = "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    sources = [source.rstrip(".,") for source in re.findall(r"doi:([^\s,;)]+)", PAGE)]
    assert sources
    assert [source for source in sources if source not in code] == []
