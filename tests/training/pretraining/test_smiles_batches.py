import numpy as np
import torch

from diptych.molecules.pretraining_views import ViewMaker
from diptych.molecules.smiles_tokens import TOKENS
from diptych.training.pretraining.smiles_batches import SmilesBatchMaker, planned_batches

SMILES = ["CCO", "CC(=O)Nc1ccc(O)cc1", "OCC1OC(O)C(O)C1O"]


def maker(*, pieces: bool = False, max_tokens: int = 50) -> SmilesBatchMaker:
    return SmilesBatchMaker(views=ViewMaker(describe=True, find_pieces=pieces), mask_share=0.3, max_tokens=max_tokens)


def test_a_batch_follows_from_its_seed_and_knows_what_was_withheld():
    batch, again = maker()(SMILES, seed=[1, 2]), maker()(SMILES, seed=[1, 2])
    assert torch.equal(batch.ids, again.ids)
    assert torch.equal(batch.labels, again.labels)
    assert not torch.equal(batch.ids, maker()(SMILES, seed=[1, 3]).ids)
    assert batch.mask.sum(dim=1).tolist()[0] == 5
    assert (batch.labels[~batch.mask] == -100).all()
    assert batch.fingerprint.shape == (3, 2048)
    assert batch.descriptors[:, 0].tolist() == [3, 11, 10]


def test_the_canonical_spelling_can_be_asked_for():
    batch = maker()(SMILES, seed=[0], randomised=False)
    ids = torch.where(batch.labels >= 0, batch.labels, batch.ids)
    assert "".join(TOKENS[i] for i in ids[1][batch.mask[1]][1:-1]) == "CC(=O)Nc1ccc(O)cc1"


def test_long_sequences_are_cut_in_both_ways_of_masking():
    for pieces in (False, True):
        batch = maker(pieces=pieces, max_tokens=8)(SMILES, seed=[0])
        assert batch.ids.shape == (3, 8)
        assert (batch.labels >= 0).any(dim=1).all()


def test_an_epoch_has_every_row_once_in_batches_of_similar_length():
    lengths = np.random.default_rng(0).integers(5, 200, 1000)
    batches = planned_batches(lengths, batch_size=16, seed=[1, 0])
    assert sorted(np.concatenate(batches).tolist()) == list(range(1000))
    assert max(len(batch) for batch in batches) == 16
    spread = [np.ptp(lengths[batch]) for batch in batches]
    assert np.mean(spread) < 8
    assert [b.tolist() for b in batches] == [b.tolist() for b in planned_batches(lengths, batch_size=16, seed=[1, 0])]
    assert batches[0].tolist() != planned_batches(lengths, batch_size=16, seed=[1, 1])[0].tolist()
