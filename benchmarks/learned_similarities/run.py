"""Spec2Vec and MS2DeepScore, trained on the training fold, on the test fold of the peer benchmark.

    python benchmarks/learned_similarities/run.py spectra.npz ../shared/data/peer_benchmark VECTORS...

spectra.npz is of ``export_spectra.py``; VECTORS are the files of ``train_spec2vec.py`` and ``train_ms2deepscore.py``.
Asked: the nearest neighbour and the 20 nearest among the training spectra by each similarity, and library search in the
hard library. Beside them stand baselines without training, asked alike; ``--learned-only`` leaves them out and takes
their figures, without paired differences, from ``../rankers.json`` and ``../library_search.json``.
Written into this folder, or that of ``-o``: ``results.json`` and ``README.md``.
"""

from __future__ import annotations

import argparse
import json
import lzma
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from export_spectra import read_spectra_file
from readme import to_markdown

from diptych.data.candidate_files import read_candidate_file
from diptych.evaluation import Evaluation, paired_difference
from diptych.evaluation.benchmark.run import RunSettings, run_benchmark, summary
from diptych.evaluation.protocols.library_search import SearchAnswers, search
from diptych.evaluation.protocols.searchable_spectra import SearchableSpectra
from diptych.evaluation.questions.candidate_lists import Questions
from diptych.evaluation.statistics.figures_of_merit import summarised
from diptych.ranking import (
    BinnedCosineScorer,
    NearestNeighbourRanker,
    Query,
    Ranker,
    SpectralEntropyScorer,
    VectorScorer,
)
from diptych.ranking.spectrum_scorers import SpectrumScorer
from diptych.spectra import Spectrum

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from library_search import KS
from peer_benchmark import MIN_LIST_LENGTH, FoldRow, candidate_queries, known_spectra, read_folds
from rankers import Timed

N_NEIGHBOURS = 20
REFERENCE = f"nearest_neighbours_{N_NEIGHBOURS}"


def rank(
    scorers: Sequence[SpectrumScorer | None],
    questions: Questions,
    spectra: Sequence[Spectrum],
    folds: dict[str, FoldRow],
) -> list[Timed]:
    """Return the answers of one neighbour and of 20, by each scorer; None is the cosine of binned spectra."""
    queries: list[Query] = [q for q in questions.queries if q.candidates.n_candidates >= MIN_LIST_LENGTH]
    reference = known_spectra(spectra, folds, fold="train")
    known = [item.spectrum for item in reference]
    structures = [item.structure for item in reference if item.structure is not None]
    answered = []
    for scorer in scorers:
        started = time.perf_counter()
        ranker = NearestNeighbourRanker(known, structures, n_neighbours=N_NEIGHBOURS, scorer=scorer)
        nearest = ranker.neighbours([query.spectrum for query in queries])
        scores = {N_NEIGHBOURS: ranker.vote(queries, nearest), 1: ranker.vote(queries, nearest, n_neighbours=1)}
        seconds = time.perf_counter() - started
        kind = ranker.name.removesuffix(f"_neighbours_{N_NEIGHBOURS}")
        answered += [
            Timed(ranker.name, seconds, scores[N_NEIGHBOURS]),
            Timed(f"{kind}_neighbour", seconds, scores[1]),
        ]
        print(f"{ranker.name}: {seconds:.1f} s", flush=True)
    return answered


def searchable(
    spectra: Sequence[Spectrum], folds: dict[str, FoldRow], folder: Path
) -> tuple[SearchableSpectra, np.ndarray, np.ndarray]:
    """Return the spectra, and the rows of the queries and of the hard library among them."""
    lists = json.loads(lzma.decompress((folder / "library_search.json.xz").read_bytes()))
    row = {spectrum.identifier: i for i, spectrum in enumerate(spectra)}
    queries = [query["id"] for query in lists["queries"]]
    references = lists["library_base"] + lists["library_extra_train"]
    found = SearchableSpectra(
        spectra=spectra,
        molecules=[folds[spectrum.identifier].first_block for spectrum in spectra],
        origins=[spectrum.metadata.get("contributor", "") for spectrum in spectra],
    )
    return found, *(np.array([row[name] for name in names if name in row]) for names in (queries, references))


