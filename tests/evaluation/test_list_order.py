import numpy as np
import pytest

from diptych.evaluation.leaks import Verdict
from diptych.evaluation.list_order import order_asked, order_in_file
from diptych.evaluation.results_scores import CandidateScores

NAMES = [f"S{i}" for i in range(10)]


def scores(positions: list[int], *, lengths: list[int], blocks: tuple[str, ...] = ()) -> CandidateScores:
    n = sum(lengths)
    return CandidateScores(
        queries=tuple(map(str, range(len(lengths)))),
        offsets=np.cumsum([0, *lengths]),
        scores=np.arange(n, dtype=np.float32),
        first_blocks=blocks or tuple(f"B{i}" for i in range(n)),
        target_positions=np.array(positions),
    )


def shuffled(*, n: int) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    generator = np.random.default_rng(1)
    lists = {str(i): [NAMES[j] for j in generator.permutation(len(NAMES))] for i in range(n)}
    return lists, {key: ["S0"] for key in lists}


def test_a_file_whose_lists_have_the_answer_first_fails():
    lists, answers = shuffled(n=521)
    finding = order_in_file(dict.fromkeys(lists, NAMES), answers)
    assert (finding.check, finding.verdict) == ("order in the file", Verdict.FAIL)
    assert finding.numbers["first"] == 1.0
    assert finding.numbers["expected_first"] == pytest.approx(0.1)
    assert order_in_file(dict.fromkeys(lists, NAMES[::-1]), answers).verdict is Verdict.FAIL
    assert order_in_file(lists, answers).verdict is Verdict.PASS


def test_twenty_lists_with_the_answer_first_are_enough_to_fail():
    lists, answers = shuffled(n=20)
    assert order_in_file(dict.fromkeys(lists, NAMES), answers).verdict is Verdict.FAIL
    assert order_in_file(lists, answers).verdict is Verdict.PASS


def test_an_answer_that_is_spelt_several_times_does_not_stand_nearer_to_the_start_by_chance():
    lists, _ = shuffled(n=500)
    finding = order_in_file(lists, {key: ["S0", "S1", "S2"] for key in lists})
    assert finding.verdict is Verdict.PASS
    assert finding.numbers["expected_first"] == pytest.approx(0.3)


def test_lists_that_lack_their_answer_say_nothing_of_the_order():
    lists, answers = shuffled(n=30)
    assert order_in_file({}, {}).says.startswith("Not checked: no candidate file of the queries is given")
    finding = order_in_file(lists | {"0": ["S0"]}, answers | {key: [] for key in map(str, range(1, 25))})
    assert finding.says == "Not checked: 5 distinct lists hold their answer and another, too few to tell."


def test_an_answer_that_always_stands_first_fails():
    assert order_asked(scores([0] * 100, lengths=[5] * 100)).verdict is Verdict.FAIL
    even = order_asked(scores([i % 5 for i in range(100)], lengths=[5] * 100))
    assert (even.check, even.verdict) == ("order asked", Verdict.PASS)
    assert even.numbers["expected_first"] == pytest.approx(0.2)
    assert order_asked(scores([0], lengths=[5])).verdict is Verdict.UNKNOWN
    assert order_asked(None).verdict is Verdict.UNKNOWN


def test_spectra_of_one_molecule_count_the_position_of_their_list_once():
    same = scores([0] * 100, lengths=[5] * 100, blocks=("A", "B", "C", "D", "E") * 100)
    assert order_asked(same).says == "Not checked: 1 distinct lists hold their answer and another, too few to tell."
