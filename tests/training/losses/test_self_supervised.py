from math import e, log

import pytest

from diptych.errors import ConfigError
from diptych.training.losses.self_supervised import SelfSupervised

PAIRS = [[1.0, 0.0], [0.0, 1.0]]


def test_two_views_find_each_other_among_both_views_of_the_others(context):
    # the other view e, the two views of the other spectrum 1 each
    given = context(PAIRS, PAIRS, unlabelled=(PAIRS, PAIRS))
    assert SelfSupervised()(given).item() == pytest.approx(log((e + 2) / e))
    assert SelfSupervised(temperature=0.5)(given).item() == pytest.approx(log((e**2 + 2) / e**2))


def test_without_unlabelled_spectra_it_says_what_to_give(context):
    with pytest.raises(ConfigError, match=r"no unlabelled spectra; give data\.unlabelled and sampling\.unlabelled"):
        SelfSupervised()(context(PAIRS, PAIRS))
