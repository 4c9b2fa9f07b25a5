from pathlib import Path

import numpy as np
import pytest

from diptych.data.candidates import CandidateTable, candidates_by_formula, candidates_by_mass, read_candidate_table
from diptych.errors import DatasetError, FormulaError

ROWS = [
    ("LFQSCWFLJHTTHZ", "CCO", "C2H6O"),
    ("LCGLNKUTAGEVQW", "COC", "C2H6O"),
    ("LFQSCWFLJHTTHZ", "OCC", "C2H6O"),
    ("ATUOYWHBWRKTHZ", "CCC", "C3H8"),
    ("OKKJLVBELUTLKV", "CO", "CH4O"),
    ("BDAGIHXWWSANSR", "OC=O", "CH2O2"),
]
TABLE = CandidateTable.of(ROWS)


def test_the_table_is_sorted_by_mass_and_holds_a_first_block_once():
    assert len(TABLE) == 5
    assert np.all(np.diff(TABLE.exact_masses) >= 0)
    assert TABLE.exact_masses[TABLE.row("OKKJLVBELUTLKV")] == pytest.approx(32.026215, abs=1e-5)
    assert TABLE.smiles[TABLE.row("LFQSCWFLJHTTHZ")] == "CCO"


def test_candidates_of_a_formula_are_all_that_have_it():
    assert sorted(candidates_by_formula(TABLE, "LFQSCWFLJHTTHZ")) == ["CCO", "COC"]
    assert candidates_by_formula(TABLE, "ATUOYWHBWRKTHZ") == ["CCC"]


def test_candidates_of_a_mass_lie_within_the_window():
    assert sorted(candidates_by_mass(TABLE, "LFQSCWFLJHTTHZ", ppm=10)) == ["CCO", "COC"]
    # C3H8 (44.0626 Da) is 471 ppm above CH2O2's 46.0055 - not; C2H6O (46.0419 Da) is 791 ppm above it.
    assert sorted(candidates_by_mass(TABLE, "BDAGIHXWWSANSR", ppm=800)) == ["CCO", "COC", "OC=O"]
    assert candidates_by_mass(TABLE, "BDAGIHXWWSANSR", ppm=780) == ["OC=O"]


def many(number: int) -> CandidateTable:
    return CandidateTable.of((f"BLOCK{i:09d}", f"smiles {i}", "C6H6") for i in range(number))


def test_a_long_list_is_cut_by_seed_and_keeps_its_target():
    table = many(1000)
    first = candidates_by_formula(table, "BLOCK000000007", seed=1)
    assert len(first) == len(set(first)) == 256
    assert "smiles 7" in first
    assert candidates_by_formula(table, "BLOCK000000007", seed=1) == first
    assert candidates_by_formula(table, "BLOCK000000007", seed=2) != first


def test_the_place_of_the_target_is_drawn_too():
    table = many(20)
    places = {candidates_by_formula(table, "BLOCK000000007", seed=seed).index("smiles 7") for seed in range(60)}
    assert len(places) > 10


def test_the_order_of_the_source_changes_nothing():
    assert candidates_by_formula(CandidateTable.of(reversed(ROWS)), "LCGLNKUTAGEVQW")[0] in {"CCO", "OCC", "COC"}
    reverse = CandidateTable.of((f"BLOCK{i:09d}", f"smiles {i}", "C6H6") for i in reversed(range(50)))
    assert candidates_by_formula(reverse, "BLOCK000000007") == candidates_by_formula(many(50), "BLOCK000000007")


def test_a_target_that_is_not_in_the_table_is_named():
    with pytest.raises(DatasetError, match="NOTHERENOTHERE: not among the 5 structures"):
        candidates_by_formula(TABLE, "NOTHERENOTHERE")


def test_a_list_has_room_for_its_target():
    with pytest.raises(DatasetError, match="expected room for the target"):
        candidates_by_formula(TABLE, "LFQSCWFLJHTTHZ", limit=0)
    assert candidates_by_formula(TABLE, "LFQSCWFLJHTTHZ", limit=1) == ["CCO"]


def test_a_table_is_read_from_a_file_and_a_formula_that_is_none_is_placed(tmp_path: Path):
    path = tmp_path / "structures.tsv"
    path.write_text("inchikey_first_block\tsmiles\tformula\nLFQSCWFLJHTTHZ\tCCO\tC2H6O\n", encoding="utf-8")
    assert read_candidate_table(path).smiles.tolist() == ["CCO"]
    path.write_text("inchikey_first_block\tsmiles\tformula\nLFQSCWFLJHTTHZ\tCCO\tXx2\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"structures\.tsv"):
        read_candidate_table(path)
    with pytest.raises(FormulaError):
        CandidateTable.of([("LFQSCWFLJHTTHZ", "CCO", "Xx2")])


def test_a_permanent_cation_has_the_mass_of_its_ion():
    table = CandidateTable.of([("AAAAAAAAAAAAAA", "CCCC[P+](CCCC)(CCCC)CCCC", "C16H36P+")])
    assert table.exact_masses[0] == pytest.approx(259.2549, abs=1e-4)
