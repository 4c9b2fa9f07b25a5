"""The peer benchmark: same-formula candidate lists on scaffold-disjoint folds of MassBank.

    python benchmarks/peer_benchmark.py massbank.parquet ../shared/data/peer_benchmark -o benchmarks/nearest_neighbour
    python benchmarks/peer_benchmark.py massbank.parquet ../shared/data/peer_benchmark --model FOLDER -o FILE

The first asks the nearest-neighbour rankers, with the training fold as their reference; the second a model, with the
nearest neighbours beside its other controls. Written: ``<output>.json``, ``<output>.ranks.tsv`` and ``<output>.md``.
"""

from __future__ import annotations

import argparse
import platform
import resource
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from diptych.data.candidate_files import read_candidate_file
from diptych.data.dataset import Dataset, read_dataset
from diptych.data.tables import read_columns
from diptych.evaluation import Evaluation, evaluate
from diptych.evaluation.known import KnownSpectra
from diptych.evaluation.lists import Questions, queries_from_lists, standardised
from diptych.ranking import NearestNeighbourRanker, RandomRanker, Ranker, ShuffledSpectraRanker

MIN_LIST_LENGTH = 2
_METRICS = ("hit_rate@1", "hit_rate@5", "hit_rate@20", "mrr")


@dataclass(frozen=True, kw_only=True)
class FoldRow:
    """What the table of folds says of one spectrum."""

    first_block: str
    smiles: str
    fold: str


def read_folds(path: Path) -> dict[str, FoldRow]:
    """Return accession -> its molecule and fold."""
    rows = read_columns(path, ("accession", "inchikey_first_block", "smiles", "fold"))
    return {name: FoldRow(first_block=block, smiles=smiles, fold=fold) for name, block, smiles, fold in rows}


def fold_of(dataset: Dataset, folds: Mapping[str, FoldRow], fold: str) -> Dataset:
    """Return the spectra of a dataset that the table puts into a fold."""
    return dataset.take([name in folds and folds[name].fold == fold for name in dataset.column("identifier")])


def candidate_queries(
    dataset: Dataset, folds: Mapping[str, FoldRow], candidates: Mapping[str, Sequence[str]], *, fold: str
) -> Questions:
    """Return the queries of a fold; target and candidates go by the table's structures, standardised alike.

    Spectra that the dataset lacks are counted in the provenance as ``absent_spectra``.
    """
    chosen = fold_of(dataset, folds, fold)
    rows = [folds[name] for name in chosen.column("identifier")]
    structures = standardised({row.smiles for row in rows})
    known = [
        replace(
            item,
            target=structure.inchikey_first_block if (structure := structures[row.smiles]) else row.first_block,
            structure=structure,
            other_block=row.first_block,
        )
        for item, row in zip(KnownSpectra.from_annotated(chosen).spectra, rows, strict=True)
    ]
    listed = {row.first_block: candidates[row.first_block] for row in rows if row.first_block in candidates}
    questions = queries_from_lists(KnownSpectra(spectra=tuple(known)), listed)
    absent = sum(row.fold == fold for row in folds.values()) - len(rows)
    return replace(questions, provenance={**questions.provenance, "fold": fold, "absent_spectra": absent})


def neighbour_rankers(reference: Dataset) -> list[NearestNeighbourRanker]:
    """Return the nearest neighbour and the 20 nearest, over the spectra of a dataset."""
    examples = list(reference)
    spectra, structures = [e.spectrum for e in examples], [e.structure for e in examples]
    return [NearestNeighbourRanker(spectra, structures, n_neighbours=n) for n in (1, 20)]


def model_rankers(folder: str) -> tuple[Ranker, list[Ranker], str]:
    """Return a model's ranker, its controls and its digest."""
    from diptych.embedding import JointEmbedding

    from diptych.retrieval.rankers import EmbeddingRanker

    model = JointEmbedding.load(folder)
    ranker = EmbeddingRanker(model)
    return ranker, [ranker.blinded(), ShuffledSpectraRanker(ranker)], model.digest


def run(arguments: argparse.Namespace) -> Evaluation:
    """Return the evaluation that the command line asks for, timed."""
    dataset = read_dataset(arguments.dataset)
    folds = read_folds(arguments.benchmark / "folds.tsv.xz")
    candidates = read_candidate_file(arguments.benchmark / "candidates_formula.json.xz")
    questions = candidate_queries(dataset, folds, candidates, fold=arguments.fold)
    nearest, nearest_20 = neighbour_rankers(fold_of(dataset, folds, "train"))
    provenance: dict[str, Any] = {"dataset_digest": dataset.digest, **questions.provenance}
    ranker: Ranker = nearest_20
    controls: list[Ranker] = [nearest, ShuffledSpectraRanker(nearest_20)]
    if arguments.model:
        ranker, controls, provenance["model_digest"] = model_rankers(arguments.model)
        controls += [nearest, nearest_20]
    started = time.perf_counter()
    evaluation = evaluate(
        ranker,
        questions.queries,
        controls=[RandomRanker(), *controls],
        n_bootstrap=arguments.bootstrap,
        min_list_length=MIN_LIST_LENGTH,
    )
    measured = {
        "seconds": round(time.perf_counter() - started, 1),
        "peak_memory_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        "processor": platform.processor() or platform.machine(),
        "command": f"python {shlex.join(sys.argv)}",
    }
    return replace(evaluation, provenance={**evaluation.provenance, **provenance, "measured": measured})


def to_markdown(evaluation: Evaluation) -> str:
    """Return the table of a run and the command that made it."""
    said = evaluation.provenance
    lines = [
        f"# Candidate ranking, same formula, fold {said['fold']}: {evaluation.model}",
        "",
        f"{len(evaluation.queries):,} spectra of {evaluation.n_molecules:,} molecules, lists of "
        f"{evaluation.list_lengths.mean():.0f} on average. Hit rate in % by spectrum, ties against the target, with "
        "the 95 % interval of a bootstrap over molecules (BCa).",
        "",
        "| ranker | @1 | @5 | @20 | MRR | @1 by molecule |",
        "|---|---|---|---|---|---|",
        *(_row(evaluation, answers) for answers in (evaluation.answers, *evaluation.controls)),
        "",
        f"Spectra of the fold that the dataset lacks: {said['absent_spectra']}. "
        + " ".join(f"{name.replace('_', ' ').capitalize()}: {n}." for name, n in said["counts"].items()),
        "",
        f"All rankers: {said['measured']['seconds']} s, {said['measured']['peak_memory_gib']} GiB at most.",
        "",
        f"    {said['measured']['command']}",
        "",
    ]
    return "\n".join(lines)


def _row(evaluation: Evaluation, answers: Any) -> str:  # noqa: ANN401 - Answers
    metrics = evaluation.metrics_of(answers)
    cells = [
        f"{100 * m.spectrum:.1f} ({100 * m.low:.1f} to {100 * m.high:.1f})" for m in map(metrics.__getitem__, _METRICS)
    ]
    return f"| {' | '.join([answers.ranker, *cells, f'{100 * metrics[_METRICS[0]].molecule:.1f}'])} |"


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("benchmark", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--fold", default="test")
    parser.add_argument("--bootstrap", type=int, default=10_000)
    parser.add_argument("--output", "-o", type=Path, required=True)
    arguments = parser.parse_args()
    evaluation = run(arguments)
    evaluation.save(arguments.output.with_suffix(".json"))
    text = to_markdown(evaluation)
    arguments.output.with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
