"""Where library search fails: to what the queries are lost that have a competitor within 10 ppm.

    python benchmarks/library_search_misses.py SPECTRA ../shared/data/peer_benchmark --model FOLDER

SPECTRA is ../shared/data/massbank-2025.05.1.tar.xz. Asked as in `library_search.py`, hard library, a model's cosine
with match evidence. Prints how many queries are missed, and of these: how many are lost to a molecule of the same
formula, how like it is (Tanimoto similarity of Morgan fingerprints, radius 2), how far the collision energies of the
best own reference and of the winner are from the query's, and how many another scorer finds.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from diptych.data.tables import read_columns
from diptych.embedding import JointEmbedding
from diptych.evaluation.protocols.library_search import FORMS, search
from diptych.molecules import Structure
from diptych.molecules.similarity import aligned_similarity, packed_fingerprints
from diptych.retrieval.spectrum_scorer import EmbeddingScorer, with_match_evidence
from library_search import SCORERS, Benchmark

COMPETITOR = FORMS[2]


class Miss(NamedTuple):
    """A query, its best own reference within the window, and the reference of another molecule that beat it."""

    query: int
    own: int
    winner: int


def misses(scores: np.ndarray, query: int, references: np.ndarray, benchmark: Benchmark) -> Miss | None:
    """Return what a query is lost to; None where it is found or has no own reference in the window."""
    spectra = benchmark.spectra
    apart = np.abs(spectra.precursor_mz[references] / spectra.precursor_mz[query] - 1) * 1e6
    inside = (apart <= COMPETITOR.ppm) & (spectra.ion_codes[references] == spectra.ion_codes[query])
    own = spectra.molecule_codes[references] == spectra.molecule_codes[query]
    best, winner = (np.flatnonzero(inside & of) for of in (own, ~own))
    if not best.size or not winner.size:
        return None
    best, winner = (rows[np.argmax(np.nan_to_num(scores[rows], nan=-np.inf))] for rows in (best, winner))
    return Miss(query, int(references[best]), int(references[winner])) if scores[winner] >= scores[best] else None


def main(argv: Sequence[str] | None = None) -> None:
    """Ask, and print what the misses have in common."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spectra", type=Path)
    parser.add_argument("benchmark", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    arguments = parser.parse_args(argv)
    benchmark, model = Benchmark(arguments.spectra, arguments.benchmark), JointEmbedding.load(arguments.model)
    queries, references, spectra = benchmark.rows["queries"], benchmark.rows["hard"], benchmark.spectra
    scored = with_match_evidence(model).scores(
        [spectra.spectra[i] for i in queries], [spectra.spectra[i] for i in references]
    )
    rows = (row for block in scored for row in block)
    lost = [
        miss
        for query, row in zip(queries, rows, strict=True)
        if (miss := misses(row, int(query), references, benchmark)) is not None
    ]
    smiles = dict(read_columns(arguments.benchmark / "folds.tsv.xz", ("accession", "smiles")))
    pairs = [
        [Structure.from_smiles(smiles[spectra.spectra[row].identifier]) for row in (miss.query, miss.winner)]
        for miss in lost
    ]
    alike = aligned_similarity(*(packed_fingerprints([pair[side].smiles for pair in pairs]) for side in (0, 1)))
    same = sum(first.formula == second.formula for first, second in pairs)
    quartiles = ", ".join(f"{value:.2f}" for value in np.quantile(alike, [0.25, 0.5, 0.75]))
    print(f"{len(lost)} of {len(queries)} queries are lost to another molecule within {COMPETITOR.ppm:g} ppm")
    print(f"{same} to one of the same formula; quartiles of the Tanimoto similarity to it: {quartiles}")
    energy = np.array([np.nan if s.collision_energy is None else s.collision_energy for s in spectra.spectra])
    query, own, winner = (energy[list(column)] for column in zip(*lost, strict=True))
    own, winner = np.abs(own - query), np.abs(winner - query)
    nearer, further = np.sum(winner < own), np.sum(winner > own)
    print(f"the winner's collision energy is nearer the query's than the best own's is: {nearer}, further: {further}")
    asked = np.array([m.query for m in lost])
    for scorer in (SCORERS["spectral_entropy"], SCORERS["match_evidence"], EmbeddingScorer(model)):
        (answers,) = search(scorer, spectra, queries=asked, references=references, forms=[COMPETITOR])
        print(f"{scorer.name} finds {np.sum(answers.ranks == 1)} of them")


if __name__ == "__main__":
    main()
