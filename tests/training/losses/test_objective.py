import importlib.util
import json
from math import e, log
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from diptych.errors import ConfigError
from diptych.presets import names
from diptych.training import RunConfig, read_config
from diptych.training.ablation import AblationPlan
from diptych.training.losses import LOSS_TERMS, LossTerm, Objective
from diptych.training.losses.requirements import check_requirements, ranks_structures

TWO_SPECTRA = {"spectra_per_molecule": 2}
PAIRS = [[1.0, 0.0], [0.0, 1.0]]
MODEL: Any = SimpleNamespace(loss_dim=2)
INFO_NCE = log((e + 1) / e)


class Constant(LossTerm):
    def __init__(self, *, value: float = 1.0, main: float = 1.0) -> None:
        super().__init__()
        self.value, self.main_weight = value, main

    def forward(self, context):
        return torch.tensor(self.value)


@pytest.fixture(autouse=True)
def constant(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(LOSS_TERMS, "constant", Constant)


def objective(*terms: dict[str, Any], epochs: int = 10, **loss: Any) -> Objective:
    config = RunConfig.from_dict({"loss": {**loss, "terms": list(terms)}})
    return Objective(config.loss, MODEL, epochs=epochs)


def test_weighted_terms_are_added_to_the_weighted_main_loss(context):
    minimised = objective({"name": "constant", "weight": 3.0, "value": 5.0}, {"name": "constant"}, weight=2.0)
    assert minimised(context(PAIRS, PAIRS)).item() == pytest.approx(2 * INFO_NCE + 15 + 1)


def test_a_term_can_lower_the_main_loss_while_it_is_on(context):
    minimised = objective({"name": "constant", "main": 0.9, "from_epoch": 1})
    assert minimised(context(PAIRS, PAIRS, epoch=0)).item() == pytest.approx(INFO_NCE)
    assert minimised(context(PAIRS, PAIRS, epoch=1)).item() == pytest.approx(0.9 * INFO_NCE + 1)


@pytest.mark.parametrize(
    ("schedule", "on"),
    [
        ({}, range(10)),
        ({"from_epoch": 3}, range(3, 10)),
        ({"until_epoch": 3}, range(3)),
        ({"from_epoch": 2, "until_epoch": 4}, range(2, 4)),
        ({"from_share": 0.97}, range(9, 10)),
        ({"from_share": 0.5, "until_epoch": 7}, range(5, 7)),
    ],
)
def test_a_term_counts_in_its_epochs_alone(context, schedule: dict[str, Any], on: range):
    minimised = objective({"name": "constant", **schedule})
    values = [minimised(context(PAIRS, PAIRS, epoch=epoch)).item() for epoch in range(10)]
    assert values == pytest.approx([INFO_NCE + float(epoch in on) for epoch in range(10)])


def test_with_the_main_loss_off_no_structure_is_looked_at(context, model):
    model.structure_encoder = None
    minimised = objective({"name": "supcon"}, weight=0.0)
    given = context([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], PAIRS, molecule=[0, 0, 1], model=model)
    assert minimised(given).item() == pytest.approx(INFO_NCE)


def test_the_objective_asks_for_what_its_terms_need():
    minimised = objective({"name": "fingerprint"}, {"name": "supcon", "augmented": True}, {"name": "vicreg"})
    assert minimised.needs == {"fingerprint", "second_view"}


def test_the_weights_of_heads_are_learned_with_the_model():
    names = [name for name, _ in objective({"name": "exact-mass", "hidden_dim": 3}).named_parameters()]
    assert names == ["terms.0.head.0.weight", "terms.0.head.0.bias", "terms.0.head.2.weight", "terms.0.head.2.bias"]


@pytest.mark.parametrize(
    ("term", "message"),
    [
        ({"name": "supcom"}, r"loss\.terms: unknown term 'supcom'; did you mean 'supcon'\?"),
        ({"name": "zzz"}, r"unknown term 'zzz'; expected one of supcon, "),
        ({"weight": 1.0}, r"every table must have a name, got \{'weight': 1\.0\}"),
        ({"name": 3}, r"every table must have a name"),
        ({"name": "supcon", "temprature": 0.1}, r"'supcon' has no option 'temprature'; did you mean 'temperature'\?"),
        ({"name": "supcon", "wieght": 0.1}, r"'supcon' has no option 'wieght'; did you mean 'weight'\?"),
        ({"name": "supcon", "temperature": "x"}, r"'supcon': temperature must be a number, got 'x'"),
        ({"name": "supcon", "augmented": 1}, r"'supcon': augmented must be true or false, got 1"),
        ({"name": "moco", "queue_size": 2.5}, r"'moco': queue_size must be a whole number, got 2\.5"),
        ({"name": "adversarial", "kind": 2}, r"'adversarial': kind must be a text, got 2"),
        ({"name": "vicreg", "gamma": -1.0}, r"'vicreg': gamma must be at least 0, got -1\.0"),
        ({"name": "vicreg", "weight": "1"}, r"'vicreg': weight must be a number of at least 0, got '1'"),
        ({"name": "vicreg", "weight": -1.0}, r"'vicreg': weight must be a number of at least 0, got -1\.0"),
        ({"name": "vicreg", "from_epoch": 1.5}, r"'vicreg': from_epoch must be a whole number of at least 0, got 1\.5"),
        ({"name": "vicreg", "from_share": 1.0}, r"'vicreg': from_share must be below 1, got 1\.0"),
        ({"name": "candidate-regularisation", "k": 0}, r"'candidate-regularisation': k must be at least 1, got 0"),
        ({"name": "vicreg", "from_epoch": 10}, r"'vicreg' would never be on: .* epoch 10 .* of training\.epochs 10"),
        ({"name": "vicreg", "from_epoch": 5, "until_epoch": 5}, r"starts after epoch 5 and ends after epoch 5"),
    ],
)
def test_a_mistake_in_a_term_is_one_clear_line(term: dict[str, Any], message: str):
    with pytest.raises(ConfigError, match=message):
        objective(term)


def test_an_unknown_main_loss_is_refused():
    with pytest.raises(ConfigError, match=r"loss\.name: unknown loss 'x'; expected one of info-nce, "):
        objective(name="x")


def test_nothing_to_minimise_is_refused():
    with pytest.raises(ConfigError, match=r"loss\.weight is 0 and loss\.terms is empty"):
        objective(weight=0.0)


@pytest.mark.parametrize(
    ("terms", "epoch"),
    [
        ([{"name": "fingerprint", "weight": 0.0}], 1),
        ([{"name": "fingerprint", "from_share": 0.5}], 1),
        ([{"name": "fingerprint", "until_epoch": 3}, {"name": "exact-mass", "from_epoch": 4}], 4),
    ],
)
def test_an_epoch_without_anything_to_minimise_is_refused(terms: list[dict[str, Any]], epoch: int):
    with pytest.raises(ConfigError, match=rf"nothing is minimised in epoch {epoch} of 10: loss\.weight is 0, and"):
        objective(*terms, weight=0.0)
    assert objective(*terms)
    assert objective(*terms, {"name": "vicreg"}, weight=0.0)


@pytest.mark.parametrize("terms", [3, "supcon", ["supcon"], {"name": "supcon"}])
def test_terms_must_be_tables(terms: Any):
    with pytest.raises(ConfigError, match=r"loss\.terms must be a list of tables \(\[\[loss\.terms\]\]\), got"):
        RunConfig.from_dict({"loss": {"terms": terms}})


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"loss": {"name": "listwise"}, "negatives": {"per_molecule": 0}}, r"loss 'listwise' needs hard negatives"),
        (
            {"loss": {"terms": [{"name": "candidate-regularisation"}]}, "negatives": {"per_molecule": 0}},
            r"loss 'candidate-regularisation' needs hard negatives; negatives\.per_molecule is 0",
        ),
        ({"loss": {"terms": [{"name": "supcon"}]}}, r"'supcon' needs two spectra of a molecule; set sampling"),
        ({"loss": {"terms": [{"name": "self-supervised"}]}}, r"needs spectra; give data\.unlabelled and"),
        (
            {"loss": {"name": "listwise"}, "negatives": {"start_share": 0.0, "end_share": 0.0}},
            r"loss 'listwise' needs hard negatives; none are drawn .* start_share 0 and end_share 0",
        ),
        (
            {"loss": {"name": "listwise"}, "negatives": {"from_share": 1.0}},
            r"loss 'listwise' needs hard negatives; none are drawn in its epochs with negatives\.from_share 1,",
        ),
        (
            {
                "loss": {"terms": [{"name": "candidate-regularisation", "until_epoch": 3}]},
                "negatives": {"from_share": 0.5},
            },
            r"loss 'candidate-regularisation' needs hard negatives; none are drawn in its epochs",
        ),
        (
            {"loss": {"name": "consensus"}},
            r"loss\.name 'consensus' needs several spectra of a molecule; set",
        ),
        (
            {"loss": {"block_weight": 1.0}},
            r"loss\.block_weight is 1, .* no blocks: there is no section model\.ions",
        ),
        (
            {"loss": {"block_weight": 0.5}, "model": {"ions": {"dim": 8}, "projection": {"dim": 8}}},
            r"loss\.block_weight is 0\.5, but the vectors have no blocks: model\.projection makes one block of them",
        ),
        ({"model": {"retrieval": "after"}}, r"model\.retrieval is 'after', but there is no section model\.projection"),
        (
            {"validation": {"calibration_from": "there/model"}},
            r"validation\.calibration_from is 'there/model', but a calibration is fitted on validation\.fold 'val'",
        ),
        (
            {"validation": {"fold": "", "rerank": 8}},
            r"validation\.rerank is 8, but its weight has nothing to be",
        ),
    ],
)
def test_settings_that_could_have_no_effect_are_refused(sections: dict[str, Any], message: str):
    with pytest.raises(ConfigError, match=message):
        check_requirements(RunConfig.from_dict(sections))


