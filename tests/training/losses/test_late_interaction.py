from math import e, exp, log

import pytest
import torch

from diptych.embedding import JointEmbedding
from diptych.encoders import EncoderOutput
from diptych.errors import ConfigError
from diptych.training.losses.late_interaction import LateInteraction

PAIRS = torch.eye(2)
X, Y = [1.0, 0.0], [0.0, 1.0]
TOWERS = {"spectrum": {"fine_width": 64, "bin_dim": 4, "hidden_dim": 8}, "structure": {"width": 64, "hidden_dim": 8}}


def with_tokens(tokens: list[list[list[float]]], mask: list[list[bool]]) -> EncoderOutput:
    vectors = torch.tensor(tokens)
    return EncoderOutput(torch.eye(max(2, len(vectors)))[: len(vectors), :2], (2,), vectors, torch.tensor(mask))


@pytest.fixture
def term(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("diptych.training.losses.late_interaction.check_tokens", lambda model, *, asked_by: None)
    return LateInteraction(model=None)


SPECTRA = with_tokens([[X, Y], [Y, X]], [[True, True], [True, False]])


def test_each_peak_is_scored_by_its_best_atom(context, term):
    # scores: peaks x and y against atom x 1/2, against atom y 1/2; peak y alone 0 and 1
    structures = with_tokens([[X], [Y]], [[True], [True]])
    by_spectrum = (log(2) + log((e + 1) / e)) / 2
    by_structure = (log(1 + exp(-0.5)) + log(1 + exp(-0.5))) / 2
    assert term(context(SPECTRA, structures, n_molecules=2)).item() == pytest.approx((by_spectrum + by_structure) / 2)


def test_a_hard_negative_counts_for_its_owner(context, term):
    # a third structure with an atom x for the first spectrum: three equal scores
    structures = with_tokens([[X], [Y], [X]], [[True]] * 3)
    by_spectrum = (log(3) + log((e + 1) / e)) / 2
    by_structure = log(1 + exp(-0.5))
    given = context(SPECTRA, structures, owner=(0,), n_molecules=2)
    assert term(given).item() == pytest.approx((by_spectrum + by_structure) / 2)
    term.hard_negatives = False
    assert term(given).item() == pytest.approx(((log(2) + log((e + 1) / e)) / 2 + by_structure) / 2)


def test_the_temperature_has_a_finite_gradient_beside_foreign_negatives(context, term):
    given = context(SPECTRA, with_tokens([[X], [Y], [X]], [[True]] * 3), owner=(0,), n_molecules=2)
    given.temperature.requires_grad_()
    term(given).backward()
    assert torch.isfinite(given.temperature.grad)


def test_vectors_without_parts_are_one_clear_error(context, term):
    with pytest.raises(ConfigError, match=r"'late-interaction': a tower returned no vectors of parts"):
        term(context(PAIRS, PAIRS))


def test_towers_without_parts_are_refused_before_training():
    model = JointEmbedding.from_config(**TOWERS, embedding_dim=8)
    with pytest.raises(ConfigError, match=r"a vector for each peak and each atom; the tower 'binned-mlp' returns none"):
        LateInteraction(model=model)


def test_parts_of_other_lengths_are_refused_before_training(monkeypatch: pytest.MonkeyPatch):
    model = JointEmbedding.from_config(**TOWERS, embedding_dim=8)
    outputs = {"spectrum": torch.ones(1, 3, 4), "structure": torch.ones(1, 3, 5)}
    for side, vectors in outputs.items():
        encoder = getattr(model, f"{side}_encoder")
        output = EncoderOutput(torch.ones(1, 8), (8,), vectors, torch.ones(1, 3, dtype=torch.bool))
        monkeypatch.setattr(encoder, "forward", lambda batch, output=output: output)
    with pytest.raises(
        ConfigError, match=r"vectors of peaks have length 4, those of atoms 5; expected the same token_dim"
    ):
        LateInteraction(model=model)
