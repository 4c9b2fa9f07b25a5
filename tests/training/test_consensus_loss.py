import math

import pytest
import torch

from diptych.training.losses import LOSSES, ContrastiveBatch, LossSettings, symmetric_info_nce

ONE = torch.tensor(1.0)


def test_the_mean_of_a_molecule_s_spectra_is_contrasted():
    # Molecule 0 has spectra at 0 and 90 degrees, which together point to 45; molecule 1 one at 90.
    batch = ContrastiveBatch(
        spectra=torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]]),
        structures=torch.eye(2),
        negatives=torch.empty(0, 2),
        owner=torch.empty(0, dtype=torch.int64),
        molecule=torch.tensor([0, 0, 1]),
    )
    half = math.sqrt(0.5)
    by_spectrum = (math.log(2) + math.log(1 + math.exp(-1))) / 2
    by_structure = (math.log(1 + math.exp(-half)) + math.log(1 + math.exp(half - 1))) / 2
    loss = LOSSES["consensus"](batch, ONE, settings=LossSettings())
    assert loss.item() == pytest.approx((by_spectrum + by_structure) / 2)


def test_one_spectrum_a_molecule_is_symmetric_info_nce():
    torch.manual_seed(0)
    x, y = (torch.nn.functional.normalize(torch.randn(4, 3), dim=1) for _ in range(2))
    batch = ContrastiveBatch(spectra=x, structures=y, negatives=y[:2].flip(1), owner=torch.tensor([0, 3]))
    settings = LossSettings(label_smoothing=0.1)
    torch.testing.assert_close(
        LOSSES["consensus"](batch, ONE, settings=settings), symmetric_info_nce(batch, ONE, settings=settings)
    )


def test_negatives_drawn_for_a_term_alone_do_not_count():
    batch = ContrastiveBatch(
        spectra=torch.eye(2), structures=torch.eye(2), negatives=torch.eye(2), owner=torch.tensor([0, 1])
    )
    loss = symmetric_info_nce(batch, ONE, settings=LossSettings(negatives="none"))
    assert loss.item() == pytest.approx(math.log((math.e + 1) / math.e))
