"""Vectors of the joint space as points in the plane."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from diptych.errors import EvaluationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def umap(vectors: NDArray[np.floating], *, seed: int = 0) -> NDArray[np.float32]:
    """Return UMAP coordinates by cosine distance, float32 of shape (n, 2).

    Raises
    ------
    EvaluationError
        umap-learn is not installed, or there are fewer than five vectors.

    Notes
    -----
    McInnes et al. 2018, doi:10.48550/arXiv.1802.03426; 15 neighbours. Distances between far groups mean nothing.
    """
    _check(vectors)
    try:
        from umap import UMAP
    except ModuleNotFoundError as error:
        raise EvaluationError("a UMAP map needs the package umap-learn: pip install 'diptych[report]'") from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reducer: Any = UMAP(metric="cosine", n_neighbors=min(15, len(vectors) - 1), random_state=seed, n_jobs=1)
        return np.asarray(reducer.fit_transform(vectors), dtype=np.float32)


def tsne(vectors: NDArray[np.floating], *, seed: int = 0) -> NDArray[np.float32]:
    """Return t-SNE coordinates by cosine distance, float32 of shape (n, 2).

    Raises
    ------
    EvaluationError
        scikit-learn is not installed, or there are fewer than five vectors.

    Notes
    -----
    Van der Maaten and Hinton 2008, https://jmlr.org/papers/v9/vandermaaten08a.html; perplexity 30, started at the
    principal components.
    """
    _check(vectors)
    try:
        from sklearn.manifold import TSNE
    except ModuleNotFoundError as error:
        raise EvaluationError("a t-SNE map needs the package scikit-learn: pip install 'diptych[report]'") from error
    reducer: Any = TSNE(metric="cosine", perplexity=min(30.0, (len(vectors) - 1) / 3), init="pca", random_state=seed)
    return np.asarray(reducer.fit_transform(np.asarray(vectors, dtype=np.float32)), dtype=np.float32)


PROJECTIONS: Mapping[str, Callable[..., NDArray[np.float32]]] = {"UMAP": umap, "t-SNE": tsne}


def _check(vectors: NDArray[np.floating]) -> None:
    if len(vectors) < 5:
        raise EvaluationError(f"a map of {len(vectors)} vectors; expected at least five")
