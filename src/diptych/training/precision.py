"""What the processor can do: bfloat16 arithmetic is used where there are instructions for it, never assumed."""

from __future__ import annotations

from typing import Literal

import torch

LightningPrecision = Literal["bf16-mixed", "32-true"]


def has_bfloat16() -> bool:
    """Return whether the GPU, or the CPU where there is no GPU, has instructions for matrix products in bfloat16."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return _cpu_has("_is_avx512_bf16_supported") or _cpu_has("_is_amx_tile_supported")


def lightning_precision(wanted: Literal["auto", "float32", "bfloat16"]) -> LightningPrecision:
    """Return the precision to hand to Lightning's trainer."""
    if wanted == "float32" or (wanted == "auto" and not has_bfloat16()):
        return "32-true"
    return "bf16-mixed"


def _cpu_has(probe: str) -> bool:
    # These probes are private to torch and come and go between versions.
    return bool(getattr(torch.cpu, probe, lambda: False)())
