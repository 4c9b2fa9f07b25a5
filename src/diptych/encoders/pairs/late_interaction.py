"""Late interaction: how well each peak is explained by its best atom."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional

from diptych.errors import ConfigError

# Cosines held at once, of some peaks with all atoms of some structures: 16 MiB.
_MOST_COSINES = 2**22
_MOST_STRUCTURES = 16


def late_interaction(
    spectrum_tokens: Tensor,
    spectrum_mask: Tensor,
    structure_tokens: Tensor,
    structure_mask: Tensor,
    *,
    weights: Tensor | None = None,
) -> Tensor:
    """Return the score of every spectrum with every structure, float32 of shape (n, m), in [-1, 1].

    Parameters
    ----------
    spectrum_tokens
        Of shape (n, n_peaks, dim), unit rows: one vector per peak.
    spectrum_mask
        Bool, of shape (n, n_peaks): True where there is a peak.
    structure_tokens
        Of shape (m, n_atoms, dim), unit rows: one vector per atom.
    structure_mask
        Bool, of shape (m, n_atoms): True where there is an atom.
    weights
        Of shape (n, n_peaks), at least 0: how much each peak counts, such as its intensity; None: all alike.

    Raises
    ------
    ConfigError
        The vectors of peaks and of atoms differ in length.

    Notes
    -----
    s(x, y) = sum_p w_p max_a <x_p, y_a> / sum_p w_p: the maximum similarity of ColBERT (Khattab and Zaharia 2020,
    doi:10.48550/arXiv.2004.12832, section 3.3), as a mean, so that spectra of few and of many peaks are on one scale. A
    spectrum without peaks and a structure without atoms score 0. Padding costs nothing: peaks and atoms are packed. Of
    the table of all peaks with all atoms a block is held at a time; for the gradient, which is that of the pair that
    has the maximum, the best atom of every peak and structure.

    Examples
    --------
    >>> peaks, atoms = torch.eye(2)[None], torch.tensor([[[1.0, 0.0]]])
    >>> late_interaction(peaks, torch.ones(1, 2).bool(), atoms, torch.ones(1, 1).bool())
    tensor([[0.5000]])
    """
    if spectrum_tokens.shape[-1] != structure_tokens.shape[-1]:
        raise ConfigError(
            f"late interaction: vectors of {spectrum_tokens.shape[-1]} numbers for peaks and of "
            f"{structure_tokens.shape[-1]} for atoms; expected towers whose parts have vectors of one length"
        )
    shares = _shares(spectrum_mask, weights)
    n_atoms = structure_mask.sum(dim=1)
    n_spectra = max(1, _MOST_COSINES // max(1, spectrum_tokens.shape[1] * len(structure_tokens)))
    atoms = structure_tokens[structure_mask].float()
    tokens, masks, weighed = (torch.split(part, n_spectra) for part in (spectrum_tokens, spectrum_mask, shares))
    blocks = zip(tokens, masks, weighed, strict=True)
    return torch.cat([_scores(peaks, mask, share, atoms, n_atoms) for peaks, mask, share in blocks])


def _scores(tokens: Tensor, mask: Tensor, shares: Tensor, atoms: Tensor, n_atoms: Tensor) -> Tensor:
    """Return the scores of some spectra with all structures, whose atoms are packed."""
    filled = torch.nonzero(n_atoms).flatten()
    peaks = tokens[mask].float()
    # Nothing to compare is a score of zero, but one that a gradient may pass through.
    scores = peaks.new_zeros(len(tokens), len(n_atoms)) + 0.0 * (peaks.sum() + atoms.sum())
    if not len(filled) or not len(peaks):
        return scores
    best: Tensor = _BestCosines.apply(peaks, atoms, n_atoms[filled])  # type: ignore[no-untyped-call]
    rows = torch.nonzero(mask)[:, 0]
    explained = scores[:, filled].index_add(0, rows, best * shares[mask][:, None])
    return scores.index_copy(1, filled, explained)


def _shares(mask: Tensor, weights: Tensor | None) -> Tensor:
    """Return the weight of every peak, float32 of shape (n, n_peaks); rows sum to 1, or to 0 where nothing counts."""
    chosen = mask.float() if weights is None else torch.where(mask, weights.float(), 0.0)
    total = chosen.sum(dim=1, keepdim=True)
    return chosen / torch.where(total > 0, total, 1.0)


class _BestCosines(torch.autograd.Function):
    """The cosine of every peak with the best atom of every structure; only these pairs are kept for the gradient."""

    @staticmethod
    def forward(ctx: FunctionCtx, peaks: Tensor, atoms: Tensor, n_atoms: Tensor) -> Tensor:
        """Return (n_peaks, n_structures) of (n_peaks, dim), (n_atoms, dim) and the numbers of atoms, none of them 0."""
        best, chosen = _best_cosines(peaks, atoms, n_atoms)
        ctx.save_for_backward(peaks, atoms, chosen)
        return best

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:  # noqa: ANN401 - as autograd hands it on
        """Return the gradients: of each cosine, to its peak and to the atom that was the best."""
        peaks, atoms, chosen = ctx.saved_tensors
        to_peaks = functional.embedding_bag(chosen, atoms, per_sample_weights=gradient, mode="sum")
        of_peak = torch.arange(len(peaks), device=peaks.device)[:, None].expand_as(chosen)
        pairs = torch.stack([chosen.flatten(), of_peak.flatten()])
        shape = (len(atoms), len(peaks))
        table = torch.sparse_coo_tensor(pairs, gradient.flatten(), shape, check_invariants=False)
        return to_peaks, torch.sparse.mm(table, peaks), None


def _best_cosines(peaks: Tensor, atoms: Tensor, n_atoms: Tensor) -> tuple[Tensor, Tensor]:
    """Return the best cosines and the rows of the atoms that have them, both (n_peaks, n_structures)."""
    sizes, order = torch.sort(n_atoms)
    longest = sizes[_MOST_STRUCTURES - 1 :: _MOST_STRUCTURES].tolist() + sizes[-1:].tolist()
    first = torch.cumsum(n_atoms, dim=0) - n_atoms
    best = peaks.new_empty(len(peaks), len(n_atoms))
    chosen = torch.empty_like(best, dtype=torch.int64)
    # Structures of nearly one size: hardly any padding.
    for block, n_slots in zip(torch.split(order, _MOST_STRUCTURES), longest, strict=False):
        slots = torch.arange(n_slots, device=atoms.device)
        inside = slots < n_atoms[block, None]
        rows = torch.where(inside, first[block, None] + slots, first[block, None])  # padded by the first atom
        of_block = atoms[rows.flatten()].T
        for start in range(0, len(peaks), n_peaks := max(1, _MOST_COSINES // rows.numel())):
            part = slice(start, start + n_peaks)
            cosines = (peaks[part] @ of_block).view(-1, *rows.shape)
            values, slot = cosines.max(dim=-1)
            best[part, block] = values.float()
            chosen[part, block] = rows[torch.arange(len(block), device=rows.device), slot]
    return best, chosen
