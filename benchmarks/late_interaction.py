"""How much faster packed late interaction is than the table of all padded peaks with all padded atoms.

    python benchmarks/late_interaction.py

One batch of 128 spectra (5 to 59 peaks, one of 128) and 128 structures (12 to 39 atoms, one of 70), 128 numbers each:
scores and both gradients, one thread, float32, the better of three runs of each in turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from diptych.encoders.pairs.late_interaction import late_interaction

N, DIM, PEAKS, ATOMS = 128, 128, 128, 70


def padded(peaks: Tensor, peak_mask: Tensor, atoms: Tensor, atom_mask: Tensor) -> Tensor:
    """Return the same scores with every pair of slots in memory."""
    cosines = (peaks.flatten(0, 1) @ atoms.flatten(0, 1).T).view(*peak_mask.shape, *atom_mask.shape)
    best = (cosines + torch.where(atom_mask, 0.0, -2.0)).amax(dim=-1)
    return torch.einsum("npm,np->nm", best, peak_mask / peak_mask.sum(dim=1, keepdim=True))


def tokens(n_slots: int, low: int, high: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return unit vectors, (N, n_slots, DIM), and where there is one."""
    mask = torch.arange(n_slots) < torch.randint(low, high, (N, 1), generator=generator)
    mask[0] = True
    return functional.normalize(torch.randn(N, n_slots, DIM, generator=generator), dim=-1) * mask[..., None], mask


def timed(score: Callable[..., Tensor], parts: tuple[Tensor, ...]) -> tuple[float, Tensor, Tensor | None]:
    """Return seconds, scores, and the gradient of the peaks."""
    peaks, peak_mask, atoms, atom_mask = parts
    peaks, atoms = peaks.clone().requires_grad_(), atoms.clone().requires_grad_()
    started = time.perf_counter()
    scores = score(peaks, peak_mask, atoms, atom_mask)
    scores.logsumexp(dim=1).sum().backward()
    return time.perf_counter() - started, scores.detach(), peaks.grad


def main() -> None:
    """Print both times and their ratio."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    parts = (*tokens(PEAKS, 5, 60, generator), *tokens(ATOMS, 12, 40, generator))
    runs = [(timed(padded, parts), timed(late_interaction, parts)) for _ in range(3)]
    for part in (1, 2):
        torch.testing.assert_close(runs[0][0][part], runs[0][1][part])
    slow, fast = (min(run[side][0] for run in runs) for side in (0, 1))
    print(f"padded {slow:.3f} s, packed {fast:.3f} s: {slow / fast:.0f} times as fast, the same scores and gradients")


if __name__ == "__main__":
    main()
