import numpy as np
import pytest
from scipy.stats import chi2

from diptych.evaluation.audit.leaks import Verdict
from diptych.evaluation.audit.list_order import order_asked, order_in_file
from diptych.evaluation.results.scores import CandidateScores

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


@pytest.mark.parametrize(("n_lists", "n_parts"), [(100, 10), (55, 10), (50, 10), (49, 9), (10, 2)])
def test_places_are_counted_over_tenths_or_fewer_parts_of_at_least_five_lists(n_lists: int, n_parts: int):
    finding = order_asked(scores([i % 7 for i in range(n_lists)], lengths=[7] * n_lists))
    assert (len(finding.numbers["by_part"]), sum(finding.numbers["by_part"])) == (n_parts, n_lists)
    assert order_asked(scores([0] * 9, lengths=[7] * 9)).says.startswith("Not checked: 9 distinct lists hold")


def test_lists_that_lack_their_answer_or_have_no_other_candidate_are_not_asked():
    positions = [-1] * 30 + [0] * 30 + [1, 2] * 10 + [1] * 10
    found = order_asked(scores(positions, lengths=[4] * 30 + [1] * 30 + [4] * 20 + [2] * 10))
    assert (found.numbers["first"], sum(found.numbers["by_part"])) == (0.0, 30)
    assert found.numbers["expected_first"] == pytest.approx((20 / 4 + 10 / 2) / 30)


@pytest.mark.parametrize(
    ("counts", "chi_square", "verdict"),
    [
        ([22, *[9] * 6, *[8] * 3], 16.2, Verdict.PASS),
        ([26, *[9] * 2, *[8] * 7], 28.6, Verdict.WARN),
        ([29, *[8] * 8, 7], 40.2, Verdict.WARN),
        ([32, *[8] * 5, *[7] * 4], 54.0, Verdict.FAIL),
    ],
)
def test_places_warn_below_one_in_a_hundred_and_fail_below_one_in_a_million(
    counts: list[int], chi_square: float, verdict: Verdict
):
    # In lists of ten every position is a part of its own; of 100 lists 10 are expected in each.
    found = order_asked(scores(np.repeat(range(10), counts).tolist(), lengths=[10] * 100))
    assert found.numbers["by_part"] == counts
    assert found.numbers["first"] == counts[0] / 100
    assert found.numbers["p_value"] == pytest.approx(chi2.sf(chi_square, 9))
    assert found.verdict is verdict


def test_spectra_of_one_molecule_count_the_position_of_their_list_once():
    same = scores([0] * 100, lengths=[5] * 100, blocks=("A", "B", "C", "D", "E") * 100)
    assert order_asked(same).says == "Not checked: 1 distinct lists hold their answer and another, too few to tell."
