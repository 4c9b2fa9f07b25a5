import pytest
import torch

from diptych.encoders.language_model.space import EvenedSpace


def test_whitening_evens_out_what_varies_and_drops_the_least():
    torch.manual_seed(0)
    vectors = torch.randn(4000, 3) * torch.tensor([3.0, 1.0, 1e-4]) + 5
    space = EvenedSpace(3, output_dim=2, space="whitened")
    assert not space.is_fitted
    torch.testing.assert_close(space(vectors), vectors[:, :2])
    space.fit(vectors)
    assert space.is_fitted
    even = space(vectors)
    # Variances 9 and 1 over 9 + e and 1 + e, e = 0.02 (9 + 1 + 0) / 3
    expected = torch.tensor([9 / (9 + 1 / 15), 1 / (1 + 1 / 15)])
    torch.testing.assert_close(even.var(dim=0), expected, atol=2e-3, rtol=0)
    assert even.mean(dim=0).abs().max() < 1e-4
    assert torch.corrcoef(even.T)[0, 1].abs() < 1e-3


def test_centring_takes_the_mean_away():
    vectors = torch.tensor([[1.0, 2.0], [3.0, 6.0]])
    space = EvenedSpace(2, output_dim=2, space="centred")
    space.fit(vectors)
    assert space(vectors).tolist() == [[-1.0, -2.0], [1.0, 2.0]]


def test_a_raw_space_is_left_alone():
    vectors = torch.tensor([[1.0, 2.0]])
    space = EvenedSpace(2, output_dim=2, space="raw")
    space.fit(vectors)
    assert space.is_fitted
    assert space(vectors) is vectors
    assert space.state_dict() == {}


def test_more_numbers_than_there_are_cannot_be_had():
    with pytest.raises(ValueError, match="3 numbers are wanted of 2; expected at most so many"):
        EvenedSpace(2, output_dim=3, space="whitened")
