"""What a masked language model has to guess: single tokens, or whole pieces of a molecule."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from diptych.molecules.smiles_tokens import MASK, SPECIAL_TOKENS, TOKENS, VOCABULARY

Masking = Literal["tokens", "substructures"]
IGNORED = -100
_SHOWN_AS_MASK, _SHOWN_AS_ANOTHER = 0.8, 0.1


class MaskedSequence(NamedTuple):
    """A token sequence and what is to be guessed of it.

    Attributes
    ----------
    inputs
        int64, of shape (n_tokens,): what the model sees.
    labels
        int64, of shape (n_tokens,): the token where it is to be guessed, -100 elsewhere.
    """

    inputs: NDArray[np.int64]
    labels: NDArray[np.int64]


def masked_sequence(
    ids: NDArray[np.int64], pieces: NDArray[np.int64] | None, *, share: float, rng: np.random.Generator
) -> MaskedSequence:
    """Return a sequence of which some tokens are to be guessed, at least one.

    Parameters
    ----------
    ids
        int64, of shape (n_tokens,), with start and end.
    pieces
        int64, of shape (n_tokens - 2,): the piece of the molecule that each token between them writes; whole pieces
        are then chosen until the share is reached. None chooses single tokens.
    share
        Share of the tokens to be guessed, in (0, 1).
    rng
        Decides.

    Notes
    -----
    Of the chosen tokens 80 % are shown as the mask, 10 % as a random token, 10 % as they are: Devlin et al.,
    doi:10.48550/arXiv.1810.04805, section 3.1.
    """
    inner = slice(1, len(ids) - 1)
    n_inner = len(ids) - 2
    n_chosen = max(round(share * n_inner), 1)
    chosen = np.zeros(len(ids), dtype=bool)
    if pieces is None:
        chosen[1 + rng.permutation(n_inner)[:n_chosen]] = True
    else:
        chosen[inner] = _whole_pieces(pieces, n_chosen, rng)
    shown, another = rng.random(len(ids)), rng.integers(len(SPECIAL_TOKENS), len(TOKENS), len(ids))
    inputs = np.where(chosen & (shown < _SHOWN_AS_MASK), VOCABULARY[MASK], ids)
    inputs = np.where(chosen & (shown >= 1 - _SHOWN_AS_ANOTHER), another, inputs)
    return MaskedSequence(inputs=inputs, labels=np.where(chosen, ids, IGNORED))


def _whole_pieces(pieces: NDArray[np.int64], n_wanted: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return tokens of pieces drawn one by one until enough are chosen; of one far too large, a run of tokens."""
    chosen = np.zeros(len(pieces), dtype=bool)
    for piece in rng.permutation(np.unique(pieces)):
        missing = n_wanted - int(chosen.sum())
        if missing <= 0:
            break
        members = np.flatnonzero(pieces == piece)
        if len(members) > 2 * n_wanted:
            start = int(rng.integers(len(members) - missing + 1))
            members = members[start : start + missing]
        chosen[members] = True
    return chosen
