"""Late interaction: how well each peak is explained by its best atom."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from diptych.errors import ConfigError

# Cosines held at once, of all peaks of some spectra with all atoms of some structures: 64 MiB.
_MOST_COSINES = 2**24
_BELOW_ALL_COSINES = -2.0


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
    spectrum without peaks and a structure without atoms score 0. Scores are made block by block, and made anew for the
    gradient, so that the table of all peaks with all atoms is never held.

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
    n_pairs = max(1, spectrum_tokens.shape[1] * structure_tokens.shape[1])
    n_structures = max(1, min(len(structure_tokens), _MOST_COSINES // n_pairs))
    n_spectra = max(1, _MOST_COSINES // (n_pairs * n_structures))
    structures = list(
        zip(torch.split(structure_tokens.float(), n_structures), torch.split(structure_mask, n_structures), strict=True)
    )
    rows = [
        torch.cat([_block(peaks, share, atoms, mask) for atoms, mask in structures], dim=1)
        for peaks, share in zip(
            torch.split(spectrum_tokens.float(), n_spectra), torch.split(shares, n_spectra), strict=True
        )
    ]
    return torch.cat(rows)


def _shares(mask: Tensor, weights: Tensor | None) -> Tensor:
    """Return the weight of every peak, float32 of shape (n, n_peaks); rows sum to 1, or to 0 where nothing counts."""
    chosen = mask.float() if weights is None else torch.where(mask, weights.float(), 0.0)
    total = chosen.sum(dim=1, keepdim=True)
    return chosen / torch.where(total > 0, total, 1.0)


def _block(peaks: Tensor, shares: Tensor, atoms: Tensor, mask: Tensor) -> Tensor:
    if not torch.is_grad_enabled() or not (peaks.requires_grad or atoms.requires_grad):
        return _scores(peaks, shares, atoms, mask)
    scores: Tensor = checkpoint(_scores, peaks, shares, atoms, mask, use_reentrant=False)
    return scores


def _scores(peaks: Tensor, shares: Tensor, atoms: Tensor, mask: Tensor) -> Tensor:
    if not mask.shape[1]:
        return peaks.new_zeros(len(peaks), len(atoms))
    cosines = (peaks.flatten(0, 1) @ atoms.flatten(0, 1).T).float().view(*peaks.shape[:2], *mask.shape)
    best = (cosines + torch.where(mask, 0.0, _BELOW_ALL_COSINES)).max(dim=-1).values
    explained = torch.where(mask.any(dim=1), best, 0.0)
    return torch.einsum("npm,np->nm", explained, shares)
