"""What is minimised: one contrastive loss between spectra and structures, and any number of further terms."""

from __future__ import annotations

from diptych.training.losses.context import LossContext, LossTerm
from diptych.training.losses.contrastive import ContrastiveBatch, LossSettings, symmetric_info_nce
from diptych.training.losses.main import LOSSES
from diptych.training.losses.objective import Objective
from diptych.training.losses.terms import LOSS_TERMS

__all__ = [
    "LOSSES",
    "LOSS_TERMS",
    "ContrastiveBatch",
    "LossContext",
    "LossSettings",
    "LossTerm",
    "Objective",
    "symmetric_info_nce",
]
