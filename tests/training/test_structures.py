from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from diptych.errors import DatasetError
from diptych.molecules.features import StructureFeaturiser
from diptych.molecules.fingerprints import MorganFeaturiser
from diptych.molecules.fragmentation import FragmentFeaturiser
from diptych.training import structures
from diptych.training.structures import (
    StructureTable,
    describe_structures,
    parse_smiles,
    smiles_near_masses,
    smiles_of_formulas,
)

PLAIN = StructureFeaturiser(own=MorganFeaturiser(radius=2, width=256))
BOTH = StructureFeaturiser(
    own=MorganFeaturiser(radius=2, width=256), fragments=FragmentFeaturiser(bins_per_da=100, width=1024)
)
SMILES = ["CCO", "OCC", "not a molecule", "c1ccccc1", "CCO"]


def same(a: StructureTable, b: StructureTable) -> bool:
    fingerprints = (a.features.own, b.features.own)
    arrays = [
        (getattr(fingerprints[0], name), getattr(fingerprints[1], name)) for name in ("indptr", "indices", "values")
    ]
    return list(a.structures) == list(b.structures) and all(np.array_equal(x, y) for x, y in arrays)


def test_spellings_of_one_molecule_are_one_row_and_failures_are_left_out():
    parsed = parse_smiles(SMILES, PLAIN)
    assert [s.smiles for s in parsed.table.structures] == ["CCO", "c1ccccc1"]
    assert len(parsed.table.features) == 2
    assert list(parsed.structure_of) == ["CCO", "OCC", "c1ccccc1"]
    assert parsed.structure_of["OCC"].inchikey_first_block in parsed.table.row_of


def test_nothing_parsable_gives_no_table():
    assert parse_smiles(["not a molecule"], PLAIN).table is None
    assert parse_smiles([], PLAIN).table is None


def test_tables_are_joined_without_repeats_and_can_leave_molecules_out():
    first, second = parse_smiles(["CCO", "CCN"], PLAIN).table, parse_smiles(["OCC", "CCC"], PLAIN).table
    joined = first.joined(second)
    assert [s.smiles for s in joined.structures] == ["CCO", "CCN", "CCC"]
    assert len(joined.features) == 3
    left = joined.without({joined.structures[0].inchikey_first_block})
    assert [s.smiles for s in left.structures] == ["CCN", "CCC"]
    assert same(left, parse_smiles(["CCN", "CCC"], PLAIN).table)


def test_structures_alone_need_no_features(tmp_path: Path):
    for _ in range(2):
        parsed = parse_smiles(SMILES, None, cache=tmp_path)
        assert parsed.table is None
        assert parsed.structure_of == parse_smiles(SMILES, PLAIN).structure_of


def test_structures_are_described_in_their_order_even_where_their_smiles_leads_elsewhere():
    first, second = parse_smiles(["CCO", "CCN"], PLAIN).table.structures
    odd = replace(second, inchikey="AAAAAAAAAAAAAA-UHFFFAOYSA-N")
    table = describe_structures([odd, first], PLAIN)
    assert list(table.structures) == [odd, first]
    assert same(table, StructureTable(structures=[odd, first], features=PLAIN([odd.mol(), first.mol()])))


@pytest.mark.parametrize("featuriser", [PLAIN, BOTH], ids=["fingerprint", "fragments too"])
def test_what_was_kept_comes_back_the_same_without_new_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, featuriser: StructureFeaturiser
):
    fresh = parse_smiles(SMILES, featuriser, cache=tmp_path / "cache")
    monkeypatch.setattr(structures, "standardise_rows", None)
    kept = parse_smiles(SMILES, featuriser, cache=tmp_path / "cache")
    assert kept.structure_of == fresh.structure_of
    assert same(kept.table, fresh.table)


def test_other_smiles_other_features_and_damaged_files_are_worked_on_anew(tmp_path: Path):
    for smiles, featuriser in [(["CCO"], PLAIN), (["CCN"], PLAIN), (["CCO"], BOTH)]:
        parse_smiles(smiles, featuriser, cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == 3
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:100])
    assert [s.smiles for s in parse_smiles(["CCO"], PLAIN, cache=tmp_path).table.structures] == ["CCO"]


def test_a_structure_table_is_drawn_from_by_formula_and_seed(tmp_path: Path):
    path = tmp_path / "table.tsv"
    rows = [f"BLOCK{i:09d}\t{'C' * i}O\t{'A' if i % 2 else 'B'}" for i in range(1, 21)]
    path.write_text("\n".join(["inchikey_first_block\tsmiles\tformula", *rows]))
    drawn = smiles_of_formulas(path, {"A", "Z"}, without={"BLOCK000000001"}, at_most=4, seed=1)
    assert list(drawn) == ["A"]
    assert len(drawn["A"]) == 4
    assert "CO" not in drawn["A"]
    both = smiles_of_formulas(path, {"A", "B"}, without={"BLOCK000000001"}, at_most=4, seed=1)
    assert both["A"] == drawn["A"]
    assert len(smiles_of_formulas(path, {"B"}, without=(), at_most=99, seed=1)["B"]) == 10


def test_structures_near_a_mass_are_drawn_by_the_seed(tmp_path: Path):
    # Alanine and its isomers at 89.0477 Da, one structure 10 ppm above, one 12 ppm above, and one that is no formula.
    path = tmp_path / "table.tsv"
    rows = [("A" * 13 + letter, f"S{letter}", "C3H7NO2") for letter in "ABCD"]
    rows += [("B" * 14, "glycine", "C2H5NO2"), ("C" * 14, "none", "Xx7")]
    lines = ["\t".join(row) for row in [("inchikey_first_block", "smiles", "formula"), *rows]]
    path.write_text("\n".join(lines))

    def near(mass: float, *, at_most: int = 9, ppm: float = 10.0, seed: int = 1) -> list[str]:
        return smiles_near_masses(
            path, np.array([mass]), window_ppm=ppm, without={rows[0][0]}, at_most=at_most, seed=seed
        )

    alanine = 89.047678
    assert near(alanine) == ["SB", "SC", "SD"]
    assert near(alanine * (1 + 9.9e-6)) == ["SB", "SC", "SD"]
    assert near(alanine * (1 + 10.2e-6)) == []
    assert near(75.032028) == ["glycine"]
    drawn = {tuple(near(alanine, at_most=1, seed=seed)) for seed in range(30)}
    assert drawn == {("SB",), ("SC",), ("SD",)}
    both = smiles_near_masses(
        path, np.array([75.032028, alanine, alanine]), window_ppm=10, without=(), at_most=1, seed=1
    )
    assert both[0] == "glycine"
    assert len(both) == 2


def test_a_structure_table_without_its_columns_is_refused(tmp_path: Path):
    (tmp_path / "table.tsv").write_text("smiles\nCCO\n")
    with pytest.raises(DatasetError, match=r"no column inchikey_first_block, formula"):
        smiles_of_formulas(tmp_path / "table.tsv", {"A"}, without=(), at_most=4, seed=1)
