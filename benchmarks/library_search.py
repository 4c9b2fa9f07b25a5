"""Library search on MassBank: 630 queries against 10,139 (base) and 73,273 (hard) reference spectra.

    python benchmarks/library_search.py SPECTRA ../shared/data/peer_benchmark -o benchmarks/library_search
    python benchmarks/library_search.py SPECTRA ../shared/data/peer_benchmark --model FOLDER -o FILE

SPECTRA is ../shared/data/massbank-2025.05.1.tar.xz. Asked: the scorers without a network, or those of ``--scorers``;
with a model its spectrum tower and that asked without peaks, too. ``--splits 10`` adds the repeated splits on the base
library. Written: ``<output>.json`` and ``<output>.md``.
"""

from __future__ import annotations

import argparse
import json
import lzma
import math
import platform
import resource
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from diptych.data.tables import read_columns
from diptych.evaluation.protocols.library_search import FORMS, OTHER_INSTRUMENT, RIVALLED, SearchAnswers, search
from diptych.evaluation.protocols.repeated_search import RepeatedSearch, repeated_search
from diptych.evaluation.protocols.searchable_spectra import SearchableSpectra
from diptych.ranking import (
    BinnedCosineScorer,
    CosineScorer,
    MatchEvidenceScorer,
    ModifiedCosineScorer,
    PrecursorScorer,
    SpectralEntropyScorer,
    SpectrumScorer,
)
from diptych.ranking.match_evidence import PRECURSOR_WINDOW_DA
from diptych.spectra import read_spectra

KS = (1, 5, 10)
ALL_FORMS = (*FORMS, OTHER_INSTRUMENT)
SCORERS: dict[str, SpectrumScorer] = {
    scorer.name: scorer
    for scorer in (
        PrecursorScorer(),
        BinnedCosineScorer(),
        CosineScorer(),
        SpectralEntropyScorer(),
        SpectralEntropyScorer(precursor_window_da=PRECURSOR_WINDOW_DA, name="spectral_entropy_without_precursor"),
        MatchEvidenceScorer(),
        ModifiedCosineScorer(),
    )
}
_PEERS = (
    "| *peers' README:* precursor m/z alone | 85.2/94.6/96.7 | 70.6/87.0/93.5 | 70.6/87.0/93.0 | 36.3/72.0/85.1 | "
    "43.8/72.5/80.0 |",
    "| *peers' README:* cosine (greedy) | 79.4/89.5/92.2 | 67.9/82.1/86.7 | 86.5/94.8/96.0 | 70.9/88.9/91.7 | "
    "66.2/78.8/83.8 |",
    "| *peers' README:* modified cosine \\* | 58.5/70.5/74.8 | 48.9/62.1/67.0 | 87.0/95.0/96.2 | 71.7/89.2/91.9 | "
    "67.5/79.5/84.3 |",
    "| *peers' README:* spectral entropy \\* | 83.5/92.8/95.6 | 73.1/86.1/89.3 | 88.7/96.0/97.7 | 75.4/91.6/95.3 | "
    "69.9/79.5/88.0 |",
    "| *peers' README:* spectral entropy, precursor peak removed \\* | 76.5/86.3/88.5 | 67.2/78.6/82.4 | "
    "89.3/94.8/96.5 | 76.8/88.9/92.6 | 68.7/79.5/84.3 |",
    "| *peers' README:* SpecEmbedding, own code, reduced | 92.5/97.3/98.4 | 86.5/94.0/96.2 | 86.3/93.7/95.7 | "
    "70.6/86.5/91.0 | 48.8/63.7/73.8 |",
)


