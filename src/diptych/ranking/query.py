"""What is asked: one spectrum and the structures among which its answer is sought."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

from diptych.errors import EvaluationError

if TYPE_CHECKING:
    from diptych.molecules.structure import Structure
    from diptych.spectra.spectrum import Spectrum


@dataclass(frozen=True, kw_only=True, eq=False)
class CandidateList:
    """The structures among which an answer is sought; one list is shared by all spectra of a molecule.

    Attributes
    ----------
    structures
        Distinct by the InChIKey's first block, in the order in which rankers see them.
    unparsed
        Candidates that could not be turned into a structure. No ranker sees them, yet they count in ``n_candidates``,
        so that a list never becomes shorter silently.
    n_duplicates
        How many further spellings of listed structures were removed.
    """

    structures: tuple[Structure, ...]
    unparsed: tuple[str, ...] = ()
    n_duplicates: int = 0

    def __post_init__(self) -> None:
        if len(self.positions) != len(self.structures):
            raise EvaluationError(
                f"a candidate list holds {len(self.structures)} structures but only {len(self.positions)} distinct "
                "first blocks; expected distinct ones, as CandidateList.distinct makes them"
            )

    @classmethod
    def distinct(cls, structures: Iterable[Structure], *, unparsed: Iterable[str] = ()) -> Self:
        """Return the list of the first structure of every molecule; the others are counted."""
        every = list(structures)
        first: dict[str, Structure] = {}
        for structure in every:
            first.setdefault(structure.inchikey_first_block, structure)
        return cls(structures=tuple(first.values()), unparsed=tuple(unparsed), n_duplicates=len(every) - len(first))

    @property
    def n_candidates(self) -> int:
        """Length of the list, the unparsed included."""
        return len(self.structures) + len(self.unparsed)

    @cached_property
    def positions(self) -> dict[str, int]:
        """First block -> position in ``structures``."""
        return {structure.inchikey_first_block: i for i, structure in enumerate(self.structures)}


@dataclass(frozen=True, kw_only=True, eq=False)
class Query:
    """A spectrum whose answer is known, and its candidates.

    Attributes
    ----------
    identifier
        Unique within an evaluation.
    spectrum
        What was measured.
    target
        First block of the right answer.
    candidates
        May lack the target; then the query is a miss for every ranker.
    """

    identifier: str
    spectrum: Spectrum
    target: str
    candidates: CandidateList


def queries_by_list(queries: Sequence[Query]) -> list[tuple[CandidateList, list[int]]]:
    """Return each distinct candidate list with the positions of its queries, so that a list is featurised once."""
    groups: dict[int, tuple[CandidateList, list[int]]] = {}
    for position, query in enumerate(queries):
        groups.setdefault(id(query.candidates), (query.candidates, []))[1].append(position)
    return list(groups.values())
