"""Queries from known spectra and candidate lists: from a file of lists, or drawn from a library."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from diptych.errors import EvaluationError
from diptych.evaluation.questions.known import KnownSpectra, KnownSpectrum
from diptych.molecules.parallel import standardise_rows
from diptych.molecules.structure import Structure
from diptych.molecules.tables import StructureRow
from diptych.ranking.query import CandidateList, Query

_WORTH_A_POOL = 20_000
_Item = TypeVar("_Item")


class ListKey(StrEnum):
    """What the keys of a candidate file are."""

    IDENTIFIER = "spectrum identifier"
    FIRST_BLOCK = "first block"
    SMILES = "target SMILES"


@dataclass(frozen=True, kw_only=True, eq=False)
class Questions:
    """Queries, and how they came about.

    Attributes
    ----------
    queries
        One per known spectrum, in their order; those without a list have an empty one.
    provenance
        For the report: where the lists come from, how they were matched, and how many spectra have none.
    """

    queries: tuple[Query, ...]
    provenance: Mapping[str, Any]


class StructureSource(Protocol):
    """What lists can be drawn from: a structure library."""

    def window(self, neutral_mass: float, half_width_da: float) -> slice:
        """Return the rows within a window of neutral mass."""
        ...

    def formula_rows(self, formula: str) -> NDArray[np.integer]:
        """Return the rows of a formula."""
        ...

    def structures(self, rows: Iterable[int]) -> list[Structure]:
        """Return the structures of some rows."""
        ...


def queries_from_lists(
    known: KnownSpectra, lists: Mapping[str, Sequence[str]], *, seed: int = 0, workers: int = 2
) -> Questions:
    """Return queries whose candidates are listed by identifier, first block or target SMILES.

    Every distinct SMILES is standardised once, as targets are; candidates that cannot be are kept as unparsed. The
    order of each list is shuffled.

    Parameters
    ----------
    known
        The spectra to ask.
    lists
        Key -> candidate SMILES. What the keys are is found by which kind knows most of the spectra.
    seed
        Of the order of the lists.
    workers
        Processes that standardise, where there are many candidates.

    Raises
    ------
    EvaluationError
        There is no spectrum, or no key belongs to any.
    """
    _check_known(known)
    kind, keys = match_keys(known.spectra, lists)
    wanted = sorted({key for key in keys if key is not None})
    structures = standardised({smiles for key in wanted for smiles in lists[key]}, workers=workers)
    made = {key: _listed(lists[key], structures, seed=seed, key=key) for key in wanted}
    empty = CandidateList(structures=())
    return Questions(
        queries=tuple(
            _query(item, made[key] if key is not None else empty) for item, key in zip(known.spectra, keys, strict=True)
        ),
        provenance={
            "lists_keyed_by": str(kind),
            "list_order_seed": seed,
            "spectra_without_list": sum(key is None for key in keys),
            "spectra_without_structure": known.n_without_structure,
            "spectra_not_ms2": known.n_not_ms2,
        },
    )


def match_keys(
    spectra: Sequence[KnownSpectrum], lists: Mapping[str, Sequence[str]]
) -> tuple[ListKey, list[str | None]]:
    """Return what the keys are, and the key of each spectrum's list; None where it has none.

    Raises
    ------
    EvaluationError
        No key belongs to any spectrum.
    """
    kind, keys = ListKey.IDENTIFIER, _by_identifier(spectra, lists)
    for other, matcher in ((ListKey.FIRST_BLOCK, _by_first_block), (ListKey.SMILES, _by_smiles)):
        n_unmatched = keys.count(None)
        candidate = matcher(spectra, lists) if n_unmatched else keys
        if candidate.count(None) < n_unmatched:
            kind, keys = other, candidate
    if keys.count(None) == len(keys):
        raise EvaluationError(
            f"no candidate list belongs to any of {len(spectra)} spectra; expected keys that are spectrum identifiers, "
            f"first blocks or target SMILES, got for instance {next(iter(lists), '')!r}; the first spectrum is "
            f"{spectra[0].spectrum.identifier!r}, of {spectra[0].target}"
        )
    return kind, keys


def _by_identifier(spectra: Sequence[KnownSpectrum], lists: Mapping[str, Sequence[str]]) -> list[str | None]:
    return [_first_in(lists, item.spectrum.identifier, item.accession) for item in spectra]


def _by_first_block(spectra: Sequence[KnownSpectrum], lists: Mapping[str, Sequence[str]]) -> list[str | None]:
    return [_first_in(lists, item.target, item.other_block) for item in spectra]


def _by_smiles(spectra: Sequence[KnownSpectrum], lists: Mapping[str, Sequence[str]]) -> list[str | None]:
    """Return the keys that are spelled like the target, else those that are the same molecule."""
    by_block: dict[str, str] = {}
    for key, structure in standardised(lists).items():
        if structure is not None:
            by_block.setdefault(structure.inchikey_first_block, key)
    return [_first_in(lists, item.written) or by_block.get(item.target) for item in spectra]


def _first_in(lists: Mapping[str, Sequence[str]], *names: str) -> str | None:
    return next((name for name in names if name in lists), None)


def queries_from_library(
    known: KnownSpectra, library: StructureSource, *, by: Literal["formula", "mass"], ppm: float = 10.0, seed: int = 0
) -> Questions:
    """Return queries whose candidates are the structures of a library with the target's formula, or near its mass.

    A target that is not in the library is missing from its list, so a miss. A target known by no more than its InChIKey
    has neither formula nor mass: its list is empty.

    Parameters
    ----------
    known
        The spectra to ask.
    library
        Where the candidates come from.
    by
        ``formula``: the same formula as the target; ``mass``: a neutral mass within ``ppm`` of the target's.
    ppm
        Half width of the mass window.
    seed
        Of the order of the lists.

    Raises
    ------
    EvaluationError
        There is no spectrum.
    """
    _check_known(known)
    targets = {item.target: item.structure for item in known.spectra}
    made = {target: _drawn(structure, library, by=by, ppm=ppm, seed=seed) for target, structure in targets.items()}
    return Questions(
        queries=tuple(_query(item, made[item.target]) for item in known.spectra),
        provenance={
            "lists_drawn_by": by if by == "formula" else f"mass within {ppm:g} ppm of the target's",
            "list_order_seed": seed,
            "spectra_without_list": sum(made[item.target].n_candidates == 0 for item in known.spectra),
            "spectra_without_structure": known.n_without_structure,
            "spectra_not_ms2": known.n_not_ms2,
        },
    )


def _drawn(
    target: Structure | None, library: StructureSource, *, by: Literal["formula", "mass"], ppm: float, seed: int
) -> CandidateList:
    if target is None:
        return CandidateList(structures=())
    if by == "formula":
        rows = [int(row) for row in library.formula_rows(target.formula)]
    else:
        window = library.window(target.neutral_mass, target.neutral_mass * ppm * 1e-6)
        rows = list(range(window.start, window.stop))
    shuffled = _shuffled(rows, seed=seed, key=target.inchikey_first_block)
    return CandidateList.distinct(library.structures(shuffled))


def _listed(smiles: Sequence[str], structures: Mapping[str, Structure | None], *, seed: int, key: str) -> CandidateList:
    found = [structures[text] for text in _shuffled(smiles, seed=seed, key=key)]
    return CandidateList.distinct(
        [structure for structure in found if structure is not None],
        unparsed=sorted({text for text in smiles if structures[text] is None}),
    )


def _shuffled(items: Sequence[_Item], *, seed: int, key: str) -> list[_Item]:
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    generator = np.random.default_rng([seed, int.from_bytes(digest, "little")])
    return [items[i] for i in generator.permutation(len(items))]


def _query(item: KnownSpectrum, candidates: CandidateList) -> Query:
    return Query(identifier=item.spectrum.identifier, spectrum=item.spectrum, target=item.target, candidates=candidates)


def _check_known(known: KnownSpectra) -> None:
    if not known.spectra:
        raise EvaluationError(
            f"nothing to evaluate: none of {known.n_without_structure} MS/MS spectra says its structure; "
            "expected smiles, inchi or inchikey in the metadata of at least one"
        )


def standardised(smiles: Iterable[str], *, workers: int = 2) -> dict[str, Structure | None]:
    """Return each distinct SMILES and its standardised structure, None where it has none."""
    distinct = sorted(set(smiles))
    rows = (StructureRow(row_number=i, smiles=text) for i, text in enumerate(distinct))
    found: dict[str, Structure | None] = dict.fromkeys(distinct)
    done = 0
    for chunk in standardise_rows(rows, workers=workers if len(distinct) > _WORTH_A_POOL else 1):
        failed = {failure.row_number for failure in chunk.failures}
        parsed = [text for i, text in enumerate(distinct[done : done + chunk.n_rows], start=done) if i not in failed]
        found.update(zip(parsed, chunk.structures(), strict=True))
        done += chunk.n_rows
    return found
