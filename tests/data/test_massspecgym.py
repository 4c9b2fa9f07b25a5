import lzma
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diptych.data.massspecgym import place_by_similarity, read_folds
from diptych.errors import DatasetError

KNOWN = {"train1": "train", "val1": "val", "test1": "test"}


def test_a_twin_follows_its_benchmark_molecule_and_a_stranger_is_trained_on():
    twins = [("a", "train1"), ("b", "val1"), ("test1", "c")]
    placed = place_by_similarity("abcd", KNOWN, twins=twins)
    assert placed == {"a": "train", "b": "val", "c": "test", "d": "train"}


def test_a_twin_of_a_twin_follows_too():
    assert place_by_similarity("ab", KNOWN, twins=[("a", "test1"), ("a", "b")]) == {"a": "test", "b": "test"}


def test_a_molecule_between_test_and_train_is_left_out():
    assert place_by_similarity("a", KNOWN, twins=[("a", "test1"), ("a", "train1")]) == {"a": "none"}


def test_a_chain_between_test_and_train_is_cut_next_to_test():
    twins = [("a", "test1"), ("a", "b"), ("b", "c"), ("c", "train1")]
    assert place_by_similarity("abc", KNOWN, twins=twins) == {"a": "none", "b": "train", "c": "train"}


def test_known_molecules_are_never_moved():
    assert place_by_similarity(["test1"], KNOWN, twins=[("test1", "train1")]) == {}


PAIRS = st.lists(st.tuples(st.sampled_from([*"abcdefgh", *KNOWN]), st.sampled_from([*"abcdefgh", *KNOWN])))


@given(PAIRS)
def test_a_placed_molecule_never_has_a_twin_in_another_fold(twins: list[tuple[str, str]]):
    folds = KNOWN | place_by_similarity("abcdefgh", KNOWN, twins=twins)
    for first, second in twins:
        if first in KNOWN and second in KNOWN:
            continue
        assert folds[first] == folds[second] or "none" in {folds[first], folds[second]}


def test_folds_are_read_from_a_packed_table(tmp_path: Path):
    path = tmp_path / "folds.tsv.xz"
    path.write_bytes(lzma.compress(b"inchikey_first_block\tfold\nAAAQFGUYHFJNHI\ttrain\nAABFWJDLCCDJJN\ttest\n"))
    assert read_folds(path) == {"AAAQFGUYHFJNHI": "train", "AABFWJDLCCDJJN": "test"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("inchikey_first_block\tfold\nAAAQFGUYHFJNHI\texam\n", "line 2: 'AAAQFGUYHFJNHI' in fold 'exam'"),
        ("inchikey_first_block\tfold\nAAAQ\ttrain\n", "expected a first block of 14 letters"),
        ("inchikey_first_block\tfold\nAAAQFGUYHFJNHI\n", "line 2: 1 columns; expected 2"),
        ("block\tfold\n", "no column inchikey_first_block; it has block, fold"),
        ("", "no column inchikey_first_block, fold; it has none"),
    ],
)
def test_a_table_that_is_no_table_of_folds_is_refused(tmp_path: Path, text: str, message: str):
    path = tmp_path / "folds.tsv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match=message):
        read_folds(path)


def test_a_damaged_or_missing_table_is_a_dataset_error(tmp_path: Path):
    path = tmp_path / "folds.tsv.xz"
    path.write_bytes(lzma.compress(b"inchikey_first_block\tfold\n")[:-20])
    for damaged in (path, tmp_path / "missing.tsv"):
        with pytest.raises(DatasetError, match="cannot be read"):
            read_folds(damaged)
