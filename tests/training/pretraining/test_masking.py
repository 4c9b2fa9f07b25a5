import numpy as np
import pytest

from diptych.molecules.smiles_tokens import MASK, VOCABULARY, token_ids
from diptych.training.pretraining.masking import IGNORED, masked_sequence

IDS = np.array(token_ids("c1ccccc1CCCCCCCCCCCCCCCC(=O)O"), dtype=np.int64)


def test_the_share_is_withheld_and_never_start_or_end():
    for seed in range(30):
        masked = masked_sequence(IDS, None, share=0.2, rng=np.random.default_rng(seed))
        chosen = masked.labels != IGNORED
        assert chosen.sum() == round(0.2 * (len(IDS) - 2))
        assert not chosen[[0, -1]].any()
        assert (masked.labels[chosen] == IDS[chosen]).all()
        assert (masked.inputs[~chosen] == IDS[~chosen]).all()


def test_eight_of_ten_are_masked_one_is_another_and_one_is_shown():
    ids, counts = np.concatenate([[1], np.full(20_000, 8), [2]]), []
    masked = masked_sequence(ids, None, share=0.5, rng=np.random.default_rng(0))
    seen = masked.inputs[masked.labels != IGNORED]
    counts = [np.mean(seen == VOCABULARY[MASK]), np.mean((seen != VOCABULARY[MASK]) & (seen != 8))]
    assert counts == pytest.approx([0.8, 0.1], abs=0.02)


def test_at_least_one_token_is_withheld():
    ids = np.array(token_ids("C"), dtype=np.int64)
    assert (masked_sequence(ids, None, share=0.01, rng=np.random.default_rng(0)).labels != IGNORED).sum() == 1


def test_whole_pieces_are_withheld_and_of_a_large_one_a_run():
    pieces = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3])
    ids = np.array([1, *range(8, 20), 2])
    for seed in range(30):
        chosen = masked_sequence(ids, pieces, share=0.3, rng=np.random.default_rng(seed)).labels[1:-1] != IGNORED
        assert {tuple(chosen[pieces == piece]) for piece in range(4)} <= {(True,) * 3, (False,) * 3}
        assert chosen.sum() == 6  # 4 are wanted: one piece is too few
    one = np.zeros(40, dtype=np.int64)
    ids = np.array([1, *np.full(40, 8), 2])
    chosen = masked_sequence(ids, one, share=0.25, rng=np.random.default_rng(1)).labels != IGNORED
    places = np.flatnonzero(chosen)
    assert len(places) == 10
    assert places[-1] - places[0] == 9