def test_losses_that_have_what_they_need_are_let_through():
    check_requirements(
        RunConfig.from_dict({"loss": {"name": "listwise", "terms": [{"name": "supcon", "augmented": True}]}})
    )
    sampling = {"spectra_per_molecule": 2, "unlabelled": 4}
    terms = [{"name": "supcon"}, {"name": "self-supervised"}]
    check_requirements(
        RunConfig.from_dict({"loss": {"terms": terms}, "sampling": sampling, "data": {"unlabelled": "x.mgf"}})
    )


@pytest.mark.parametrize(
    "sections",
    [
        {"loss": {"name": "listwise"}, "negatives": {"start_share": 0.0, "end_share": 0.0, "easy": "random"}},
        {"loss": {"name": "listwise"}, "negatives": {"start_share": 0.0}},
        {"loss": {"name": "consensus", "weight": 0.0, "terms": [{"name": "vicreg"}]}},
        {"loss": {"name": "consensus", "block_weight": 1.0}, "model": {"ions": {}}, "sampling": TWO_SPECTRA},
        {"model": {"retrieval": "after", "projection": {"dim": 8}}},
        {"validation": {"fold": "", "rerank": 8, "calibration_from": "there/model"}},
    ],
)
def test_settings_that_have_an_effect_are_let_through(sections: dict[str, Any]):
    check_requirements(RunConfig.from_dict(sections))