def search_figures(answers: SearchAnswers, spectra: SearchableSpectra, *, n_bootstrap: int) -> dict[str, Any]:
    """Return the hit rates of one form with their intervals over molecules."""
    found = summarised(
        {f"hit_rate@{k}": (answers.ranks <= k).astype(np.float64) for k in KS},
        molecules=[spectra.molecules[row] for row in answers.asked],
        n_bootstrap=n_bootstrap,
    )
    rates = {name: {"value": value.spectrum, "low": value.low, "high": value.high} for name, value in found.items()}
    return {"queries": int(answers.ranks.size), **rates, "counts": dict(answers.counts)}


def differences(evaluations: Sequence[Evaluation], *, n_bootstrap: int) -> dict[str, dict[str, float]]:
    """Return by how much the hit rate at rank 1 differs from that of the 20 nearest by binned cosine, paired."""
    by_name = {evaluation.model: evaluation for evaluation in evaluations}
    if REFERENCE not in by_name:
        return {}
    found = {
        name: paired_difference(evaluation, by_name[REFERENCE], n_bootstrap=n_bootstrap)
        for name, evaluation in by_name.items()
        if name != REFERENCE
    }
    return {name: {"value": row.value, "low": row.low, "high": row.high} for name, row in found.items()}


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return everything that is measured."""
    folds = read_folds(arguments.benchmark / "folds.tsv.xz")
    spectra = read_spectra_file(arguments.spectra)
    learned = [VectorScorer.read(path) for path in arguments.vectors]
    candidates = read_candidate_file(arguments.benchmark / "candidates_formula.json.xz")
    questions = candidate_queries(spectra, folds, candidates, fold="test")
    baselines = not arguments.learned_only
    answered = rank([*learned, *([None] if baselines else [])], questions, spectra, folds)
    rankers: list[Ranker] = list(answered)
    settings = RunSettings(n_bootstrap=arguments.bootstrap, min_list_length=MIN_LIST_LENGTH)
    evaluations = run_benchmark(rankers, questions, settings=settings)
    for evaluation in evaluations:
        print(evaluation.model, evaluation.metrics["hit_rate@1"], flush=True)
    library, queries, references = searchable(spectra, folds, arguments.benchmark)
    searched = {}
    for scorer in (*learned, *((BinnedCosineScorer(), SpectralEntropyScorer()) if baselines else ())):
        answers = search(scorer, library, queries=queries, references=references)
        searched[scorer.name] = {
            answer.form.name: search_figures(answer, library, n_bootstrap=arguments.bootstrap) for answer in answers
        }
    return {
        "trainings": {scorer.name: scorer.said for scorer in learned},
        "learned_only": arguments.learned_only,
        "n_queries": len(evaluations[0].queries),
        "n_molecules": evaluations[0].n_molecules,
        "n_bootstrap": arguments.bootstrap,
        "rankers": summary(evaluations),
        "less_reference": differences(evaluations, n_bootstrap=arguments.bootstrap),
        "seconds": {found.name: round(found.seconds, 1) for found in answered},
        "library_search": searched,
        "n_references": int(references.size),
        "peak_memory_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }


def main() -> None:
    """Ask everything and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spectra", type=Path, help="of export_spectra.py")
    parser.add_argument("benchmark", type=Path)
    parser.add_argument("vectors", type=Path, nargs="+", help="of the trainings; their names are those of the files")
    parser.add_argument("--bootstrap", type=int, default=2000)
    parser.add_argument("--learned-only", action="store_true", help="do not ask the baselines again")
    parser.add_argument("--output", "-o", type=Path, default=Path(__file__).resolve().parent)
    arguments = parser.parse_args()
    report = run(arguments)
    (arguments.output / "results.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    measured = {
        name: json.loads((Path(__file__).resolve().parents[1] / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("rankers", "library_search")
    }
    searched = {row["scorer"]: row["hard"] for row in measured["library_search"]["results"]}
    text = to_markdown(report, rankers=measured["rankers"]["rankers"], searched=searched)
    (arguments.output / "README.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
