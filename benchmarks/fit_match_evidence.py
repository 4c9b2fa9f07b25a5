"""Fit the weights of `diptych.ranking.match_evidence` on the training fold of the peer benchmark alone.

    python benchmarks/fit_match_evidence.py massbank.parquet ../shared/data/peer_benchmark
    python benchmarks/fit_match_evidence.py massbank.parquet ../shared/data/peer_benchmark --model FOLDER

One or two spectra of every replicated ion of the training fold are asked among all of its other spectra within 10 ppm
and of its adduct, where spectra of its molecule and of others are there. In each condition a logistic regression tells
pairs of one molecule from pairs of two, both weighing alike, molecules too. Prints the weights, and top 1 in % beside
that of the spectral entropy similarity: on the training fold (five folds of molecules, each judged by weights of the
others) and, with the weights printed, on the validation fold, every such spectrum of which is asked among those of
training and validation. With ``--model`` it prints instead what the weights of the sum with a model's cosine and the
match of the precursors do in library search on the validation fold (`diptych.retrieval.spectrum_scorer`).
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from diptych.data.dataset import read_dataset
from diptych.data.tables import read_columns
from diptych.evaluation.protocols.library_search import FORMS, search
from diptych.evaluation.protocols.repeated_search import query_splits
from diptych.evaluation.protocols.searchable_spectra import SearchableSpectra
from diptych.ranking import (
    MatchEvidenceScorer,
    PrecursorMatchScorer,
    SpectralEntropyScorer,
    SpectrumScorer,
    SumScorer,
)
from diptych.ranking.match_evidence import N_CONDITIONS, PRECURSOR_WINDOW_DA, condition, measured_as
from diptych.retrieval.spectrum_scorer import EmbeddingScorer
from diptych.spectra import Spectrum

PPM, N_FOLDS, STRENGTH = 10.0, 5, 3e-4
SUMS = ((1, 0, 0), (0, 1, 0), (1, 0, 4), (1, 2, 4), (1, 4, 1), (1, 4, 2), (1, 4, 4), (1, 4, 8), (1, 6, 4), (1, 8, 8))


class Pairs(NamedTuple):
    """Pairs of a query and a reference; queries are numbered."""

    query: NDArray[np.int64]
    molecule: NDArray[np.int64]
    own: NDArray[np.bool_]
    same_origin: NDArray[np.bool_]
    condition: NDArray[np.int64]
    features: NDArray[np.float64]


def pairs(spectra: SearchableSpectra, queries: NDArray[np.int64], references: NDArray[np.int64]) -> Pairs:
    """Return the pairs of every query that has both own references and others within the window."""
    mz, measured, rows = spectra.precursor_mz, measured_as(spectra.spectra), []
    by_mass = references[np.argsort(mz[references])]
    entropy = (SpectralEntropyScorer(), SpectralEntropyScorer(precursor_window_da=PRECURSOR_WINDOW_DA))
    for number, query in enumerate(queries):
        edges = mz[query] * (1 - PPM * 1e-6), mz[query] * (1 + PPM * 1e-6)
        near = by_mass[slice(*np.searchsorted(mz[by_mass], edges))]
        near = near[(spectra.ion_codes[near] == spectra.ion_codes[query]) & (near != query)]
        own = spectra.molecule_codes[near] == spectra.molecule_codes[query]
        if own.all() or not own.any():
            continue
        around = [spectra.spectra[i] for i in near]
        alike = [next(scorer.scores([spectra.spectra[query]], around))[0] for scorer in entropy]
        known = (spectra.origin_codes[near] >= 0) & (spectra.origin_codes[query] >= 0)
        same = (spectra.origin_codes[near] == spectra.origin_codes[query]) | ~known
        ones = np.ones(len(near), dtype=np.int64)
        molecule = ones * spectra.molecule_codes[query]
        where = condition(measured[query], measured[near])
        rows.append((ones * number, molecule, own, same, where, np.stack([ones, *alike], axis=1)))
    return Pairs(*(np.concatenate(column) for column in zip(*rows, strict=True)))


def fitted(found: Pairs, kept: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the weights, (N_CONDITIONS, 3), of the pairs kept."""
    _, first = np.unique(found.query, return_index=True)
    molecules, n_queries = np.unique(found.molecule[first], return_counts=True)
    share = 1 / n_queries[np.searchsorted(molecules, found.molecule)]
    weight = np.zeros(len(share))
    for where in range(N_CONDITIONS):
        for own in (True, False):
            rows = kept & (found.condition == where) & (found.own == own)
            if rows.any():
                weight[rows] = share[rows] / share[rows].sum()
    x, y = torch.tensor(found.features[kept]), torch.tensor(found.own[kept], dtype=torch.float64)
    rows, by_pair = torch.tensor(found.condition[kept]), torch.tensor(weight[kept] / weight[kept].sum())
    theta = torch.zeros(N_CONDITIONS, 3, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([theta], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        logits = (x * theta[rows]).sum(dim=1)
        errors = torch.nn.functional.binary_cross_entropy_with_logits(logits, y, reduction="none")
        value = (errors * by_pair).sum() + STRENGTH * theta.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    return theta.detach().numpy()


def top_1(found: Pairs, score: NDArray[np.float64], *, foreign: bool) -> str:
    """Return the share of queries whose best own reference stands above all others, in %, and how many were asked."""
    right = found.own & ~found.same_origin if foreign else found.own
    best = np.full(found.query.max() + 1, -np.inf)
    np.maximum.at(best, found.query[right], score[right])
    above = np.zeros(len(best), dtype=int)
    others = ~found.own
    np.add.at(above, found.query[others], score[others] >= best[found.query[others]])
    asked = np.isfinite(best)
    return f"{100 * np.mean(above[asked] == 0):.1f} of {asked.sum():,}"


def evidence(found: Pairs, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the evidence of every pair."""
    values: NDArray[np.float64] = (found.features * weights[found.condition]).sum(axis=1)
    return values


class Kept:
    """A scorer's scores of all queries with all references, taken once."""

    def __init__(self, scorer: SpectrumScorer, queries: Sequence[Spectrum], references: Sequence[Spectrum]) -> None:
        self.name, self.table = scorer.name, np.concatenate(list(scorer.scores(queries, references)))

    def scores(self, *_: object) -> Iterator[NDArray[np.floating]]:
        """Yield them."""
        yield self.table


def print_sums(spectra: SearchableSpectra, folds: NDArray[np.str_], *, model: Path) -> None:
    """Print top 1 of every form by the weights of evidence, cosine and precursor match."""
    from diptych.embedding import JointEmbedding

    queries = next(query_splits(spectra, rows=np.flatnonzero(folds == "val"), n_splits=1, seed=0))
    references = np.setdiff1d(np.flatnonzero(np.isin(folds, ["train", "val"])), queries)
    asked, known = ([spectra.spectra[i] for i in rows] for rows in (queries, references))
    scorers = (MatchEvidenceScorer(), EmbeddingScorer(JointEmbedding.load(model)), PrecursorMatchScorer())
    kept = tuple(Kept(scorer, asked, known) for scorer in scorers)
    print("| evidence, cosine, precursor | " + " | ".join(form.name for form in FORMS) + " |")
    print("| --- |" + " --- |" * len(FORMS))
    for weights in SUMS:
        found = search(SumScorer(scorers=kept, weights=weights), spectra, queries=queries, references=references)
        rates = (f"{100 * answers.hit_rate_at(1):.1f} of {answers.ranks.size}" for answers in found)
        print(f"| {', '.join(f'{weight:g}' for weight in weights)} | {' | '.join(rates)} |")


def read(arguments: argparse.Namespace) -> tuple[SearchableSpectra, NDArray[np.str_]]:
    """Return the spectra of the benchmark and the fold of each."""
    rows = read_columns(arguments.benchmark / "folds.tsv.xz", ("accession", "inchikey_first_block", "fold"))
    table = {accession: (block, fold) for accession, block, fold in rows}
    known = [item.spectrum for item in read_dataset(arguments.dataset) if item.spectrum.identifier in table]
    spectra = SearchableSpectra(
        spectra=known,
        molecules=[table[spectrum.identifier][0] for spectrum in known],
        origins=[spectrum.metadata.get("contributor", "") for spectrum in known],
    )
    return spectra, np.array([table[spectrum.identifier][1] for spectrum in known])


def main(argv: Sequence[str] | None = None) -> None:
    """Fit, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("benchmark", type=Path)
    parser.add_argument("--model", type=Path)
    arguments = parser.parse_args(argv)
    spectra, folds = read(arguments)
    if arguments.model is not None:
        print_sums(spectra, folds, model=arguments.model)
        return
    training = np.flatnonzero(folds == "train")
    queries = np.unique(np.concatenate(list(query_splits(spectra, rows=training, n_splits=2, seed=0))))
    found = pairs(spectra, queries, training)
    fold_of = np.random.default_rng(0).integers(0, N_FOLDS, found.molecule.max() + 1)[found.molecule]
    judged: Any = np.zeros(len(found.query))
    for fold in range(N_FOLDS):
        judged[fold_of == fold] = evidence(found, fitted(found, fold_of != fold))[fold_of == fold]
    weights = fitted(found, np.ones(len(found.query), dtype=bool))
    print(np.array2string(weights.round(2), separator=", "))
    validation = np.flatnonzero(folds == "val")
    asked = pairs(spectra, validation, np.flatnonzero(np.isin(folds, ["train", "val"])))
    print("| fold | own references | spectral entropy | evidence |\n| --- | --- | --- | --- |")
    for name, some, score in (("train", found, judged), ("val", asked, evidence(asked, weights))):
        for origin, foreign in (("all", False), ("of other contributors", True)):
            before, after = (top_1(some, s, foreign=foreign) for s in (some.features[:, 1], score))
            print(f"| {name} | {origin} | {before} | {after} |")


if __name__ == "__main__":
    main()