class Benchmark:
    """The spectra of the benchmark, and the rows of its queries and libraries."""

    def __init__(self, spectra: Path, folder: Path) -> None:
        rows = read_columns(folder / "folds.tsv.xz", ("accession", "inchikey_first_block", "fold"))
        table = {accession: (block, fold) for accession, block, fold in rows}
        lists = json.loads(lzma.decompress((folder / "library_search.json.xz").read_bytes()))
        named = {
            "queries": [query["id"] for query in lists["queries"]],
            "base": lists["library_base"],
            "hard": lists["library_base"] + lists["library_extra_train"],
        }
        wanted = {accession for accessions in named.values() for accession in accessions}
        found = [spectrum for spectrum in read_spectra(spectra) if spectrum.identifier in wanted]
        row = {spectrum.identifier: i for i, spectrum in enumerate(found)}
        self.n_absent = len(wanted) - len(found)
        self.rows = {name: np.array([row[a] for a in accessions if a in row]) for name, accessions in named.items()}
        self.spectra = SearchableSpectra(
            spectra=found,
            molecules=[table[spectrum.identifier][0] for spectrum in found],
            origins=[spectrum.metadata.get("contributor", "") for spectrum in found],
        )
        self.test_rows = np.flatnonzero([table[spectrum.identifier][1] == "test" for spectrum in found])

    def base_only(self) -> tuple[SearchableSpectra, np.ndarray]:
        """Return the spectra without the training fold, and the rows of the test fold among them."""
        rows = np.concatenate([self.rows["queries"], self.rows["base"]])
        spectra = SearchableSpectra(
            spectra=[self.spectra.spectra[i] for i in rows],
            molecules=[self.spectra.molecules[i] for i in rows],
            origins=[self.spectra.origins[i] for i in rows],
        )
        return spectra, np.flatnonzero(np.isin(rows, self.test_rows))


def asked_scorers(arguments: argparse.Namespace) -> list[SpectrumScorer]:
    """Return the scorers that the command line names."""
    scorers = [SCORERS[name] for name in arguments.scorers]
    if arguments.model:
        from diptych.embedding import JointEmbedding
        from diptych.retrieval.spectrum_scorer import EmbeddingScorer, RememberedVectors, with_match_evidence

        model = RememberedVectors(JointEmbedding.load(arguments.model))
        scorers += [EmbeddingScorer(model), with_match_evidence(model), EmbeddingScorer(model, blind=True)]
    return scorers


def measure(scorer: SpectrumScorer, benchmark: Benchmark, *, n_splits: int) -> dict[str, Any]:
    """Return the figures of one scorer on both libraries, and on repeated splits of the smaller."""
    figures: dict[str, Any] = {"scorer": scorer.name}
    for library in ("base", "hard"):
        queries, references = benchmark.rows["queries"], benchmark.rows[library]
        started = time.perf_counter()
        answers = search(scorer, benchmark.spectra, queries=queries, references=references, forms=ALL_FORMS)
        seconds = time.perf_counter() - started
        figures[library] = {answer.form.name: figures_of(answer) for answer in answers}
        by_class = answers[ALL_FORMS.index(RIVALLED)].by_group(benchmark.spectra.instrument_classes)
        figures[f"{library}_by_class"] = {name or "unknown": figures_of(answer) for name, answer in by_class.items()}
        figures[f"{library}_seconds"] = round(seconds, 1)
        figures[f"{library}_pairs_per_second"] = round(queries.size * references.size / seconds)
    if n_splits:
        spectra, test_rows = benchmark.base_only()
        repeated = repeated_search(scorer, spectra, rows=test_rows, n_splits=n_splits)
        figures["repeated"] = {result.form.name: figures_of_splits(result) for result in repeated}
    return figures


def figures_of(answers: SearchAnswers) -> dict[str, Any]:
    """Return the hit rates of one form (None where nothing was asked), and its counts."""
    rates = {f"hit_rate@{k}": answers.hit_rate_at(k) for k in KS}
    known = {name: None if math.isnan(rate) else rate for name, rate in rates.items()}
    return {"queries": int(answers.ranks.size), **known, "counts": dict(answers.counts)}


def figures_of_splits(result: RepeatedSearch) -> dict[str, Any]:
    """Return mean and standard deviation of the hit rates of one form."""
    return {
        f"hit_rate@{k}": {
            name: None if math.isnan(value) else value for name, value in asdict(result.hit_rate_at(k)).items()
        }
        for k in KS
    }