def in_documents() -> list[RunConfig]:
    """Return what the shipped recipes, benchmarks and ablations are trained with."""
    root = Path(__file__).parents[3] / "benchmarks"
    peers, release = (root / "configs" / name for name in ("peer_benchmark.toml", "release.toml"))
    found = [read_config(peers, preset=name) for name in names()]
    found += [read_config(release, preset=name) for name in ("", "fingerprint-ions", "fragment-interaction")]
    plan = AblationPlan.read(root / "ablation" / "plan.toml")
    found += [RunConfig.from_dict(cell.values) for cell in plan.cells()]
    spec = importlib.util.spec_from_file_location("massbank_plan", root / "massbank" / "plan.py")
    assert spec
    assert spec.loader
    massbank = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(massbank)
    found += [
        read_config(None, preset=name, overrides=['validation.fold=""', *settings])
        for name, settings in massbank.PRESETS.items()
    ]
    for path in sorted((root / "towers" / "results").glob("*.json")):
        result = json.loads(path.read_text())
        if "training" in result:
            found.append(RunConfig.from_dict(result["training"]["config"]))
    return found


def test_no_recipe_that_is_shipped_or_measured_is_refused():
    configs = in_documents()
    assert len(configs) > 40
    for config in configs:
        check_requirements(config)


def test_a_term_that_cannot_be_computed_cannot_be_made():
    with pytest.raises(TypeError, match=r"abstract class LossTerm"):
        LossTerm()


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ({}, True),
        ({"weight": 0.0, "terms": [{"name": "supcon"}, {"name": "fingerprint"}]}, False),
        ({"weight": 0.0, "terms": [{"name": "supcon"}, {"name": "moco"}]}, True),
        ({"weight": 0.0, "terms": [{"name": "supcon"}, {"name": "moco", "weight": 0.0}]}, False),
        ({"weight": 0.0, "terms": [{"name": "fragments"}]}, True),
        ({"weight": 0.0, "terms": [{"name": "adversarial"}]}, True),
        ({"weight": 0.0, "terms": [{"name": "adversarial", "kind": "consistency"}]}, False),
    ],
)
def test_structures_can_be_ranked_where_a_loss_compares_them_with_spectra(loss: dict[str, Any], expected: bool):
    assert ranks_structures(RunConfig.from_dict({"loss": loss}).loss) is expected
