import numpy as np
import pytest

from diptych.errors import ReadError
from diptych.spectra.readers.peaks import parse_peaks


def test_what_stands_behind_two_columns_is_ignored():
    assert parse_peaks(["100 5", "101\t6\t1+", "102  7  a b"]).tolist() == [[100, 5], [101, 6], [102, 7]]


def test_no_lines_are_no_peaks():
    assert parse_peaks([]).shape == (0, 2)


def test_numbers_that_no_peak_can_have_are_left_to_the_spectrum():
    assert np.isnan(parse_peaks(["nan 1"])[0, 0])


@pytest.mark.parametrize("lines", [["100 5", "101"], ["100 5", "x 6"], ["100 5", "101 6,5"], ["200", "100 5 6"]])
def test_a_bad_peak_is_quoted(lines: list[str]):
    bad = next(i for i, line in enumerate(lines, 1) if line not in {"100 5", "100 5 6"})
    with pytest.raises(ReadError, match=f"peak {bad} of 2 reads '{lines[bad - 1]}'; expected 'm/z intensity'"):
        parse_peaks(lines)
