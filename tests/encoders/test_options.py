from typing import Any

import pytest

from diptych.embedding import JointEmbedding
from diptych.encoders import SPECTRUM_ENCODERS, STRUCTURE_ENCODERS, build_encoder
from diptych.encoders.ion_table import IonTable, build_ion_table
from diptych.errors import ConfigError
from diptych.training.losses.terms import build_term

SMALL = {
    "binned-mlp": {"fine_width": 16, "bin_dim": 2, "hidden_dim": 4},
    "multi-scale": {"fine_width": 16, "bin_dim": 2, "hidden_dim": 4},
    "fingerprint-mlp": {"width": 16, "hidden_dim": 4},
}
NO_NUMBER = "must be a number, got"
NO_WHOLE_NUMBER = "must be a whole number, got"
AT_LEAST_ONE = "must be at least 1, got"


def model(**sections: Any) -> JointEmbedding:
    towers = {"spectrum": SMALL["binned-mlp"], "structure": SMALL["fingerprint-mlp"], "embedding_dim": 24}
    return JointEmbedding.from_config(**towers | sections)


@pytest.mark.parametrize(
    ("tower", "options", "message"),
    [
        ("binned-mlp", {"hidden_dim": "x"}, f"hidden_dim {NO_WHOLE_NUMBER} 'x'"),
        ("binned-mlp", {"hidden_dim": 0}, f"hidden_dim {AT_LEAST_ONE} 0"),
        ("binned-mlp", {"hidden_dim": True}, f"hidden_dim {NO_WHOLE_NUMBER} True"),
        ("binned-mlp", {"hidden_dim": 10**400}, "cannot be built from"),
        ("binned-mlp", {"fine_width": 0}, f"fine_width {AT_LEAST_ONE} 0"),
        ("binned-mlp", {"fine_bins_per_da": -5}, f"fine_bins_per_da {AT_LEAST_ONE} -5"),
        ("binned-mlp", {"dropout": True}, f"dropout {NO_NUMBER} True"),
        ("binned-mlp", {"dropout": 1}, "dropout must be a share from 0 to below 1, got 1"),
        ("binned-mlp", {"ion_weight": "x"}, f"ion_weight {NO_NUMBER} 'x'"),
        ("binned-mlp", {"ion_weight": -1.0}, "ion_weight must be at least 0, got -1.0"),
        ("binned-mlp", {"ion_weight": float("inf")}, "ion_weight must be at least 0, got inf"),
        ("binned-mlp", {"ion_weight": float("nan")}, "ion_weight must be at least 0, got nan"),
        ("binned-mlp", {"cleaning": 80}, "cleaning must be a section, got 80"),
        ("binned-mlp", {"cleaning": {"max_peaks": 0}}, f"cleaning.max_peaks {AT_LEAST_ONE} 0"),
        ("binned-mlp", {"cleaning": {"max_peaks": 8.5}}, f"cleaning.max_peaks {NO_WHOLE_NUMBER} 8.5"),
        ("binned-mlp", {"cleaning": {"max_mz": "x"}}, f"cleaning.max_mz {NO_NUMBER} 'x'"),
        ("binned-mlp", {"cleaning": {"max_mz": 0}}, "cleaning.max_mz must be above 0, got 0"),
        ("binned-mlp", {"cleaning": {"max_peak": 9}}, "cleaning has no option 'max_peak'; did you mean 'max_peaks'"),
        ("binned-cnn", {"bins_per_da": 1.5}, f"bins_per_da {NO_WHOLE_NUMBER} 1.5"),
        ("binned-cnn", {"segments": 0}, f"segments {AT_LEAST_ONE} 0"),
        ("binned-cnn", {"channels": []}, r"channels must be a list of whole numbers, got \[\]"),
        ("binned-cnn", {"channels": [8, 0]}, rf"channels {AT_LEAST_ONE} \[8, 0\]"),
        ("peak-transformer", {"n_layers": 0}, f"n_layers {AT_LEAST_ONE} 0"),
        ("peak-transformer", {"n_waves": 0}, f"n_waves {AT_LEAST_ONE} 0"),
        ("peak-transformer", {"shortest_wave": 0}, "shortest_wave must be above 0, got 0"),
        ("multi-scale", {"boundaries": ["x"]}, r"boundaries must be a list of numbers, got \['x'\]"),
        ("formula-transformer", {"formula": 3}, "formula must be a text, got 3"),
    ],
)
def test_an_option_of_a_spectrum_tower_that_cannot_be_right_is_named_with_its_place(tower, options, message):
    with pytest.raises(ConfigError, match=rf"^model\.spectrum[.:].*{message}"):
        model(spectrum={"name": tower, **options})


