import pytest

from diptych.evaluation import wording
from diptych.evaluation.wording import counted, query_count_lines, repeated_line, score_count_lines


@pytest.mark.parametrize(
    ("n", "told"), [(0, "0 queries"), (1, "1 query"), (2, "2 queries"), (740_658, "740,658 queries")]
)
def test_one_is_told_as_one_and_thousands_are_parted(n: int, told: str):
    assert counted(n, "query", "queries") == told


def test_every_count_has_a_word_for_one_and_for_several():
    for words in (wording._OF_QUERIES, wording._OF_SCORES):
        assert all(one != several for one, several in words.values())
    assert query_count_lines({"duplicate_candidates_removed": 1, "spectra_without_list": 0}) == [
        "1 duplicate candidate removed"
    ]
    assert score_count_lines({"table_rows_without_score": 1, "infinite_scores": 2, "seed": 5}) == [
        "1 table row without score",
        "2 infinite scores, taken for none",
    ]


def test_of_many_repeated_identifiers_the_first_are_named():
    assert repeated_line(2, ["a#2", "a#3"]).endswith("they are called a#2, a#3.")
    assert repeated_line(9, [f"a#{i}" for i in range(2, 11)]).endswith("they are called a#2, a#3, a#4, ...")
