"""What a model expects before it sees a peak, and how to rank without it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diptych.errors import ConfigError

if TYPE_CHECKING:
    from diptych.retrieval.rankers import Embedding
    from diptych.spectra.spectrum import Spectrum

_SHORTEST = 1e-12


def check_prior(prior: float) -> None:
    """Check a share of the prior.

    Raises
    ------
    ConfigError
        It does not lie in [0, 1].
    """
    if not 0 <= prior <= 1:
        raise ConfigError(f"prior={prior}; expected a number from 0 (leave it out) to 1 (as the model learned it)")


def spectrum_vectors(
    model: Embedding, spectra: Sequence[Spectrum], *, blind: bool = False, prior: float = 1.0
) -> NDArray[np.float32]:
    """Return unit vectors of spectra, float32 of shape (n, dim), with so much of the model's prior.

    Parameters
    ----------
    model
        Asked twice for each spectrum where the prior is not 1.
    spectra
        All of them usable.
    blind
        Whether the peaks are withheld: the prior itself, of which nothing is taken off.
    prior
        1 takes the model as it is; 0 leaves out what it says of a candidate without having seen a peak.

    Notes
    -----
    x = v - (1 - p) v0, divided by its length: v is the unit vector of the spectrum, v0 that of the same precursor and
    conditions without peaks, so that a candidate c is scored by (<v, c> - (1 - p) <v0, c>) / |x|. Where a cosine
    estimates log P(c | s) up to a scale, as contrastive training makes it (doi:10.48550/arXiv.1807.03748), the
    difference <v, c> - <v0, c> estimates the pointwise mutual information of candidate and peaks. The prior is the
    memory of who was right in training: without it molecules of the training set no longer stand above others of their
    formula.
    """
    vectors = model.encode_spectra(spectra, blind=blind)
    if blind or prior == 1 or not len(spectra):
        return vectors
    changed = vectors - (1 - prior) * model.encode_spectra(spectra, blind=True)
    length = np.linalg.norm(changed, axis=1, keepdims=True)
    return np.asarray(np.divide(changed, np.maximum(length, _SHORTEST)), dtype=np.float32)
