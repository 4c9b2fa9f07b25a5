"""Retrieval in two steps: the vectors of whole spectra and structures recall, their parts re-rank."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from diptych.errors import ConfigError
from diptych.ranking.ranking import rank_against_ties
from diptych.retrieval.late_scorers import LateModel, late_scorer
from diptych.retrieval.listed_formulas import asked_spectra
from diptych.retrieval.rankers import Embedding, EmbeddingRanker
from diptych.spectra.quality import reject_reason

if TYPE_CHECKING:
    from collections.abc import Mapping

    from diptych.ranking.query import Query

WEIGHTS = tuple(round(0.1 * step, 1) for step in range(11))
_METADATA_KEY = "reranking"
_QUERIES_AT_A_TIME = 512
# Mixed scores lie in [-1, 1]; cosines less this lie below all of them.
_BELOW_RECALLED = 3.0
_DECIMALS = 6


class ReRankedEmbedding(Embedding, LateModel, Protocol):
    """What a re-ranker needs of a `JointEmbedding`."""


@dataclass(frozen=True, kw_only=True)
class ReRanking:
    """How candidates are re-ranked.

    Attributes
    ----------
    recall
        So many candidates, the first by cosine, are put into a new order; the others stay below them as they were.
    weight
        Share of the late interaction in the new score, in [0, 1]; the cosine has the rest.
    temperature
        Of the softmax that makes probabilities of new scores; None where it was not fitted.
    """

    recall: int = 64
    weight: float = 0.5
    temperature: float | None = None

    def __post_init__(self) -> None:
        if self.recall < 1 or not 0 <= self.weight <= 1:
            raise ConfigError(
                f"re-ranking of {self.recall} candidates with weight {self.weight}; expected at least 1 candidate and "
                "a weight between 0 and 1"
            )

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any]) -> Self | None:
        """Return what a model's metadata say of it; None where they say nothing."""
        return cls(**metadata[_METADATA_KEY]) if _METADATA_KEY in metadata else None

    def to_metadata(self) -> dict[str, Any]:
        """Return what a model's metadata hold."""
        return {_METADATA_KEY: asdict(self)}

    def mixed(self, cosines: NDArray[np.floating], late: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return new scores of candidates from their cosines and their late interaction (NaN: not recalled).

        Notes
        -----
        s = (1 - w) cos + w late where the late interaction is known, and cos - 3 elsewhere.
        """
        recalled = np.round((1 - self.weight) * cosines + self.weight * late, _DECIMALS)
        return np.where(np.isnan(late), cosines - _BELOW_RECALLED, recalled).astype(np.float32)


class ReRankingRanker:
    """Recalls candidates by the cosine of vectors, and puts the first of them in order by their parts.

    Parameters
    ----------
    model
        Two towers that return tokens, or a model with an interaction of peaks and fragments.
    settings
        How many are re-ranked, and with what weight.
    blind
        Whether the peaks are withheld: the control that shows what the candidates alone give away.
    prior
        How much of what the model says of a candidate without peaks counts, from 0 to 1 (`diptych.retrieval.prior`).

    Notes
    -----
    The scheme of ColBERT's re-ranking (Khattab and Zaharia 2020, doi:10.48550/arXiv.2004.12832, section 3.5), with the
    cosine of the whole kept in the score.
    """

    def __init__(
        self, model: ReRankedEmbedding, settings: ReRanking, *, blind: bool = False, prior: float = 1.0
    ) -> None:
        self.model, self.settings, self.blind = model, settings, blind
        self.name = "spectrum_blind" if blind else model.name
        self._recall = EmbeddingRanker(model, blind=blind, prior=prior)
        self._late = late_scorer(model, blind=blind)

    def blinded(self) -> ReRankingRanker:
        """Return the spectrum-blind control."""
        control = ReRankingRanker(self.model, self.settings, blind=True)
        control._recall = self._recall.blinded()
        return control

    def without_prior(self) -> ReRankingRanker:
        """Return the same ranker less what it says without peaks, named so."""
        other = ReRankingRanker(self.model, self.settings, prior=0.0)
        other._recall = self._recall.without_prior()
        other.name = other._recall.name
        return other

    def score(self, queries: Sequence[Query]) -> list[NDArray[np.floating]]:
        """Return scores, one float32 array per query; NaN where the spectrum cannot be worked with.

        Raises
        ------
        ConfigError
            A tower returns no vectors of peaks or atoms, or theirs differ in length.
        """
        return [self.settings.mixed(cosines, late) for cosines, late in self.both_scores(queries)]

    def both_scores(self, queries: Sequence[Query]) -> list[tuple[NDArray[np.floating], NDArray[np.floating]]]:
        """Return for each query the cosines of its candidates and their late interaction, NaN beyond the recalled."""
        cosines = self._recall.score(queries)
        late = [np.full(scores.shape, np.nan, dtype=np.float32) for scores in cosines]
        usable = [i for i, q in enumerate(queries) if q.candidates.structures and reject_reason(q.spectrum) is None]
        usable.sort(key=lambda i: id(queries[i].candidates))
        for start in range(0, len(usable), _QUERIES_AT_A_TIME):
            chosen = usable[start : start + _QUERIES_AT_A_TIME]
            spectra = self._late.prepared(asked_spectra([queries[i] for i in chosen]))
            for places in _of_one_list([queries[i] for i in chosen]):
                self._interact(queries, [chosen[p] for p in places], spectra.take(places), cosines=cosines, late=late)
            _give_back_memory()
        return list(zip(cosines, late, strict=True))

    def _interact(
        self,
        queries: Sequence[Query],
        group: Sequence[int],
        spectra: Any,  # noqa: ANN401 - the scorer's own
        *,
        cosines: Sequence[NDArray[np.floating]],
        late: Sequence[NDArray[np.floating]],
    ) -> None:
        """Fill in the late interaction of queries that share a list."""
        recalled = [_first(cosines[i], self.settings.recall) for i in group]
        columns = np.unique(np.concatenate(recalled))
        wanted = np.zeros((len(group), len(columns)), dtype=bool)
        for row, best in enumerate(recalled):
            wanted[row, np.searchsorted(columns, best)] = True
        structures = queries[group[0]].candidates.structures
        scores = self._late.scores(spectra, [structures[column] for column in columns.tolist()], wanted)
        for i, best, row, found in zip(group, recalled, scores, wanted, strict=True):
            late[i][best] = row[found]


def _give_back_memory() -> None:
    """Return freed memory to the system, where its library can: arrays of ever other sizes leave holes between them."""
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def _first(cosines: NDArray[np.floating], n: int) -> NDArray[np.intp]:
    """Return the positions of the n highest cosines, and of those that tie with the last of them."""
    lowest = np.partition(cosines, -n)[-n] if n < cosines.size else -np.inf
    return np.flatnonzero(cosines >= lowest)


def model_ranker(
    model: Any,  # noqa: ANN401 - a JointEmbedding
    *,
    prior: float = 1.0,
) -> EmbeddingRanker | ReRankingRanker:
    """Return the ranker that a model's metadata ask for: by cosine, or re-ranking where they say how.

    Parameters
    ----------
    model
        The towers and their metadata.
    prior
        How much of what the model says of a candidate without peaks counts, from 0 to 1.

    Raises
    ------
    ConfigError
        The prior does not lie in [0, 1].
    """
    settings = ReRanking.from_metadata(model.metadata)
    if settings is None:
        return EmbeddingRanker(model, prior=prior)
    return ReRankingRanker(model, settings, prior=prior)


def second_look_of(model: Any) -> int:  # noqa: ANN401 - a JointEmbedding
    """Return how many candidates `model_ranker` looks at again; 0 where the model's metadata ask for no second look."""
    settings = ReRanking.from_metadata(model.metadata)
    return 0 if settings is None else settings.recall


def chosen_reranking(
    model: ReRankedEmbedding, queries: Sequence[Query], *, recall: int, blind: bool = False
) -> ReRanking:
    """Return the re-ranking whose weight has the highest mean reciprocal rank; the smallest such weight.

    Parameters
    ----------
    model
        Two towers that return tokens, or a model with an interaction of peaks and fragments.
    queries
        Of a validation fold; those whose list lacks the answer are left out.
    recall
        How many candidates are re-ranked.
    blind
        Whether the model is asked, as it was trained, without peaks.

    Raises
    ------
    ConfigError
        A tower returns no vectors of peaks or atoms, or theirs differ in length.
    """
    both = ReRankingRanker(model, ReRanking(recall=recall), blind=blind).both_scores(queries)
    return best_weighted(queries, both, recall=recall)


def best_weighted(
    queries: Sequence[Query], both: Sequence[tuple[NDArray[np.floating], NDArray[np.floating]]], *, recall: int
) -> ReRanking:
    """Return the choice of `chosen_reranking` from scores that are known."""
    positions = [query.candidates.positions.get(query.target) for query in queries]
    choices = [ReRanking(recall=recall, weight=weight) for weight in WEIGHTS]

    def reciprocal_ranks(choice: ReRanking) -> float:
        ranks = [
            rank_against_ties(choice.mixed(*scores), position)
            for position, scores in zip(positions, both, strict=True)
            if position is not None
        ]
        return float(np.sum(1 / np.array(ranks)))

    return max(choices, key=reciprocal_ranks)


def _of_one_list(queries: Sequence[Query]) -> Iterator[list[int]]:
    """Yield the positions of queries that share a candidate list."""
    groups: dict[int, list[int]] = {}
    for position, query in enumerate(queries):
        groups.setdefault(id(query.candidates), []).append(position)
    yield from groups.values()
