import pytest
from hypothesis import given
from hypothesis import strategies as st

from diptych.data.splits import (
    Fractions,
    connect,
    deal_groups,
    molecule_folds,
    random_folds,
    scaffold_folds,
    similarity_folds,
)
from diptych.errors import DatasetError

BLOCKS = [f"BLOCK{number:09d}" for number in range(200)]
HALVES = Fractions(train=0.5, val=0.25, test=0.25)


def sizes(folds: dict[str, str]) -> dict[str, int]:
    return {fold: list(folds.values()).count(fold) for fold in ("train", "val", "test")}


def test_members_without_ties_are_dealt_by_the_fractions():
    assert sizes(molecule_folds(BLOCKS, fractions=HALVES, seed=0)) == {"train": 100, "val": 50, "test": 50}
    assert sizes(random_folds(BLOCKS, fractions=Fractions(), seed=0)) == {"train": 160, "val": 20, "test": 20}


def test_the_seed_decides_and_the_order_of_the_input_does_not():
    first = molecule_folds(BLOCKS, fractions=HALVES, seed=1)
    assert molecule_folds(reversed(BLOCKS), fractions=HALVES, seed=1) == first
    assert molecule_folds(BLOCKS, fractions=HALVES, seed=2) != first


@given(st.dictionaries(st.text(min_size=1, max_size=4), st.integers(0, 9), min_size=1), st.integers(0, 99))
def test_a_group_is_never_divided(groups: dict[str, int], seed: int):
    folds = deal_groups(groups, fractions=HALVES, seed=seed)
    assert folds.keys() == groups.keys()
    for group in set(groups.values()):
        assert len({folds[member] for member, its in groups.items() if its == group}) == 1


def test_a_group_too_large_for_a_held_out_fold_is_trained_on():
    groups = dict.fromkeys(BLOCKS[:40], "large") | {block: block for block in BLOCKS[40:]}
    for seed in range(5):
        folds = deal_groups(groups, fractions=HALVES, seed=seed)
        assert {folds[block] for block in BLOCKS[:40]} == {"train"}


def test_no_scaffold_stands_in_two_folds_and_acyclic_molecules_are_dealt_one_by_one():
    drawn = [(block, f"ring {number // 3}" if number < 150 else "") for number, block in enumerate(BLOCKS)]
    folds = scaffold_folds(drawn, fractions=HALVES, seed=3)
    by_scaffold: dict[str, set[str]] = {}
    for block, scaffold in drawn:
        by_scaffold.setdefault(scaffold, set()).add(folds[block])
    acyclic = by_scaffold.pop("")
    assert all(len(found) == 1 for found in by_scaffold.values())
    assert acyclic == {"train", "val", "test"}


def test_a_molecule_drawn_as_two_tautomers_ties_their_scaffolds_together():
    drawn = [("A", "ring 1"), ("B", "ring 1"), ("B", "ring 2"), ("C", "ring 2")]
    for seed in range(10):
        folds = scaffold_folds(drawn, fractions=Fractions(train=0.4, val=0.3, test=0.3), seed=seed)
        assert len(set(folds.values())) == 1


def test_twins_share_a_fold_along_a_whole_chain():
    twins = [(BLOCKS[number], BLOCKS[number + 1]) for number in range(0, 199) if number % 4 != 3]
    folds = similarity_folds(BLOCKS, twins, fractions=HALVES, seed=0)
    for first, second in twins:
        assert folds[first] == folds[second]
    assert set(sizes(folds).values()) != {0}


def test_chains_of_links_connect():
    assert connect("abcde", [("d", "e"), ("b", "d")]) == {"a": "a", "b": "b", "c": "c", "d": "b", "e": "b"}


@pytest.mark.parametrize("parts", [(0.5, 0.5, 0.5), (1.2, -0.1, -0.1)])
def test_fractions_must_be_parts_of_one(parts: tuple[float, float, float]):
    with pytest.raises(DatasetError, match="expected three parts of 1, none negative"):
        Fractions(train=parts[0], val=parts[1], test=parts[2])
