import numpy as np
import pytest
import torch

from diptych.encoders.structures.token_batch import TokenBatch, check_pooling, hidden_in_groups, pooled
from diptych.molecules.token_sequences import TokenSequences


def batch(lengths: list[int]) -> TokenBatch:
    rows = [[number + 1] * length for number, length in enumerate(lengths)]
    return TokenBatch.of(TokenSequences.from_lists(rows), padding=0)


def test_groups_are_put_back_in_order_and_padded_with_zeros():
    lengths = np.random.default_rng(0).integers(1, 40, 200).tolist()
    tokens = batch(lengths)
    widths = []

    def encode(group: TokenBatch) -> torch.Tensor:
        widths.append(group.ids.shape)
        return group.ids[..., None].float() + 100

    hidden = hidden_in_groups(tokens, encode)
    torch.testing.assert_close(hidden[..., 0], torch.where(tokens.mask, tokens.ids.float() + 100, 0.0))
    assert [width[0] for width in widths] == [64, 64, 64, 8]
    assert widths[-1][1] < widths[0][1] == max(lengths)


def test_the_mean_leaves_padding_out_and_cls_takes_the_first():
    hidden = torch.tensor([[[1.0], [3.0], [99.0]], [[2.0], [4.0], [6.0]]])
    mask = torch.tensor([[True, True, False], [True, True, True]])
    assert pooled(hidden, mask, "mean")[:, 0].tolist() == [2.0, 4.0]
    assert pooled(hidden, mask, "cls")[:, 0].tolist() == [1.0, 2.0]


def test_an_unknown_pooling_is_refused():
    with pytest.raises(ValueError, match="pooling is 'max'; expected 'mean' or 'cls'"):
        check_pooling("max")
