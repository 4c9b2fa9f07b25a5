from pathlib import Path

import pytest

from diptych.errors import DatasetError, EvaluationError
from diptych.evaluation.questions.measured_lists import candidate_tables, draw_lists, measured_rows, with_known_mass
from diptych.molecules.structure import Structure

ETHANOL, ETHER, PROPANE = (Structure.from_smiles(text) for text in ("CCO", "COC", "CCC"))
ISOMER = ("AAAAAAAAAAAAAA", "C1CO1.[H][H]", "C2H6O")
NEAR = ("BBBBBBBBBBBBBB", "near", "C2H6O")


def row(structure: Structure) -> tuple[str, str, str]:
    return structure.inchikey_first_block, structure.smiles, structure.formula


TABLES = candidate_tables([ETHANOL, PROPANE], [row(ETHER), ISOMER, row(ETHANOL)])


def drawn(kind: str, **options: float) -> set[str]:
    return set(draw_lists([ETHANOL.inchikey_first_block], TABLES, kind=kind, **options)[ETHANOL.inchikey_first_block])


def test_lists_of_one_formula_and_of_one_mass_come_from_all_structures():
    assert drawn("formula") == {"CCO", "COC", ISOMER[1]}
    assert drawn("formula", ppm=50_000) == {"CCO", "COC", ISOMER[1]}
    # Propane, 44.0626 Da, is lighter than ethanol, 46.0419 Da, by 43,000 ppm.
    assert drawn("mass", ppm=10) == {"CCO", "COC", ISOMER[1]}
    assert drawn("mass", ppm=50_000) == {"CCO", "COC", ISOMER[1], "CCC"}


def test_measured_lists_hold_measured_molecules_alone():
    assert drawn("measured", ppm=10) == {"CCO"}
    assert drawn("measured", ppm=50_000) == {"CCO", "CCC"}


def test_further_structures_can_have_been_measured(tmp_path: Path):
    header = "inchikey_first_block\tsmiles\tformula\tsource\tfold"
    rows = [header, "A\tCCO\tC2H6O\treport\t", "B\tCOC\tC2H6O\tpubchem\ttest", "C\tCC\tC2H6\tpubchem\t"]
    (tmp_path / "t.tsv").write_text("\n".join(rows))
    found = measured_rows(tmp_path / "t.tsv", ["fold", "source=report"])
    assert found == [("A", "CCO", "C2H6O"), ("B", "COC", "C2H6O")]
    assert measured_rows(tmp_path / "t.tsv", []) == []
    tables = candidate_tables([ETHANOL], [row(ETHER), ISOMER], others_measured=[row(ETHER)])
    (lists,) = draw_lists([ETHANOL.inchikey_first_block], tables, kind="measured").values()
    assert set(lists) == {"CCO", "COC"}


def test_a_long_list_keeps_the_target_and_is_the_same_every_time():
    lists = [drawn("formula", at_most=2, seed=seed) for seed in (0, 0, 1, 2, 3)]
    assert all("CCO" in found and len(found) == 2 for found in lists)
    assert lists[0] == lists[1]
    assert len({frozenset(found) for found in lists}) == 2


def test_structures_without_a_mass_are_left_out_and_counted():
    assert with_known_mass([NEAR, ("C", "O[Tc]", "HOTc"), NEAR]) == ([NEAR, NEAR], 1)


def test_an_unknown_kind_is_refused():
    with pytest.raises(EvaluationError, match="no kind of list 'best'; expected one of formula, mass, measured"):
        drawn("best")


def test_a_condition_that_no_row_meets_is_refused(tmp_path: Path):
    (tmp_path / "t.tsv").write_text("inchikey_first_block\tsmiles\tformula\tsource\nA\tCCO\tC2H6O\treport\n")
    with pytest.raises(DatasetError, match=r"t\.tsv: no row is measured by source=roport; expected one at least"):
        measured_rows(tmp_path / "t.tsv", ["source=report", "source=roport"])
