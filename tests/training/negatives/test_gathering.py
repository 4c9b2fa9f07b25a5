"""Every kind of hard negatives, read from files as a run reads them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from diptych.data.tables import read_columns
from diptych.errors import ConfigError
from diptych.molecules.features import StructureFeaturiser
from diptych.molecules.fingerprints import MorganFeaturiser
from diptych.training import RunConfig
from diptych.training.config import NegativesConfig
from diptych.training.preparation import Prepared, prepare

KINDS = ["formula", "mass", "fingerprint", "spectral", "mined"]
FEATURISER = StructureFeaturiser(own=MorganFeaturiser(radius=2, width=64))


def prepared(amides: Path, **negatives: Any) -> Prepared:
    config = RunConfig.from_dict(
        {
            "data": {
                "dataset": str(amides / "dataset.parquet"),
                "folds": str(amides / "folds.tsv.xz"),
                "structures": str(amides / "structures.tsv.xz"),
            },
            "negatives": {"per_molecule": 4, "fill": "none", **negatives},
            "training": {"batch_size": 8},
            "validation": {"fold": ""},
        }
    )
    return prepare(config, FEATURISER, report=lambda _: None)


def drawn(run: Prepared) -> list[tuple[int, int]]:
    """Return pairs of a molecule and its negative over a few epochs."""
    plans = [plan for number in range(4) for plan in run.sampler.epoch(number)]
    return [
        (int(plan.molecules[owner]), int(row))
        for plan in plans
        for row, owner in zip(plan.negatives, plan.owner, strict=True)
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_negatives_resemble_their_molecule_as_the_kind_says(amides: Path, kind: str):
    run = prepared(amides, kinds=[kind], precursor_window_da=30.0)
    pairs = drawn(run)
    assert len(pairs) > 100
    assert all(molecule != row for molecule, row in pairs)
    masses, n_molecules = run.table.exact_masses, len(run.corpus.first_blocks)
    difference = max(abs(masses[molecule] - masses[row]) for molecule, row in pairs)
    assert difference <= (30.0 if kind == "spectral" else 0.01)
    if kind == "formula":
        assert all(run.table.formulas[molecule] == run.table.formulas[row] for molecule, row in pairs)
    if kind == "spectral":
        assert all(row < n_molecules for _, row in pairs)
    else:
        assert any(row >= n_molecules for _, row in pairs)


@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_draws_what_is_withheld(amides: Path, tmp_path: Path, kind: str):
    rows = read_columns(amides / "structures.tsv.xz", ("inchikey_first_block", "smiles", "formula"))
    trained_on = set(prepared(amides, kinds=["formula"]).corpus.first_blocks)
    withheld = {block: [smiles] for block, smiles, _ in list(rows)[::2] if block not in trained_on}
    path = tmp_path / "candidates.json"
    path.write_text(json.dumps(withheld))
    run = prepared(amides, kinds=[kind], withhold=[str(path)], precursor_window_da=30.0, easy="random")
    blocks = {run.table.structures[row].inchikey_first_block for _, row in drawn(run)}
    assert blocks
    assert withheld
    assert not blocks & set(withheld)


def test_kinds_are_mixed_and_similar_structures_come_more_often(amides: Path):
    run = prepared(amides, kinds=KINDS, shares=[1, 1, 1, 1, 2], sharpness=5.0)
    sources = run.sampler.negatives_of.sources
    assert [source.name for source in sources] == KINDS
    assert [source.share for source in sources] == [1, 1, 1, 1, 2]
    assert all(len(source.similarity) == len(source.lists.values) for source in sources)
    assert all(0 <= np.min(source.similarity) <= np.max(source.similarity) <= 1.0001 for source in sources)


def test_fingerprint_negatives_are_the_most_similar_ones(amides: Path):
    few, many = (prepared(amides, kinds=["fingerprint"], nearest=n).sampler.negatives_of.sources[0] for n in (2, 99))
    assert set(few.lists.lengths.tolist()) <= {0, 1, 2}
    for molecule in range(len(few.lists)):
        assert few.lists[molecule].tolist() == many.lists[molecule].tolist()[:2]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kinds": ("formul",)}, r"negatives\.kinds: unknown kind 'formul'; expected any of formula, mass"),
        ({"kinds": ()}, r"negatives\.kinds must name one or more kinds, each once, got \[\]"),
        ({"kinds": ("mass", "mass")}, r"each once, got \['mass', 'mass'\]"),
        ({"shares": (1.0, 2.0)}, r"one number above 0 for each of the 1 kinds, got \[1\.0, 2\.0\]"),
        ({"shares": (0.0,)}, r"one number above 0 for each of the 1 kinds, got \[0\.0\]"),
    ],
)
def test_impossible_kinds_are_refused(values: dict[str, Any], message: str):
    with pytest.raises(ConfigError, match=message):
        NegativesConfig(**values)
