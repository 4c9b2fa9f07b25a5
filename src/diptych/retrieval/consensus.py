"""Several spectra of one molecule as one query, by the mean of their vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from diptych.errors import EvaluationError
from diptych.spectra.peak_formulas import with_formula_of
from diptych.spectra.quality import reject_reason

if TYPE_CHECKING:
    from diptych.molecules.structure import Structure
    from diptych.ranking.query import Query
    from diptych.retrieval.rankers import Embedding
    from diptych.spectra.spectrum import Spectrum


def consensus_vectors(vectors: Tensor, group: Tensor, *, n_groups: int, sharpness: float = 0.0) -> Tensor:
    """Return one unit vector per group, float32 of shape (n_groups, dim); zero for a group without vectors.

    Parameters
    ----------
    vectors
        Of shape (n, dim), unit rows.
    group
        int64, of shape (n,): the group of each vector.
    n_groups
        How many there are.
    sharpness
        How much more a vector counts that agrees with the others; 0 takes the plain mean.

    Notes
    -----
    With the mean direction m = normalise(sum_i v_i) of a group, x = normalise(sum_i a_i v_i), where
    a_i = exp(b <v_i, m>) / sum_j exp(b <v_j, m>), b being ``sharpness``: attention (doi:10.48550/arXiv.1706.03762)
    whose query is the mean itself, so that one odd spectrum counts less.

    Examples
    --------
    >>> consensus_vectors(torch.eye(2), torch.tensor([0, 0]), n_groups=1)
    tensor([[0.7071, 0.7071]])
    """
    units = vectors.float()
    mean = functional.normalize(_sums(units, group, n_groups), dim=1)
    if not sharpness:
        return mean
    # Cosines are at most 1, so that no maximum has to be taken off for the exponential to stay finite.
    weights = torch.exp(sharpness * ((units * mean[group]).sum(dim=1, keepdim=True) - 1))
    return functional.normalize(_sums(weights * units, group, n_groups), dim=1)


def _sums(rows: Tensor, group: Tensor, n_groups: int) -> Tensor:
    return rows.new_zeros(n_groups, rows.shape[1]).index_add(0, group, rows)


@dataclass(frozen=True, kw_only=True, eq=False)
class GroupedQueries:
    """Queries of which each stands for several spectra.

    Attributes
    ----------
    queries
        One for each molecule and adduct; its spectrum is the first of the group that can be worked with.
    spectra_of
        Identifier of that spectrum -> all spectra of the group.
    """

    queries: tuple[Query, ...]
    spectra_of: Mapping[str, tuple[Spectrum, ...]]

    @property
    def mean_size(self) -> float:
        """Number of spectra per query."""
        return float(np.mean([len(spectra) for spectra in self.spectra_of.values()]))


def grouped_queries(queries: Sequence[Query], *, at_most: int, seed: int = 0) -> GroupedQueries:
    """Return one query for each molecule and adduct.

    Parameters
    ----------
    queries
        With distinct spectrum identifiers; the spectra of a molecule share a candidate list.
    at_most
        Of more spectra than this, as many are drawn.
    seed
        Of the draw.

    Raises
    ------
    EvaluationError
        ``at_most`` is below 1, or two spectra have one identifier.
    """
    if at_most < 1:
        raise EvaluationError(f"consensus of {at_most} spectra; expected at least 1")
    if len({query.spectrum.identifier for query in queries}) < len(queries):
        raise EvaluationError("consensus: two spectra have one identifier; expected distinct ones")
    groups: dict[tuple[str, str, int], list[Query]] = {}
    for query in queries:
        groups.setdefault((query.target, _ion(query.spectrum), id(query.candidates)), []).append(query)
    rng = np.random.default_rng(seed)
    drawn = [_drawn(group, at_most=at_most, rng=rng) for group in groups.values()]
    return GroupedQueries(
        queries=tuple(replace(group[0], identifier=f"{group[0].target} {_ion(group[0].spectrum)}") for group in drawn),
        spectra_of={group[0].spectrum.identifier: tuple(query.spectrum for query in group) for group in drawn},
    )


def _drawn(group: Sequence[Query], *, at_most: int, rng: np.random.Generator) -> list[Query]:
    """Return at most so many queries; the first can be worked with if any can."""
    usable = [query for query in group if reject_reason(query.spectrum) is None] or list(group)
    chosen = (
        sorted(rng.choice(len(usable), size=at_most, replace=False)) if len(usable) > at_most else range(len(usable))
    )
    return [usable[i] for i in chosen]


def _ion(spectrum: Spectrum) -> str:
    return spectrum.adduct.name if spectrum.adduct else spectrum.polarity or ""


@dataclass(frozen=True, kw_only=True, eq=False)
class ConsensusEmbedding:
    """A model that answers for a spectrum with the consensus of its group, as `EmbeddingRanker` asks it.

    Attributes
    ----------
    model
        The two towers.
    spectra_of
        Identifier of a spectrum -> all spectra that it stands for; one that is not named stands for itself.
    sharpness
        As `consensus_vectors` takes it.
    """

    model: Embedding
    spectra_of: Mapping[str, Sequence[Spectrum]]
    sharpness: float = 0.0

    @property
    def name(self) -> str:
        """What reports call it."""
        return self.model.name

    def encode_spectra(self, spectra: Sequence[Spectrum], *, blind: bool = False) -> NDArray[np.float32]:
        """Return unit vectors, float32 of shape (n, dim)."""
        groups = [
            [with_formula_of(spectrum, one) for one in self.spectra_of.get(spectrum.identifier, (spectrum,))]
            for spectrum in spectra
        ]
        every = [spectrum for group in groups for spectrum in group]
        group = torch.repeat_interleave(torch.tensor([len(group) for group in groups], dtype=torch.int64))
        vectors = torch.from_numpy(self.model.encode_spectra(every, blind=blind))
        consensus = consensus_vectors(vectors, group, n_groups=len(groups), sharpness=self.sharpness)
        return np.asarray(consensus.numpy(), dtype=np.float32)

    def encode_structures(self, structures: Sequence[Structure]) -> NDArray[np.float32]:
        """Return unit vectors, float32 of shape (n, dim)."""
        return self.model.encode_structures(structures)
