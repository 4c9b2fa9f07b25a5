"""Queries whose candidates are the target and molecules drawn at random: n-way zero-shot identification."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

from diptych.errors import EvaluationError
from diptych.evaluation.questions.candidate_lists import Questions
from diptych.evaluation.questions.known import KnownSpectra
from diptych.molecules.structure import Structure
from diptych.ranking.query import CandidateList, Query


def queries_from_random_lists(
    known: KnownSpectra, pool: Iterable[Structure] | None = None, *, n_others: int = 255, seed: int = 0
) -> Questions:
    """Return queries whose candidates are the target and ``n_others`` other molecules, the same for all its spectra.

    Parameters
    ----------
    known
        The spectra to ask.
    pool
        Where the others are drawn from, each molecule with the same probability; None: the molecules of the queries
        themselves, so that all candidates were measured and no prior over molecules helps, and a list changes with what
        else is asked.
    n_others
        Candidates beside the target.
    seed
        With the target's first block it decides which of a pool are drawn, and the order of the list; of another pool
        others are drawn.

    Raises
    ------
    EvaluationError
        There is no spectrum, or a target has fewer than ``n_others`` other molecules in the pool.

    Notes
    -----
    The masses of random molecules differ, so that much of a hit is the precursor's: read it beside
    `diptych.ranking.PrecursorRanker`. A target known by no more than its InChIKey, and not in the pool, is missing from
    its list.
    """
    if not known.spectra:
        raise EvaluationError("random lists: there is no spectrum with a structure; expected at least one")
    own = {item.target: item.structure for item in known.spectra if item.structure is not None}
    source = own.values() if pool is None else pool
    others = {structure.inchikey_first_block: structure for structure in source}
    lists = {
        block: _drawn(block, own.get(block) or others.get(block), others, n_others=n_others, seed=seed)
        for block in sorted({item.target for item in known.spectra})
    }
    return Questions(
        queries=tuple(
            Query(
                identifier=item.spectrum.identifier,
                spectrum=item.spectrum,
                target=item.target,
                candidates=lists[item.target],
            )
            for item in known.spectra
        ),
        provenance={
            "lists_drawn_by": f"{n_others} molecules at random from {len(others)}",
            "list_order_seed": seed,
            "spectra_without_list": 0,
            "spectra_without_structure": known.n_without_structure,
            "spectra_not_ms2": known.n_not_ms2,
        },
    )


def _drawn(
    target: str, structure: Structure | None, others: dict[str, Structure], *, n_others: int, seed: int
) -> CandidateList:
    blocks = sorted(others.keys() - {target})
    if len(blocks) < n_others:
        raise EvaluationError(
            f"random lists: {len(blocks)} molecules beside the target {target}; expected at least {n_others}"
        )
    digest = hashlib.blake2b(target.encode(), digest_size=8).digest()
    generator = np.random.default_rng([seed, int.from_bytes(digest, "little")])
    drawn = [others[blocks[i]] for i in generator.choice(len(blocks), size=n_others, replace=False)]
    listed = drawn if structure is None else [structure, *drawn]
    return CandidateList(structures=tuple(listed[i] for i in generator.permutation(len(listed))))
