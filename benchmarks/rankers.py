"""Every ranker of the package on the peer benchmark, beside each other.

    python benchmarks/rankers.py SPECTRA ../shared/data/peer_benchmark STRUCTURES -o benchmarks/rankers

SPECTRA is ../shared/data/massbank-2025.05.1.tar.xz, STRUCTURES ../shared/data/structures.tsv.xz. Rankers that learn
do so on the training fold; nothing was chosen on the test fold: all settings are those that the package has by default.
``--fold val`` asks the validation fold.
Written: ``<output>.json`` and ``<output>.md``.
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from diptych.data.candidate_files import read_candidate_file
from diptych.evaluation import Evaluation, paired_difference
from diptych.evaluation.benchmark.run import RunSettings, run_benchmark, summary, summary_lines
from diptych.evaluation.questions.unmeasured import unmeasured_structures
from diptych.ranking import RANKERS, Query, Ranker, Training
from diptych.ranking.registry import make_rankers
from peer_benchmark import MIN_LIST_LENGTH, benchmark_spectra, candidate_queries, known_spectra, read_folds

_FUSIONS = tuple(f"{kind}nearest_neighbours_20+fingerprint_cosine+bond_disconnection" for kind in ("", "rank:"))
_REFERENCE = "nearest_neighbours_20"
_PEERS = {"nearest_neighbour": 22.9, "nearest_neighbours_20": 28.4}


@dataclass(frozen=True)
class Timed:
    """A ranker whose answers, and the time that making and asking it took, are kept."""

    name: str
    seconds: float
    scores: list[NDArray[np.floating]]

    def score(self, _: Sequence[Query]) -> list[NDArray[np.floating]]:
        """Return the scores that were kept."""
        return self.scores


def ask(names: Sequence[str], training: Training, queries: Sequence[Query]) -> list[Timed]:
    """Return the answers of the rankers of these names, and the time of each; what two of them share counts once."""
    answered = []
    for ranker in make_rankers(names, training):
        started = time.perf_counter()
        scores = ranker.score(queries)
        answered.append(Timed(ranker.name, time.perf_counter() - started, scores))
        print(f"{ranker.name}: {answered[-1].seconds:.1f} s", flush=True)
    return answered


def run(arguments: argparse.Namespace) -> tuple[list[Evaluation], dict[str, Any]]:
    """Return the evaluation of every ranker, and what was measured on the way."""
    folds = read_folds(arguments.benchmark / "folds.tsv.xz")
    spectra = benchmark_spectra(arguments.spectra, folds)
    candidates = read_candidate_file(arguments.benchmark / "candidates_formula.json.xz")
    questions = candidate_queries(spectra, folds, candidates, fold=arguments.fold)
    reference = known_spectra(spectra, folds, fold="train")
    structures = [item.structure for item in reference if item.structure is not None]
    training = Training(
        spectra=[item.spectrum for item in reference],
        structures=structures,
        others=unmeasured_structures(arguments.structures, structures),
    )
    queries = [q for q in questions.queries if q.candidates.n_candidates >= MIN_LIST_LENGTH]
    answered = ask(arguments.rankers.split(",") if arguments.rankers else [*RANKERS, *_FUSIONS], training, queries)
    rankers: list[Ranker] = list(answered)
    settings = RunSettings(n_bootstrap=arguments.bootstrap, min_list_length=MIN_LIST_LENGTH)
    evaluations = run_benchmark(rankers, questions, settings=settings)
    measured = {
        "fold": arguments.fold,
        "reference_spectra": len(training.spectra),
        "seconds": {found.name: round(found.seconds, 1) for found in answered},
        "peak_memory_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        "processor": platform.processor() or platform.machine(),
        "command": f"python {shlex.join(sys.argv)}",
    }
    return evaluations, measured


def to_markdown(evaluations: Sequence[Evaluation], measured: dict[str, Any]) -> str:
    """Return the table of a run and the command that made it."""
    table = summary_lines(evaluations)
    for i, evaluation in enumerate(evaluations, start=-len(evaluations)):
        cells = table[i].rsplit("|", 2)[0]
        table[i] = f"{cells}| {measured['seconds'][evaluation.model]:.0f} |"
    ordered = sorted(table[4:], key=lambda line: -float(line.split("|")[2].split()[0]))
    return "\n".join(
        [
            f"# Rankers without a joint embedding on the peer benchmark, fold {measured['fold']}",
            "",
            *table[:4],
            *ordered,
            "",
            "Seconds are wall clock of asking; one search serves a nearest neighbour and the 20 nearest, one network "
            "all three fingerprint rankers, and what two share counts with the first. "
            "Names joined by + are the mean of z-scores, with rank: before them the sum of reciprocal ranks. "
            f"formula_only and precursor_mass tie all candidates of one formula, and ties count against the target. "
            f"Reference: {measured['reference_spectra']:,} training spectra. "
            f"At most {measured['peak_memory_gib']} GiB.",
            "",
            *_differences(evaluations, peers=_PEERS if measured["fold"] == "test" else {}),
            f"    {measured['command']}",
            "",
        ]
    )


def _differences(evaluations: Sequence[Evaluation], *, peers: Mapping[str, float]) -> list[str]:
    by_name = {evaluation.model: evaluation for evaluation in evaluations}
    if _REFERENCE not in by_name or evaluations[0].n_molecules < 2:
        return []
    lines = [f"| hit rate@1 less that of {_REFERENCE} | points, by spectrum (95 %) |", "|---|---|"]
    for name, evaluation in by_name.items():
        if name != _REFERENCE:
            found = paired_difference(evaluation, by_name[_REFERENCE], n_bootstrap=evaluation.n_bootstrap)
            lines.append(f"| {name} | {100 * found.value:+.1f} ({100 * found.low:+.1f} to {100 * found.high:+.1f}) |")
    said = [
        f"{name}: {100 * by_name[name].metrics['hit_rate@1'].spectrum:.1f} here, {value} in the peers' README."
        for name, value in peers.items()
        if name in by_name
    ]
    return [*lines, "", *([" ".join(said), ""] if said else [])]


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spectra", type=Path, help="MassBank archive, or dataset (.parquet)")
    parser.add_argument("benchmark", type=Path)
    parser.add_argument("structures", type=Path, help="table of structures, for the molecule prior")
    parser.add_argument("--fold", default="test")
    parser.add_argument("--rankers", default="", help="names, parted by commas; all by default")
    parser.add_argument("--bootstrap", type=int, default=10_000)
    parser.add_argument("--output", "-o", type=Path, required=True)
    arguments = parser.parse_args()
    evaluations, measured = run(arguments)
    report = {"measured": measured, "rankers": summary(evaluations)}
    arguments.output.with_suffix(".json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    text = to_markdown(evaluations, measured)
    arguments.output.with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
