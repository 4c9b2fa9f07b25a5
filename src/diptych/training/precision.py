"""The precision in which to train."""

from __future__ import annotations

from typing import Literal

from diptych.encoders.precision import has_bfloat16

LightningPrecision = Literal["bf16-mixed", "32-true"]


def lightning_precision(wanted: Literal["auto", "float32", "bfloat16"]) -> LightningPrecision:
    """Return the precision to hand to Lightning's trainer."""
    if wanted == "float32" or (wanted == "auto" and not has_bfloat16()):
        return "32-true"
    return "bf16-mixed"
