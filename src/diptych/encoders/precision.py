"""What the processor can do: bfloat16 arithmetic is used where there are instructions for it, never assumed."""

from __future__ import annotations

import torch


def has_bfloat16(device: torch.device | None = None) -> bool:
    """Return whether a device has instructions for matrix products in bfloat16.

    Parameters
    ----------
    device
        None is the GPU, or the CPU where there is no GPU.
    """
    on_gpu = torch.cuda.is_available() if device is None else device.type == "cuda"
    if on_gpu:
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return _cpu_has("_is_avx512_bf16_supported") or _cpu_has("_is_amx_tile_supported")


def _cpu_has(probe: str) -> bool:
    # These probes are private to torch and come and go between versions.
    return bool(getattr(torch.cpu, probe, lambda: False)())