def to_markdown(report: dict[str, Any]) -> str:
    """Return the tables of a run and the command that made it."""
    results, said = report["results"], report["measured"]
    forms = [("base", FORMS[0].name), *(("hard", form.name) for form in FORMS)]
    sizes = [results[0][library][form]["queries"] for library, form in forms]
    lines = [
        "# Library search: top 1 / 5 / 10 in %",
        "",
        f"{report['n_queries']} queries; base {report['n_references']['base']:,} references, hard "
        f"{report['n_references']['hard']:,}. Ties against the target. Number of queries asked in brackets. "
        f"Other origin: own references of other contributors only. Spectra absent: {report['n_absent']}.",
        "",
        _row(["scorer", *(f"{library}, {form} ({n})" for (library, form), n in zip(forms, sizes, strict=True))]),
        _row(["---"] * (len(forms) + 1)),
        *(_row([r["scorer"], *(_rates(r[library][form]) for library, form in forms)]) for r in results),
        *_PEERS,
        "",
        "\\* on 655 / 297 / 83 queries, as the peers' README says.",
        "",
        *_class_lines(results),
        *_split_lines(results, report["n_splits"]),
        "Pairs per second on the hard library (in millions): "
        + ", ".join(f"{r['scorer']} {r['hard_pairs_per_second'] / 1e6:.1f}" for r in results)
        + f". Memory: {said['peak_memory_gib']} GiB at most.",
        "",
        f"    {said['command']}",
        "",
    ]
    return "\n".join(lines)


def _class_lines(results: Sequence[dict[str, Any]]) -> list[str]:
    """Return the table of the hard library by the instrument class of the query, and across classes."""
    if "hard_by_class" not in results[0]:
        return []
    classes = results[0]["hard_by_class"]
    across = OTHER_INSTRUMENT.name
    headings = [f"{name} ({figures['queries']})" for name, figures in classes.items()]
    return [
        "Hard library, within 10 ppm, with a competitor: by the instrument class of the query (all references), and "
        "with own references of other classes alone.",
        "",
        _row(["scorer", *headings, f"across classes ({results[0]['hard'][across]['queries']})"]),
        _row(["---"] * (len(classes) + 2)),
        *(
            _row([r["scorer"], *(_rates(r["hard_by_class"][name]) for name in classes), _rates(r["hard"][across])])
            for r in results
        ),
        "",
    ]


def _split_lines(results: Sequence[dict[str, Any]], n_splits: int) -> list[str]:
    if not n_splits:
        return []
    return [
        f"Base library, {n_splits} draws of the query: mean (standard deviation) of top 1, and queries per draw.",
        "",
        _row(["scorer", *(form.name for form in FORMS)]),
        _row(["---"] * (len(FORMS) + 1)),
        *(_row([r["scorer"], *(_spread(r["repeated"][f.name]["hit_rate@1"]) for f in FORMS)]) for r in results),
        "",
    ]


def _spread(rate: dict[str, Any]) -> str:
    mean, deviation = ("-" if rate[name] is None else f"{100 * rate[name]:.1f}" for name in ("mean", "deviation"))
    return f"{mean} ({deviation}), {rate['n_queries']:.0f}"


def _rates(figures: dict[str, Any]) -> str:
    return "/".join("-" if (rate := figures[f"hit_rate@{k}"]) is None else f"{100 * rate:.1f}" for k in KS)


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spectra", type=Path, help="MassBank archive")
    parser.add_argument("benchmark", type=Path)
    parser.add_argument("--scorers", nargs="*", choices=list(SCORERS), default=list(SCORERS))
    parser.add_argument("--model")
    parser.add_argument("--splits", type=int, default=0)
    parser.add_argument("--output", "-o", type=Path, required=True)
    arguments = parser.parse_args()
    benchmark = Benchmark(arguments.spectra, arguments.benchmark)
    report = {
        "n_queries": int(benchmark.rows["queries"].size),
        "n_references": {name: int(benchmark.rows[name].size) for name in ("base", "hard")},
        "n_absent": benchmark.n_absent,
        "n_splits": arguments.splits,
        "results": [measure(scorer, benchmark, n_splits=arguments.splits) for scorer in asked_scorers(arguments)],
    }
    report["measured"] = {
        "peak_memory_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        "processor": platform.processor() or platform.machine(),
        "command": f"python {shlex.join(sys.argv)}",
    }
    arguments.output.with_suffix(".json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    text = to_markdown(report)
    arguments.output.with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