@pytest.mark.parametrize(
    ("tower", "options", "message"),
    [
        ("fingerprint-mlp", {"radius": -1}, "radius must be at least 0, got -1"),
        ("fingerprint-mlp", {"radius": "a"}, f"radius {NO_WHOLE_NUMBER} 'a'"),
        ("fingerprint-mlp", {"width": 0}, f"width {AT_LEAST_ONE} 0"),
        ("gcn", {"channels": []}, r"channels must be a list of whole numbers, got \[\]"),
        ("gcn", {"channels": 8}, "channels must be a list of whole numbers, got 8"),
        ("gcn", {"atom_vectors": "x"}, "atom_vectors must be true or false, got 'x'"),
        ("graphsage", {"hidden_dim": "x"}, f"hidden_dim {NO_WHOLE_NUMBER} 'x'"),
        ("smiles-transformer", {"max_tokens": 0}, f"max_tokens {AT_LEAST_ONE} 0"),
        ("smiles-transformer", {"n_random_smiles": -1}, "n_random_smiles must be at least 0, got -1"),
        ("smiles-transformer", {"n_random_smiles": "x"}, f"n_random_smiles {NO_WHOLE_NUMBER} 'x'"),
        ("language-model", {"config": 3}, "config must be a section, got 3"),
    ],
)
def test_an_option_of_a_structure_tower_that_cannot_be_right_is_named_with_its_place(tower, options, message):
    with pytest.raises(ConfigError, match=rf"^model\.structure\.{message}"):
        model(structure={"name": tower, **options})


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"ions": {"dims": 16}}, r"model\.ions has no option 'dims'; did you mean 'dim'\?"),
        ({"ions": {"dim": "x"}}, rf"model\.ions\.dim {NO_WHOLE_NUMBER} 'x'"),
        ({"ions": {"dim": 16, "width": 0}}, rf"model\.ions\.width {AT_LEAST_ONE} 0"),
        ({"ions": {"dim": 16, "bins_per_da": 0}}, rf"model\.ions\.bins_per_da {AT_LEAST_ONE} 0"),
        ({"ions": {"dim": 16, "width": 10**400}}, r"model\.ions cannot be built from"),
        ({"ions": 16}, r"model\.ions must be a section of options, got 16"),
        ({"interaction": {"ppm": 0}}, r"model\.interaction\.ppm must be above 0, got 0"),
        ({"interaction": {"environments": "x"}}, rf"model\.interaction\.environments {NO_WHOLE_NUMBER} 'x'"),
        ({"projection": {"dim": True}}, rf"model\.projection\.dim {NO_WHOLE_NUMBER} True"),
        ({"spectrum": {"name": ["x"]}}, r"model\.spectrum: unknown tower \['x'\]; expected one of binned-mlp"),
        ({"structure": {"widht": 3}}, r"model\.structure: tower 'fingerprint-mlp' has no option 'widht'; did you mean"),
    ],
)
def test_an_option_of_another_part_that_cannot_be_right_is_named_with_its_place(sections, message):
    with pytest.raises(ConfigError, match=f"^{message}"):
        model(**sections)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("fingerprint", {"hidden_dim": 0}, f"hidden_dim {AT_LEAST_ONE} 0"),
        ("fingerprint", {"cosine_weight": float("nan")}, "cosine_weight must be at least 0, got nan"),
        ("listwise", {"label_smoothing": 1.5}, "label_smoothing must be a share from 0 to below 1, got 1.5"),
    ],
)
def test_loss_terms_are_checked_by_the_same_rules(name, options, message):
    with pytest.raises(ConfigError, match=f"^loss term '{name}': {message}"):
        build_term(name, options, model=model())


@pytest.mark.parametrize("name", [*SPECTRUM_ENCODERS, *(set(STRUCTURE_ENCODERS) - {"language-model"})])
def test_what_a_tower_says_of_itself_builds_it_again(name: str):
    encoders = SPECTRUM_ENCODERS if name in SPECTRUM_ENCODERS else STRUCTURE_ENCODERS
    given = {"embedding_dim": 24, "ion_table": IonTable(width=16, dim=4)}
    tower: Any = build_encoder(encoders, {"name": name, **SMALL.get(name, {})}, **given)
    again: Any = build_encoder(encoders, {"name": name, **tower.settings()}, **given)
    assert again.settings() == tower.settings()


def test_no_section_is_no_ion_table():
    assert build_ion_table(None) is None
    table = build_ion_table({"width": 8, "dim": 2})
    assert table is not None
    assert table.settings() == {"bins_per_da": 200, "width": 8, "dim": 2}
