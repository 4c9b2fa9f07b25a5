"""N-way K-shot re-identification: a spectrum is given to the molecule whose other spectra lie nearest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from diptych.errors import EvaluationError
from diptych.evaluation.statistics.bootstrap import molecule_intervals
from diptych.evaluation.statistics.metrics import sum_by_molecule
from diptych.evaluation.wording import counted

# Equal prototypes must stay equal after sums over the support, else rounding decides ties.
_DECIMALS = 6


@dataclass(frozen=True, kw_only=True, eq=False)
class FewShot:
    """The outcome of every episode.

    Attributes
    ----------
    n_way, k_shot
        Molecules in an episode; support spectra of each.
    queries
        int64, of shape (n_episodes,): row of the spectrum that was asked.
    molecules
        First block of each query.
    hits
        float64, of shape (n_episodes,): 1 where the query's own molecule is nearest, 0 else.
    n_eligible
        Molecules with more than ``k_shot`` spectra, from which episodes are drawn.
    """

    n_way: int
    k_shot: int
    queries: NDArray[np.int64]
    molecules: tuple[str, ...]
    hits: NDArray[np.float64]
    n_eligible: int

    @property
    def accuracy(self) -> float:
        """Fraction of the episodes that were won; 1 / n_way by chance."""
        return float(self.hits.mean())

    def interval(self, *, n_bootstrap: int = 2000, seed: int = 0) -> tuple[float, float]:
        """Return the ends of the 95 % interval of the accuracy, by resampling the molecules that were asked (BCa)."""
        ends, _ = molecule_intervals(sum_by_molecule([self.hits], self.molecules), n_bootstrap=n_bootstrap, seed=seed)
        return float(ends.low[0]), float(ends.high[0])


def few_shot(
    vectors: NDArray[np.floating],
    molecules: Sequence[str],
    *,
    n_way: int = 5,
    k_shot: int = 5,
    n_episodes: int = 2000,
    seed: int = 0,
) -> FewShot:
    """Return how often a spectrum is given to its own molecule.

    Parameters
    ----------
    vectors
        Of shape (n_spectra, dim): one vector of each spectrum, finite, of any length but 0; those of a model, of its
        spectrum-blind control, or binned spectra.
    molecules
        First block of each spectrum.
    n_way, k_shot
        Molecules in an episode, at least 2; support spectra of each, at least 1.
    n_episodes
        How many.
    seed
        Of the episodes; the same for any two sets of vectors of the same spectra, so that their hits are paired.

    Raises
    ------
    EvaluationError
        There is not one finite vector with a length for each spectrum, or fewer than ``n_way`` molecules have more than
        ``k_shot`` spectra.

    Notes
    -----
    An episode: n_way molecules drawn from the eligible, ``k_shot`` spectra of each and one more of the first as the
    query, all without replacement. The prototype of a molecule is the mean of the unit vectors of its support, made
    a unit vector (Snell et al. 2017, arXiv 1703.05175, with the cosine). A hit: the cosine of the query to its own
    prototype, rounded to six decimals, is above that to every other; a tie is none.

    Examples
    --------
    >>> vectors = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]])
    >>> few_shot(vectors, ["A", "A", "B", "B"], n_way=2, k_shot=1, n_episodes=10).accuracy
    1.0
    """
    units = _unit_rows(vectors, n_expected=len(molecules))
    rows_of = _eligible(molecules, n_way=n_way, k_shot=k_shot)
    if n_episodes < 1:
        raise EvaluationError(f"re-identification: {n_episodes} episodes; expected at least 1")
    generator = np.random.default_rng(seed)
    episodes = [_episode(rows_of, n_way=n_way, k_shot=k_shot, generator=generator) for _ in range(n_episodes)]
    queries = np.array([rows[0, -1] for rows in episodes], dtype=np.int64)
    return FewShot(
        n_way=n_way,
        k_shot=k_shot,
        queries=queries,
        molecules=tuple(molecules[int(row)] for row in queries),
        hits=np.array([_is_hit(units[rows]) for rows in episodes], dtype=np.float64),
        n_eligible=len(rows_of),
    )


def _episode(
    rows_of: Sequence[NDArray[np.int64]], *, n_way: int, k_shot: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Return rows of shape (n_way, k_shot + 1): the support of each molecule, then one more spectrum of it."""
    drawn = generator.choice(len(rows_of), size=n_way, replace=False)
    return np.stack([generator.choice(rows_of[i], size=k_shot + 1, replace=False) for i in drawn])


def _is_hit(episode: NDArray[np.float64]) -> bool:
    """Return whether the last spectrum of the first molecule is nearest to its own prototype."""
    cosines = (_prototypes(episode[:, :-1]) @ episode[0, -1]).round(_DECIMALS)
    return bool(cosines[0] > cosines[1:].max())


def _prototypes(support: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return unit vectors of shape (n_way, dim) from unit vectors of shape (n_way, k_shot, dim)."""
    means = support.mean(axis=1)
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    return np.asarray(means / np.maximum(lengths, np.finfo(np.float64).tiny))


def _unit_rows(vectors: NDArray[np.floating], *, n_expected: int) -> NDArray[np.float64]:
    table = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(table, axis=1, keepdims=True) if table.ndim == 2 else np.zeros((0, 1))
    usable = int(np.count_nonzero(np.isfinite(lengths) & (lengths > 0)))
    if usable != n_expected or len(table) != n_expected:
        raise EvaluationError(
            f"re-identification: vectors of shape {table.shape}, {usable} of them finite and longer than 0; expected "
            f"one such vector for each of {n_expected} spectra"
        )
    return np.asarray(table / lengths)


def _eligible(molecules: Sequence[str], *, n_way: int, k_shot: int) -> list[NDArray[np.int64]]:
    """Return the rows of every molecule that has more than ``k_shot`` spectra."""
    if n_way < 2 or k_shot < 1:
        raise EvaluationError(f"re-identification: {n_way}-way {k_shot}-shot; expected at least 2-way 1-shot")
    _, owner = np.unique(np.asarray(molecules, dtype=str), return_inverse=True)
    by_molecule = np.split(np.argsort(owner, kind="stable"), np.cumsum(np.bincount(owner))[:-1])
    rows_of = [rows for rows in by_molecule if rows.size > k_shot]
    if len(rows_of) < n_way:
        raise EvaluationError(
            f"re-identification: {counted(len(rows_of), 'molecule has', 'molecules have')} more than "
            f"{counted(k_shot, 'spectrum', 'spectra')}; expected at least {n_way}"
        )
    return rows_of
