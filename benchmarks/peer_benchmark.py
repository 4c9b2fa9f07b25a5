"""The peer benchmark: same-formula candidate lists on scaffold-disjoint folds of MassBank.

    python benchmarks/peer_benchmark.py SPECTRA ../shared/data/peer_benchmark -o benchmarks/nearest_neighbour
    python benchmarks/peer_benchmark.py SPECTRA ../shared/data/peer_benchmark --model FOLDER -o FILE

The first asks the nearest-neighbour rankers, with the training fold as their reference; the second a model, with the
nearest neighbours beside its other controls. SPECTRA is ../shared/data/massbank-2025.05.1.tar.xz, or a dataset of it
(which lacks its exact duplicates, so that some queries are absent). Written: ``<output>.json``, ``<output>.md`` and,
with ``--ranks``, ``<output>.ranks.tsv``.
"""

from __future__ import annotations

import argparse
import json
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
from diptych.data.dataset import read_dataset
from diptych.data.tables import read_columns
from diptych.evaluation import Evaluation, evaluate
from diptych.evaluation.questions.candidate_lists import Questions, queries_from_lists, standardised
from diptych.evaluation.questions.known import KnownSpectra, KnownSpectrum
from diptych.ranking import NearestNeighbourRanker, RandomRanker, Ranker, ShuffledSpectraRanker
from diptych.spectra import Spectrum, read_spectra

MIN_LIST_LENGTH = 2
_PEERS = (
    "| *peers' README:* nearest neighbour | 22.9 | 54.1 | 76.1 | | 19.2 |",
    "| *peers' README:* the same, 20 neighbours | 28.4 | 60.1 | 81.1 | | 23.4 |",
    "| *peers' README:* JESTR, own code | 18.7 | 55.7 | 83.0 | | 18.3 |",
)
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


def benchmark_spectra(path: Path, folds: Mapping[str, FoldRow]) -> list[Spectrum]:
    """Return the spectra of the benchmark: from a Diptych dataset, or any file or archive that Diptych reads."""
    spectra = (example.spectrum for example in read_dataset(path)) if path.suffix == ".parquet" else read_spectra(path)
    return [spectrum for spectrum in spectra if spectrum.identifier in folds]


def candidate_queries(
    spectra: Sequence[Spectrum],
    folds: Mapping[str, FoldRow],
    candidates: Mapping[str, Sequence[str]],
    *,
    fold: str,
) -> Questions:
    """Return the queries of a fold; target and candidates go by the table's structures, standardised alike.

    Spectra of the fold that are not given are counted in the provenance as ``absent_spectra``.
    """
    chosen = known_spectra(spectra, folds, fold=fold)
    blocks = {item.other_block for item in chosen}
    questions = queries_from_lists(
        KnownSpectra(spectra=chosen), {block: smiles for block, smiles in candidates.items() if block in blocks}
    )
    absent = sum(row.fold == fold for row in folds.values()) - len(chosen)
    return replace(questions, provenance={**questions.provenance, "fold": fold, "absent_spectra": absent})


def known_spectra(spectra: Sequence[Spectrum], folds: Mapping[str, FoldRow], *, fold: str) -> tuple[KnownSpectrum, ...]:
    """Return the spectra of a fold with the structures that the table gives them."""
    chosen = [(spectrum, folds[spectrum.identifier]) for spectrum in spectra if folds[spectrum.identifier].fold == fold]
    structures = standardised({row.smiles for _, row in chosen})
    return tuple(
        KnownSpectrum(
            spectrum=spectrum,
            target=structure.inchikey_first_block,
            structure=structure,
            other_block=row.first_block,
        )
        for spectrum, row in chosen
        if (structure := structures[row.smiles]) is not None
    )


def neighbour_rankers(reference: Sequence[KnownSpectrum]) -> list[NearestNeighbourRanker]:
    """Return the nearest neighbour and the 20 nearest among known spectra."""
    spectra = [item.spectrum for item in reference]
    structures = [item.structure for item in reference if item.structure is not None]
    return [NearestNeighbourRanker(spectra, structures, n_neighbours=n) for n in (1, 20)]


