from math import e, log

import pytest
import torch

from diptych.training.losses.candidates import CandidateRegularisation, Listwise, most_alike

PAIRS = [[1.0, 0.0], [0.0, 1.0]]


def test_the_listwise_term_has_a_temperature_of_its_own(context):
    # an orthogonal decoy for the first spectrum: e^2 / (e^2 + 1) at temperature 1/2
    given = context(PAIRS, [*PAIRS, [0.0, 1.0]], owner=(0,))
    assert Listwise(temperature=0.5)(given).item() == pytest.approx(log((e**2 + 1) / e**2) / 2)
    assert Listwise()(given).item() == pytest.approx(log((e + 1) / e) / 2)


def test_cosines_with_the_candidates_most_like_the_molecule_are_lowered(context):
    # of the first molecule's decoys the second shares both bits with it: cosine 0.6; the other molecule has none
    bits = torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [1.0, 1.0, 0.0]])
    given = context(PAIRS, [*PAIRS, [1.0, 0.0], [0.6, 0.8]], owner=(0, 0), targets={"fingerprint": bits})
    assert CandidateRegularisation(k=1, beta=0.1)(given).item() == pytest.approx(0.06)
    assert CandidateRegularisation(k=2, beta=0.1)(given).item() == pytest.approx(0.1 * (1.0 + 0.6) / 2)
    assert CandidateRegularisation(alpha=0.9).main_weight == 0.9


def test_without_candidates_there_is_nothing_to_lower(context):
    given = context(PAIRS, PAIRS, targets={"fingerprint": torch.ones(2, 3)})
    assert CandidateRegularisation()(given).item() == 0.0


def test_the_most_alike_are_chosen_for_each_owner():
    owner, similarity = torch.tensor([1, 0, 1, 0, 1]), torch.tensor([0.5, 0.1, 0.9, 0.3, 0.5])
    assert most_alike(owner, similarity, k=1).tolist() == [2, 3]
    assert most_alike(owner, similarity, k=2).tolist() == [0, 1, 2, 3]
