from math import e, log

import pytest
import torch

from diptych.training.losses.supcon import SupervisedContrast, TanimotoContrast

PAIRS = [[1.0, 0.0], [0.0, 1.0]]


def test_other_spectra_of_a_molecule_are_positives_and_lone_spectra_do_not_count(context):
    # spectra 1 and 2: the positive e against 1 of spectrum 3, which has no positive itself
    given = context([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], PAIRS, molecule=[0, 0, 1])
    assert SupervisedContrast()(given).item() == pytest.approx(log((e + 1) / e))


def test_a_second_view_is_a_positive(context):
    # of four rows, each has one positive e and two strangers of 1
    given = context(PAIRS, PAIRS, second_view=PAIRS)
    assert SupervisedContrast(augmented=True)(given).item() == pytest.approx(log((e + 2) / e))
    assert SupervisedContrast(augmented=True).needs == {"second_view"}


def test_an_own_temperature_divides_the_cosines(context):
    given = context([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], PAIRS, molecule=[0, 0, 1])
    assert SupervisedContrast(temperature=0.5)(given).item() == pytest.approx(log((e**2 + 1) / e**2))


def test_cosines_are_drawn_to_tanimoto_similarities(context):
    # bits 110 and 011 share one of three; cosines 1, 0, 0, 1 against 1, 1/3, 1/3, 1
    bits = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
    given = context(PAIRS, PAIRS, targets={"fingerprint": bits})
    assert TanimotoContrast(alpha=30.0)(given).item() == pytest.approx(30 * 2 / 9 / 4)


def test_both_parts_are_added(context):
    # four rows, two a molecule: the second part has the same mean as with one
    bits = torch.tensor([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
    given = context(PAIRS, PAIRS, second_view=PAIRS, targets={"fingerprint": bits})
    term = TanimotoContrast(alpha=9.0, augmented=True)
    assert term(given).item() == pytest.approx(log((e + 2) / e) + 9 * (8 / 9) / 16)
    assert term.needs == {"second_view", "fingerprint"}
