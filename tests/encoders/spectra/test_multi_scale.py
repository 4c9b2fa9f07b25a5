import math

import pytest
import torch

from diptych.encoders.spectra.multi_scale import MultiScaleSpectrumEncoder, attention_shares
from diptych.errors import ConfigError
from diptych.spectra import Spectrum

SMALL = {"fine_width": 64, "bin_dim": 8, "hidden_dim": 16, "boundaries": [100.0, 200.0]}


def tower(**options) -> MultiScaleSpectrumEncoder:
    torch.manual_seed(0)
    return MultiScaleSpectrumEncoder(embedding_dim=12, **{**SMALL, **options}).eval()


def spectrum(*peaks: tuple[float, float]) -> Spectrum:
    mz, intensity = zip(*peaks, strict=True)
    return Spectrum.from_peaks(mz, intensity, precursor_mz=310.0)


def test_each_interval_counts_its_peaks_relative_to_its_own_largest():
    encoder = tower()
    weights = encoder._scale_weights(encoder.collate([spectrum((60, 100), (100, 25), (140, 4))]))[0]
    expected = torch.tensor([[1.0, 0.5, 0.2], [1.0, 0.0, 0.0], [0.0, 1.0, 0.4], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(weights, expected)


def test_only_intervals_with_peaks_are_attended_to():
    query, keys = torch.tensor([[2.0, 0, 0, 0]]), torch.tensor([[[0.0, 0, 0, 0], [1.0, 0, 0, 0], [9.0, 0, 0, 0]]])
    shares = attention_shares(query, keys, torch.tensor([[True, True, False]]))
    # Scores 0 and 2 / sqrt(4) = 1; the third is not there.
    expected = torch.tensor([[1 / (1 + math.e), math.e / (1 + math.e), 0.0]])
    torch.testing.assert_close(shares, expected)
    assert attention_shares(query, keys, torch.zeros(1, 3, dtype=torch.bool)).count_nonzero() == 0


@torch.no_grad()
def test_an_interval_does_not_depend_on_the_others():
    encoder = tower()
    whole = encoder(encoder.collate([spectrum((60, 100), (150, 25), (160, 4), (250, 8))]))
    cropped = encoder(encoder.collate([spectrum((150, 25), (160, 4))]))
    assert whole.token_mask.tolist() == [[True, True, True]]
    assert cropped.token_mask.tolist() == [[False, True, False]]
    torch.testing.assert_close(cropped.token_vectors[:, 1], whole.token_vectors[:, 1])
    torch.testing.assert_close(cropped.token_vectors.norm(dim=-1), torch.tensor([[0.0, 1.0, 0.0]]))


@torch.no_grad()
def test_what_is_learned_of_a_missing_interval_changes_nothing():
    encoder = tower()
    batch = encoder.collate([spectrum((60, 100), (150, 25))])
    before = encoder(batch).global_vector
    encoder.scales[3] += 5.0
    torch.testing.assert_close(encoder(batch).global_vector, before)


@torch.no_grad()
def test_a_missing_range_is_what_range_dropout_makes_of_it():
    encoder = tower(range_dropout=0.5, dropout=0.0).train()
    batch = encoder.collate([spectrum((60, 100), (150, 25), (250, 8))])
    seen = set()
    for _ in range(40):
        weights = encoder._scale_weights(batch)[0]
        torch.testing.assert_close(weights[0].count_nonzero(), weights[1:].count_nonzero())
        assert weights[0].max() in (0.0, 1.0)
        seen.add(tuple((weights[1:] > 0).any(dim=1).tolist()))
    assert len(seen) > 4
    assert encoder.eval()._scale_weights(batch)[0, 0].count_nonzero() == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"boundaries": [200.0, 100.0]}, r"boundaries are \[200\.0, 100\.0\]; expected m/z in ascending order"),
        ({"boundaries": []}, r"boundaries are \[\]; expected m/z"),
        ({"range_dropout": 1.0}, r"range_dropout is 1\.0; expected a share from 0 to below 1"),
    ],
)
def test_impossible_options_are_refused(options: dict, message: str):
    with pytest.raises(ConfigError, match=message):
        tower(**options)