def model_rankers(folder: str, blind_twin: str | None) -> tuple[Ranker, list[Ranker], str]:
    """Return a model's ranker, its controls (a twin trained without peaks among them) and its digest."""
    from diptych.embedding import JointEmbedding
    from diptych.retrieval.rankers import EmbeddingRanker
    from diptych.retrieval.reranking import ReRankingRanker, model_ranker

    model = JointEmbedding.load(folder)
    ranker = model_ranker(model)
    controls: list[Ranker] = [ranker.blinded(), ShuffledSpectraRanker(ranker)]
    if isinstance(ranker, ReRankingRanker):
        vectors = EmbeddingRanker(model)
        vectors.name = "vectors_alone"
        controls.append(vectors)
    if blind_twin:
        twin = EmbeddingRanker(JointEmbedding.load(blind_twin), blind=True)
        twin.name = "blind_twin"
        controls.append(twin)
    return ranker, controls, model.digest


def run(arguments: argparse.Namespace) -> Evaluation:
    """Return the evaluation that the command line asks for, timed."""
    folds = read_folds(arguments.benchmark / "folds.tsv.xz")
    spectra = benchmark_spectra(arguments.spectra, folds)
    candidates = read_candidate_file(arguments.benchmark / "candidates_formula.json.xz")
    questions = candidate_queries(spectra, folds, candidates, fold=arguments.fold)
    nearest, nearest_20 = neighbour_rankers(known_spectra(spectra, folds, fold="train"))
    provenance: dict[str, Any] = {"spectra": arguments.spectra.name, **questions.provenance}
    ranker: Ranker = nearest_20
    controls: list[Ranker] = [nearest, ShuffledSpectraRanker(nearest_20)]
    if arguments.model:
        ranker, controls, provenance["model_digest"] = model_rankers(arguments.model, arguments.blind_twin)
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
        *_PEERS,
        "",
        *_differences(evaluation),
        f"Spectra of the fold that {said['spectra']} lacks: {said['absent_spectra']}. "
        + " ".join(f"{name.replace('_', ' ').capitalize()}: {n}." for name, n in said["counts"].items()),
        "",
        f"All rankers: {said['measured']['seconds']} s, {said['measured']['peak_memory_gib']} GiB at most.",
        "",
        f"    {said['measured']['command']}",
        "",
    ]
    return "\n".join(lines)


def _differences(evaluation: Evaluation) -> list[str]:
    rows = evaluation.to_report()["above_controls"]
    if not rows:
        return []
    lines = []
    for name, row in rows.items():
        value, low, high = (100 * row[key] for key in ("value", "low", "high"))
        lines.append(f"| {name} | {value:+.1f} ({low:+.1f} to {high:+.1f}) | {row['mcnemar_p']:.1e} |")
    return ["| hit rate@1 above | points, by spectrum (95 %) | McNemar p |", "|---|---|---|", *lines, ""]


def _row(evaluation: Evaluation, answers: Any) -> str:  # noqa: ANN401 - Answers
    metrics = evaluation.metrics_of(answers)
    cells = [
        f"{100 * m.spectrum:.1f} ({100 * m.low:.1f} to {100 * m.high:.1f})" for m in map(metrics.__getitem__, _METRICS)
    ]
    return f"| {' | '.join([answers.ranker, *cells, f'{100 * metrics[_METRICS[0]].molecule:.1f}'])} |"


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spectra", type=Path, help="MassBank archive, or dataset (.parquet)")
    parser.add_argument("benchmark", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--blind-twin", help="the same model trained with training.blind=true: one more control")
    parser.add_argument("--fold", default="test")
    parser.add_argument("--bootstrap", type=int, default=10_000)
    parser.add_argument("--ranks", action="store_true", help="write the rank of every query, too")
    parser.add_argument("--output", "-o", type=Path, required=True)
    arguments = parser.parse_args()
    evaluation = run(arguments)
    report = arguments.output.with_suffix(".json")
    if arguments.ranks:
        evaluation.save(report)
    else:
        report.write_text(json.dumps(evaluation.to_report(), indent=2) + "\n", encoding="utf-8")
    text = to_markdown(evaluation)
    arguments.output.with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
