import tomllib

import pytest

from diptych.errors import ConfigError
from diptych.presets import description_of, names, preset_text, read_preset
from diptych.training import read_config

ALL = pytest.mark.parametrize("name", names())


def test_the_presets_that_the_documentation_promises_are_there():
    assert set(names()) == {
        "clm-alignment",
        "consensus",
        "fingerprint-ions",
        "formula-transformer-fingerprint",
        "fragment-interaction",
        "jestr",
        "late-interaction",
        "library-search",
        "specembedding",
        "two-tower-cnn-gin",
        "two-tower-transformer-gat",
    }


@ALL
def test_a_preset_says_in_one_sentence_what_it_is(name: str):
    assert preset_text(name).startswith("# ")
    assert 20 < len(description_of(name)) < 120
    assert description_of(name).endswith(".")


@ALL
def test_a_preset_names_neither_data_nor_queries(name: str):
    sections = read_preset(name)
    assert "data" not in sections
    assert sections.get("validation", {}).keys() <= {"fold", "rerank", "every_epochs"}
    assert sections == tomllib.loads(preset_text(name))


@ALL
def test_a_preset_is_a_whole_configuration(name: str):
    config = read_config(None, preset=name)
    assert config.model.spectrum["name"]
    assert config.model.structure["name"]


def test_an_unknown_preset_is_named_with_the_nearest():
    with pytest.raises(ConfigError, match=r"unknown preset 'jester'; did you mean 'jestr'\?"):
        read_preset("jester")
    with pytest.raises(ConfigError, match=r"unknown preset 'x'; expected one of clm-alignment, consensus"):
        preset_text("x")
