"""``diptych evaluate``: how well a model ranks the right structures, with its controls beside it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from diptych.cli.options import MCES

if TYPE_CHECKING:
    from diptych.annotation.calibration import ScoreCalibration
    from diptych.embedding import JointEmbedding
    from diptych.evaluation import Evaluation
    from diptych.evaluation.questions.candidate_lists import Questions
    from diptych.evaluation.questions.known import KnownSpectra
    from diptych.evaluation.questions.selection import Selection
    from diptych.evaluation.results.metadata import Mces
    from diptych.ranking import Query, Ranker
    from diptych.retrieval import EmbeddingRanker
    from diptych.retrieval.reranking import ReRankingRanker

_PPM = 10.0
_MOST_NAMED = 10


@dataclass(frozen=True, kw_only=True)
class _Source:
    """Where queries come from, as asked for on the command line."""

    spectra: Path
    accessions: Path | None
    fold: str | None
    candidates: Path | None
    library: Path | None
    by: Literal["formula", "mass"]
    ppm: float
    seed: int

    def __post_init__(self) -> None:
        if (self.candidates is None) == (self.library is None):
            raise typer.BadParameter("give either --candidates FILE or --library DIR")
        if self.candidates is not None and (self.by, self.ppm) != ("formula", _PPM):
            raise typer.BadParameter(
                "--by and --ppm say what is drawn from --library; --candidates are taken as they are"
            )
        if self.by == "formula" and self.ppm != _PPM:
            raise typer.BadParameter("--ppm is the half width of --by mass; --by formula has none")
        if not math.isfinite(self.ppm):
            raise typer.BadParameter(f"--ppm is {self.ppm}; expected a finite number")
        if self.accessions is not None and self.fold is None:
            raise typer.BadParameter("--accessions needs --fold NAME")
        if self.fold is not None and self.accessions is None and not (_is_dataset(self.spectra) and "=" in self.fold):
            raise typer.BadParameter(
                "--fold is COLUMN=NAME with a dataset (scaffold=test), or NAME with --accessions FILE"
            )

    def check_output(self, path: Path) -> None:
        """Refuse a report that cannot be written, or that would take the place of what is read."""
        from diptych.evaluation.results.query_results import ranks_path
        from diptych.files import check_writable

        for one in (path, ranks_path(path)):
            check_writable(one, read=[self.spectra, self.candidates, self.accessions])


@dataclass(frozen=True, kw_only=True)
class _How:
    """How the model is asked and judged, as asked for on the command line."""

    n_bootstrap: int
    min_list_length: int
    consensus: int
    prior: float
    mces: Mces


def evaluate_command(
    spectra: Annotated[
        Path, typer.Option(exists=True, help="Spectra whose metadata name their structure, or a Diptych dataset.")
    ],
    candidates: Annotated[
        Path | None,
        typer.Option(help="JSON {key: [SMILES, ...]}; keys are target SMILES, first blocks or spectrum identifiers."),
    ] = None,
    library: Annotated[Path | None, typer.Option(help="Draw the candidates from this library instead.")] = None,
    by: Annotated[
        Literal["formula", "mass"],
        typer.Option(help="Which structures of the library: of the target's formula or mass."),
    ] = "formula",
    ppm: Annotated[float, typer.Option(min=1e-3, help="Half width of the mass window, with --by mass.")] = _PPM,
    model: Annotated[str | None, typer.Option(help="Name or folder of a model. [default: the shipped one]")] = None,
    fold: Annotated[
        str | None, typer.Option(help="COLUMN=NAME of a dataset's split, or NAME in the --accessions table.")
    ] = None,
    accessions: Annotated[
        Path | None, typer.Option(help="Table with 'accession' and 'fold': ask only the spectra of --fold.")
    ] = None,
    min_list_length: Annotated[
        int, typer.Option(min=0, help="Leave out queries with fewer candidates; 0 counts them, the empty as misses.")
    ] = 0,
    consensus: Annotated[
        int,
        typer.Option(min=0, help="Ask up to so many spectra of a molecule and adduct as one query; 0 asks each alone."),
    ] = 0,
    prior: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of what the model expects before it sees a peak; 0: none.")
    ] = 1.0,
    mces: MCES = "bound",
    bootstrap: Annotated[int, typer.Option(min=0, help="Resamples of molecules for the intervals.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Of list order, controls and intervals.")] = 0,
    output: Annotated[Path, typer.Option("--output", "-o", help="Report; the ranks go beside it.")] = Path(
        "report.json"
    ),
) -> None:
    """Measure how well a model ranks the right structure among candidates, beside its controls.

    Ties count against the right structure; where it is missing from its list, that is a miss.
    """
    source = _Source(
        spectra=spectra,
        accessions=accessions,
        fold=fold,
        candidates=candidates,
        library=library,
        by=by,
        ppm=ppm,
        seed=seed,
    )
    how = _How(n_bootstrap=bootstrap, min_list_length=min_list_length, consensus=consensus, prior=prior, mces=mces)
    from diptych.cli.evaluate_shown import show

    source.check_output(output)
    evaluation = _evaluation(source, model, how)
    evaluation.save(output)
    show(evaluation, output)


def _evaluation(source: _Source, model: str | None, how: _How) -> Evaluation:
    from diptych.annotation import calibration_of
    from diptych.cli.overlap import with_model_overlap
    from diptych.cli.untrained import warn_of_ranking
    from diptych.embedding import JointEmbedding
    from diptych.evaluation import evaluate
    from diptych.evaluation.evaluation import long_enough
    from diptych.evaluation.results.metadata import check_mces
    from diptych.retrieval.reranking import model_ranker, second_look_of

    check_mces(how.mces)
    embedding = JointEmbedding.load(model)
    warn_of_ranking(embedding)
    known, described = _known(source)
    questions = _questions(source, known)
    ranker = model_ranker(embedding, prior=how.prior)
    if how.consensus:
        ranker, questions = _by_consensus(embedding, questions, how, seed=source.seed)
    evaluation = evaluate(
        ranker,
        questions.queries,
        controls=_controls(ranker, long_enough(questions.queries, how.min_list_length), seed=source.seed),
        n_bootstrap=how.n_bootstrap,
        seed=source.seed,
        min_list_length=how.min_list_length,
        provenance={
            "model_digest": embedding.digest,
            "prior": how.prior,
            "second_look": 0 if how.consensus else second_look_of(embedding),
            "mces": how.mces,
            **described,
            **questions.provenance,
        },
    )
    calibration = calibration_of(embedding, rerank=0 if how.consensus else None, prior=how.prior)
    detailed = _detailed(evaluation, questions.queries, calibration=calibration, mces=how.mces)
    return with_model_overlap(detailed, model)


def _detailed(
    evaluation: Evaluation, queries: Sequence[Query], *, calibration: ScoreCalibration | None, mces: Mces
) -> Evaluation:
    """Return the evaluation with everything that is known of its queries, which goes into the table of results."""
    from diptych.evaluation.results.metadata import described
    from diptych.evaluation.results.query_results import QueryResults
    from diptych.evaluation.results.scores import CandidateScores

    asked = set(evaluation.queries)
    kept = [query for query in queries if query.identifier in asked]
    temperature = calibration.temperature if calibration else None
    results = QueryResults.of_scores(kept, evaluation.answers.scores, temperature=temperature)
    return replace(
        evaluation,
        details=described(results, [query.spectrum for query in kept], mces=mces),
        candidate_scores=CandidateScores.of(kept, evaluation.answers.scores),
    )


def _by_consensus(
    embedding: JointEmbedding, questions: Questions, how: _How, *, seed: int
) -> tuple[EmbeddingRanker, Questions]:
    """Return a ranker and queries that each stand for the spectra of one molecule and adduct."""
    from diptych.retrieval.consensus import ConsensusEmbedding, grouped_queries
    from diptych.retrieval.rankers import EmbeddingRanker

    grouped = grouped_queries(questions.queries, at_most=how.consensus, seed=seed)
    said = {"consensus_of_at_most": how.consensus, "spectra_per_query": grouped.mean_size}
    ranker = EmbeddingRanker(ConsensusEmbedding(model=embedding, spectra_of=grouped.spectra_of), prior=how.prior)
    return ranker, replace(questions, queries=grouped.queries, provenance={**questions.provenance, **said})


def _known(source: _Source) -> tuple[KnownSpectra, Mapping[str, Any]]:
    """Return the spectra to ask and what the report says of them."""
    from diptych.evaluation.questions.selection import Selection

    described: dict[str, Any] = {"spectra": source.spectra.name, "spectra_sha256": _sha256(source.spectra)}
    if source.fold is not None:
        described["fold"] = source.fold
    if source.accessions is None or source.fold is None:
        return _read(source, None, described), described
    selection = Selection.read(source.accessions, fold=source.fold)
    known = selection.label(_read(source, selection, described))
    described["accessions"] = source.accessions.name
    n_found = len(known.spectra) + known.n_without_structure + known.n_not_ms2
    described["absent_accessions"] = len(selection.blocks) - n_found
    return known, described


def _read(source: _Source, selection: Selection | None, described: dict[str, Any]) -> KnownSpectra:
    from diptych.evaluation.questions.known import KnownSpectra

    if _is_dataset(source.spectra):
        from diptych.data.dataset import read_dataset
        from diptych.evaluation.questions.selection import read_fold

        if selection is None and source.fold is not None:
            return KnownSpectra.from_annotated(read_fold(source.spectra, source.fold))
        return KnownSpectra.from_annotated(read_dataset(source.spectra))
    from diptych.spectra import read_spectra

    problems: list[Exception] = []
    repeated: list[str] = []
    spectra = read_spectra(source.spectra, on_problem=problems.append, on_repeat=repeated.append)
    known = KnownSpectra.from_metadata(spectra if selection is None else selection.filter(spectra))
    described["unreadable_spectra"] = len(problems)
    described["counts"] = {"spectra_of_repeated_identifiers": len(repeated)}
    described["renamed_spectra"] = repeated[:_MOST_NAMED]
    return known


def _questions(source: _Source, known: KnownSpectra) -> Questions:
    from diptych.evaluation.questions.candidate_lists import queries_from_library, queries_from_lists

    if source.library is not None:
        from diptych.retrieval import StructureLibrary

        library = StructureLibrary.load(source.library)
        questions = queries_from_library(known, library, by=source.by, ppm=source.ppm, seed=source.seed)
        described = {"candidates": f"library {source.library.name}"}
    else:
        from diptych.data.candidate_files import read_candidate_file

        path = source.candidates or Path()
        questions = queries_from_lists(known, read_candidate_file(path), seed=source.seed)
        described = {"candidates": path.name, "candidates_sha256": _sha256(path)}
    return replace(questions, provenance={**described, **questions.provenance})


def _controls(ranker: EmbeddingRanker | ReRankingRanker, queries: Sequence[Query], *, seed: int) -> list[Ranker]:
    """Return the controls that say something about these queries."""
    from diptych.ranking import PrecursorRanker, RandomRanker, ShuffledSpectraRanker

    controls: list[Ranker] = [RandomRanker(seed), ranker.blinded()]
    if len({query.target for query in queries}) > 1:
        controls.append(ShuffledSpectraRanker(ranker, seed))
    n_mixed = sum(len({s.formula for s in query.candidates.structures}) > 1 for query in queries)
    if n_mixed > len(queries) / 2:
        controls.append(PrecursorRanker())
    return controls


def _is_dataset(path: Path) -> bool:
    return path.suffix.lower() == ".parquet"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
