"""The protocols of ``diptych benchmark run``: each asks, writes a folder of results and returns lines to print."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import typer

from diptych.errors import EvaluationError

if TYPE_CHECKING:
    from diptych.cli.benchmark_rankers import Asked
    from diptych.evaluation.benchmark.folder import Benchmark
    from diptych.evaluation.questions.candidate_lists import Questions
    from diptych.ranking.query import Query
    from diptych.ranking.spectrum_scorers import SpectrumScorer
    from diptych.spectra.spectrum import Spectrum

_N_OTHERS = 255


def run_lists(benchmark: Benchmark, asked: Asked, protocol: str, output: Path) -> list[str]:
    """Return the table of candidate ranking: with lists of the benchmark, or among 255 random molecules."""
    from diptych.cli.overlap import with_model_overlap
    from diptych.evaluation.audit.overlap import overlap_lines
    from diptych.evaluation.benchmark.run import count_lines, run_benchmark, save_run, summary_lines
    from diptych.evaluation.evaluation import long_enough

    settings = asked.settings
    questions, kept = _questions(benchmark, asked, protocol), asked.kept(benchmark, output)
    evaluations = run_benchmark(
        kept.of(asked.rankers(benchmark, long_enough(questions.queries, asked.min_list_length))),
        questions,
        settings=settings,
        provenance={**asked.provenance, **asked.second_look, "protocol": protocol},
    )
    if asked.model is not None:
        evaluations[0] = with_model_overlap(evaluations[0], asked.model)
    paths = save_run(evaluations, output)
    kept.done()
    odd = [*count_lines(evaluations), *overlap_lines(evaluations[0].provenance)]
    return [*summary_lines(evaluations), *odd, f"Written: {', '.join(map(str, paths))}"]


def run_global(benchmark: Benchmark, asked: Asked, output: Path) -> list[str]:
    """Return the table of global retrieval by a model in its library, with the blind control."""
    from diptych.cli.overlap import with_model_overlap
    from diptych.cli.untrained import warn_of_ranking
    from diptych.evaluation.audit.overlap import overlap_lines
    from diptych.evaluation.benchmark.run import save_run, summary_lines
    from diptych.evaluation.protocols.global_retrieval import global_answers, global_evaluation
    from diptych.evaluation.wording import counted
    from diptych.retrieval import StructureLibrary
    from diptych.retrieval.rankers import FirstBlocks, target_rows, usable_vectors

    model = asked.embedding
    if model is None or asked.library is None:
        raise typer.BadParameter("global retrieval needs --model MODEL and --library DIR")
    warn_of_ranking(model)
    library = StructureLibrary.load(asked.library, model=model)
    known = benchmark.asked(asked.fold).spectra
    spectra = [item.spectrum for item in known]
    rows = target_rows(library, [item.structure for item in known])
    answers = [
        global_answers(
            name,
            usable_vectors(model, spectra, blind=blind, prior=asked.prior),
            library.embeddings,
            target_rows=rows,
            first_blocks=FirstBlocks(library),
        )
        for name, blind in ((model.name, False), ("spectrum_blind", True))
    ]
    evaluation = global_evaluation(
        answers[0],
        queries=[spectrum.identifier for spectrum in spectra],
        targets=[item.target for item in known],
        target_rows=rows,
        n_library=len(library),
        controls=answers[1:],
        n_bootstrap=asked.n_bootstrap,
        seed=asked.seed,
        provenance={
            **asked.provenance,
            "protocol": "global",
            "benchmark_digest": benchmark.digest,
            "library": asked.library.name,
            "targets_not_in_library": int((rows < 0).sum()),
        },
    )
    both = [with_model_overlap(one, asked.model) for one in (evaluation, evaluation.control("spectrum_blind"))]
    paths = save_run(both, output)
    counts = evaluation.provenance["counts"]
    absent, unusable = counts["targets_missing_from_their_list"], counts["queries_without_any_score"]
    odd = [
        f"Counted as misses: {counted(absent, 'target', 'targets')} that the library lacks, "
        f"{counted(unusable, 'query', 'queries')} that cannot be worked with.",
        *overlap_lines(both[0].provenance),
    ]
    return [*summary_lines(both), *odd, f"Written: {', '.join(map(str, paths))}"]


def run_few_shot(benchmark: Benchmark, asked: Asked, output: Path) -> list[str]:
    """Return the table of N-way K-shot re-identification: binned peaks, and a model with its blind control."""
    from diptych.evaluation.protocols.tables import binned_vectors, few_shot_table
    from diptych.retrieval.rankers import usable_vectors

    known = benchmark.asked(asked.fold).spectra
    spectra, molecules = [item.spectrum for item in known], [item.target for item in known]
    vectors: dict[str, Any] = {scorer.name: scorer.vectors(spectra) for scorer in asked.vector_scorers}
    vectors["binned_peaks"] = binned_vectors(spectra, molecules)
    if asked.embedding is not None:
        vectors = {
            asked.embedding.name: usable_vectors(asked.embedding, spectra),
            "spectrum_blind": usable_vectors(asked.embedding, spectra, blind=True),
            **vectors,
        }
    rows = few_shot_table(vectors, molecules, n_bootstrap=asked.n_bootstrap, seed=asked.seed)
    return _write_table(rows, benchmark, asked, "few-shot", output)


def run_library_search(benchmark: Benchmark, asked: Asked, output: Path) -> list[str]:
    """Return the table of library search: the spectra of the fold among themselves and those of the training fold."""
    from diptych.cli.benchmark_rankers import check_distinct
    from diptych.evaluation.protocols.searchable_spectra import SearchableSpectra
    from diptych.evaluation.protocols.tables import library_search_table, search_count_lines, search_scorers

    known = benchmark.asked(asked.fold).spectra
    others = asked.training_spectra(benchmark)
    spectra: list[Spectrum] = [*(item.spectrum for item in known), *(example.spectrum for example in others)]
    searchable = SearchableSpectra(
        spectra=spectra,
        molecules=[*(item.target for item in known), *(e.structure.inchikey_first_block for e in others)],
        origins=[spectrum.metadata.get("contributor", "") for spectrum in spectra],
    )
    scorers = [
        *asked.vector_scorers,
        *search_scorers(asked.names or ("precursor_mz", "binned_cosine", "spectral_entropy")),
    ]
    if asked.embedding is not None:
        from diptych.retrieval.spectrum_scorer import EmbeddingScorer, RememberedVectors, with_match_evidence

        model = RememberedVectors(asked.embedding)
        scorers = [EmbeddingScorer(model), with_match_evidence(model), EmbeddingScorer(model, blind=True), *scorers]
    check_distinct([scorer.name for scorer in scorers])
    kept = asked.kept(benchmark, output)

    def searched(scorer: SpectrumScorer) -> list[dict[str, Any]]:
        return library_search_table([scorer], searchable, rows=np.arange(len(known)), seed=asked.seed)

    rows = [row for one in scorers for row in kept.rows(f"library search {one.name}", partial(searched, one))]
    lines = _write_table(rows, benchmark, asked, "library-search", output, said=search_count_lines(rows))
    kept.done()
    return lines


def run_robustness(benchmark: Benchmark, asked: Asked, output: Path) -> list[str]:
    """Return the table of robustness, with the first lists of the benchmark."""
    from diptych.evaluation.protocols.robustness import energy_robustness, robustness, robustness_lines
    from diptych.evaluation.wording import query_count_lines

    queries, counts = _first_lists(benchmark, asked)
    how: dict[str, Any] = {"n_bootstrap": asked.n_bootstrap, "seed": asked.seed}
    if 0 < asked.sample < len(queries):
        counts = {**counts, "queries_not_drawn": len(queries) - asked.sample}
        drawn = np.random.default_rng(asked.seed).choice(len(queries), asked.sample, replace=False)
        queries = [queries[row] for row in np.sort(drawn).tolist()]
    rows, kept = [], asked.kept(benchmark, output)
    for ranker in kept.of(asked.rankers(benchmark, queries)):
        rows += robustness(ranker, queries, **how) + energy_robustness(ranker, queries, **how)
    content = {"rows": [row.to_dict() for row in rows], "counts": counts}
    _write(content, benchmark, asked, "robustness", output)
    kept.done()
    return [*robustness_lines(rows), *query_count_lines(counts), f"Written: {output}"]


def run_answer_absent(benchmark: Benchmark, asked: Asked, output: Path) -> list[str]:
    """Return the table of what scores say when the answer is taken out of the first lists of the benchmark."""
    from diptych.evaluation.protocols.confidence_table import AskedLists, answer_absent_table, conformal_notes

    queries, counts = _first_lists(benchmark, asked)
    lists = AskedLists(
        molecules=[query.target for query in queries],
        positions=[query.candidates.positions.get(query.target) for query in queries],
    )
    kept = asked.kept(benchmark, output)
    scores = {ranker.name: ranker.score(queries) for ranker in kept.of(asked.rankers(benchmark, queries))}
    rows = answer_absent_table(
        scores, lists, temperatures=asked.temperatures, n_bootstrap=asked.n_bootstrap, seed=asked.seed
    )
    told = "left out: the list lacks the answer, or the answer or all others have no score"
    said = [*([told] if any(row["left_out"] for row in rows) else []), *conformal_notes(rows)]
    lines = _write_table(rows, benchmark, asked, "answer-absent", output, counts=counts, said=said)
    kept.done()
    return lines


def _first_lists(benchmark: Benchmark, asked: Asked) -> tuple[list[Query], dict[str, int]]:
    """Return the queries with the first lists of the benchmark that are long enough, and what is odd about them."""
    from diptych.evaluation.evaluation import long_enough, query_counts

    questions = benchmark.questions(next(iter(benchmark.lists)), fold=asked.fold)
    queries = long_enough(questions.queries, asked.min_list_length)
    counts = {
        "queries_given": len(questions.queries),
        "spectra_without_list": questions.provenance["spectra_without_list"],
        "queries_left_out_for_short_lists": len(questions.queries) - len(queries),
        **query_counts(queries),
        **questions.provenance["counts"],
    }
    return queries, counts


def _questions(benchmark: Benchmark, asked: Asked, protocol: str) -> Questions:
    if protocol != "256-way":
        return benchmark.questions(protocol, fold=asked.fold)
    from diptych.evaluation.questions.random_lists import queries_from_random_lists

    examples = asked.training_spectra(benchmark)
    known = benchmark.asked(asked.fold)
    own = [item.structure for item in known.spectra if item.structure is not None]
    pool = [*own, *(example.structure for example in examples)]
    try:
        return queries_from_random_lists(known, pool, n_others=_N_OTHERS, seed=asked.seed)
    except EvaluationError as error:
        if asked.dataset is None:
            raise EvaluationError(f"{error}; --dataset adds the molecules of the training fold") from error
        raise


def _write_table(
    rows: Sequence[Mapping[str, Any]],
    benchmark: Benchmark,
    asked: Asked,
    protocol: str,
    output: Path,
    *,
    counts: Mapping[str, int] | None = None,
    said: Sequence[str] = (),
) -> list[str]:
    """Write rows and counts; return the rows as a table with its note, what is said of them, and the counts not 0."""
    from diptych.evaluation.protocols.tables import table_lines, table_note
    from diptych.evaluation.wording import query_count_lines

    _write({"rows": list(rows)} | ({"counts": counts} if counts else {}), benchmark, asked, protocol, output)
    return [table_note(protocol), *table_lines(rows), *said, *query_count_lines(counts or {}), f"Written: {output}"]


def _write(content: Mapping[str, Any], benchmark: Benchmark, asked: Asked, protocol: str, output: Path) -> None:
    from diptych.files import replacing

    said = {
        "protocol": protocol,
        "benchmark": benchmark.folder.name,
        "benchmark_digest": benchmark.digest,
        "fold": asked.fold,
        "seed": asked.seed,
        **({} if protocol == "library-search" else {"n_bootstrap": asked.n_bootstrap}),
        **asked.provenance,
        **content,
    }
    with replacing(output / f"{protocol}.json") as temporary:
        temporary.write_text(json.dumps(said, indent=2, allow_nan=False) + "\n", encoding="utf-8")
