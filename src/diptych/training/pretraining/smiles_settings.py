"""What a chemical language model is pretrained with."""

from __future__ import annotations

import math
from dataclasses import dataclass

from diptych.errors import ConfigError
from diptych.training.pretraining.checks import check_learning_rate
from diptych.training.pretraining.masking import Masking


@dataclass(frozen=True, kw_only=True)
class SmilesPretraining:
    """What a language model is pretrained with.

    Attributes
    ----------
    epochs
        Passes over the structures.
    limit
        At most so many structures, drawn by the seed; 0 takes all.
    held_out
        Share of the scaffolds held out.
    hidden_dim, n_layers, n_heads
        Of the transformer.
    mask
        What is withheld: single ``"tokens"``, or whole ``"substructures"``.
    mask_share
        Share of the tokens withheld.
    descriptors
        Weight of what is asked of the pooled vector beside the tokens: fingerprint, descriptors, similarities; 0 asks
        for tokens alone.
    max_tokens
        Longer sequences are cut; SMILES of more characters are left out.
    batch_size
        Molecules in a batch.
    learning_rate
        Of AdamW, at its highest.
    max_minutes
        Stop after so many minutes of training, the learning rate having fallen by then; 0 goes on to the end.
    checkpoint_steps
        Steps from one resume state to the next.
    n_measured
        At most so many held-out molecules are measured.
    seed
        Everything random follows from it.
    """

    epochs: int = 5
    limit: int = 0
    held_out: float = 0.02
    hidden_dim: int = 256
    n_layers: int = 6
    n_heads: int = 8
    mask: Masking = "tokens"
    mask_share: float = 0.15
    descriptors: float = 1.0
    max_tokens: int = 200
    batch_size: int = 64
    learning_rate: float = 5e-4
    max_minutes: float = 0.0
    checkpoint_steps: int = 500
    n_measured: int = 2000
    seed: int = 1

    def __post_init__(self) -> None:
        if self.hidden_dim % self.n_heads:
            raise ConfigError(f"heads is {self.n_heads}; expected a divisor of hidden-dim, {self.hidden_dim}")
        if not (0 < self.mask_share < 1 and 0 < self.held_out < 1):
            raise ConfigError(
                f"mask-share is {self.mask_share}, held-out {self.held_out}; expected numbers between 0 and 1"
            )
        check_learning_rate(self.learning_rate)
        for name in ("descriptors", "max_minutes"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ConfigError(f"{name.replace('_', '-')} is {value}; expected a finite number of at least 0")
