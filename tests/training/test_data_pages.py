"""The pages about negatives, sampling and augmentations tell what the configuration takes."""

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from diptych.training.augmentation import MASS_ERROR_PPM
from diptych.training.config import AugmentationConfig, NegativesConfig, RunConfig, SamplingConfig
from diptych.training.data_config import NEGATIVE_KINDS

ROOT = Path(__file__).parents[2]
NEGATIVES = (ROOT / "docs" / "negatives.md").read_text(encoding="utf-8")
AUGMENTATIONS = (ROOT / "docs" / "augmentations.md").read_text(encoding="utf-8")


def told(text: str) -> dict[str, Any]:
    return {key: json.loads(value) for key, value in re.findall(r"^\| `(\w+)` \| (.+?) \|", text, re.M)}


def defaults(section: type) -> dict[str, Any]:
    return {f.name: list(f.default) if isinstance(f.default, tuple) else f.default for f in fields(section)}


def section_of(page: str, title: str) -> str:
    return page.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_every_key_of_negatives_and_sampling_is_told_with_its_default():
    assert told(section_of(NEGATIVES, "`[negatives]`")) == defaults(NegativesConfig)
    assert told(section_of(NEGATIVES, "`[sampling]`")) == defaults(SamplingConfig)


def test_every_kind_of_negative_is_told():
    assert tuple(re.findall(r"^\| `(\w+)` \|", section_of(NEGATIVES, "Kinds"), re.M)) == NEGATIVE_KINDS


def test_every_augmentation_is_told_with_its_default():
    assert told(section_of(AUGMENTATIONS, "Spectra")) | told(section_of(AUGMENTATIONS, "Structures")) == defaults(
        AugmentationConfig
    )


def test_the_mass_errors_told_are_those_applied():
    rows = re.findall(r"^\| ([\w ]+) \| ([\d.]+) \|$", AUGMENTATIONS, re.M)
    assert {kind: float(ppm) for kind, ppm in rows} == {kind.value: ppm for kind, ppm in MASS_ERROR_PPM.items()}


@pytest.mark.parametrize("page", [NEGATIVES, AUGMENTATIONS], ids=["negatives", "augmentations"])
def test_the_example_can_be_read_and_the_sources_are_those_of_the_code(page: str):
    import tomllib

    assert RunConfig.from_dict(tomllib.loads(page.split("```toml\n")[1].split("```")[0]))
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    sources = [source.rstrip(".,)") for source in re.findall(r"doi:(\S+)", page)]
    assert sources
    assert [source for source in sources if source not in code] == []


def test_the_python_example_runs():
    code = AUGMENTATIONS.split("```python\n")[1].split("```")[0]
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - the page's own example
    assert 0 < names["varied"].n_peaks <= 3
