"""Whom ``diptych benchmark run`` asks: a model with its controls, tables of scores, rankers by name."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from diptych.data.annotated import AnnotatedSpectrum
    from diptych.embedding import JointEmbedding
    from diptych.evaluation.benchmark.folder import Benchmark
    from diptych.evaluation.benchmark.resume import KeptAnswers
    from diptych.evaluation.benchmark.run import RunSettings
    from diptych.evaluation.results.metadata import Mces
    from diptych.molecules.structure import Structure
    from diptych.ranking import Query, Ranker, Training, VectorScorer

_MOST_OTHERS = 20_000
_SHUFFLED = "shuffled_spectra"
_PRIOR = "molecule_prior"
_MODEL = "model"  # as fusions name it
# What a protocol takes beside --model, --fold and --seed; the others would be ignored.
_LISTS_TAKE = (
    "--ranker",
    "--scores",
    "--vectors",
    "--prior",
    "--min-list-length",
    "--dataset",
    "--structures",
    "--mces",
    "--bootstrap",
)
_TAKES = {
    "global": ("--library", "--prior", "--bootstrap"),
    "few-shot": ("--vectors", "--bootstrap"),
    "library-search": ("--ranker", "--vectors", "--dataset"),
    "robustness": ("--ranker", "--prior", "--min-list-length", "--sample", "--dataset", "--structures", "--bootstrap"),
    "answer-absent": tuple(option for option in _LISTS_TAKE if option != "--mces"),
}
_ASK_THE_TRAINING_FOLD = ("256-way", "library-search")  # for molecules and references
_REASONS = {
    ("robustness", "--scores"): " (a table has no answer to spoiled spectra)",
    ("robustness", "--vectors"): " (spoiled spectra have none)",
}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the command line asks for."""

    names: tuple[str, ...] = ()
    model: str | None = None
    scores: tuple[Path, ...] = ()
    vectors: tuple[Path, ...] = ()
    dataset: Path | None = None
    structures: Path | None = None
    library: Path | None = None
    fold: str = "test"
    min_list_length: int = 0
    sample: int = 0
    n_bootstrap: int = 2000
    seed: int = 0
    prior: float = 1.0
    mces: Mces = "bound"

    def require_taken(self, protocol: str) -> None:
        """Refuse what a protocol, or the kind of lists so called, would ignore.

        Raises
        ------
        typer.BadParameter
            Names the first such option, and what the protocol takes.
        """
        taken = _TAKES.get(protocol, _LISTS_TAKE)
        for option in self._given():
            if option not in taken:
                raise typer.BadParameter(
                    f"--protocol {protocol} takes no {option}{_REASONS.get((protocol, option), '')}; it takes "
                    f"{', '.join(('--model', *taken))}"
                )
        if self.prior != _DEFAULTS.prior and self.model is None:
            raise typer.BadParameter(
                "--prior is a model's share of what it expects before it sees a peak: give --model"
            )
        if self.structures is not None and not any(_PRIOR in name for name in self.names):
            raise typer.BadParameter(f"--structures is what {_PRIOR} learns from: name it among --ranker")
        if self.dataset is not None and protocol not in _ASK_THE_TRAINING_FOLD and self._is_untrained:
            raise typer.BadParameter(
                "--dataset is what rankers learn from, and none that does is asked: name one among --ranker, or give "
                "--vectors"
            )

    @property
    def _is_untrained(self) -> bool:
        """Whether nobody who is asked learns from a training fold; a name of nobody may be of one who does."""
        from diptych.ranking.registry import UNTRAINED, parts_of_fusion

        others = {*UNTRAINED, _MODEL, _SHUFFLED, *(path.name.split(".")[0] for path in self.scores)}
        return not self.vectors and all(part in others for name in self.names for part in parts_of_fusion(name))

    def _given(self) -> list[str]:
        """Return the options that are not at their defaults."""
        fields = {
            "--ranker": "names",
            "--scores": "scores",
            "--vectors": "vectors",
            "--library": "library",
            "--prior": "prior",
            "--min-list-length": "min_list_length",
            "--sample": "sample",
            "--dataset": "dataset",
            "--structures": "structures",
            "--mces": "mces",
            "--bootstrap": "n_bootstrap",
        }
        return [option for option, name in fields.items() if getattr(self, name) != getattr(_DEFAULTS, name)]

    @property
    def settings(self) -> RunSettings:
        """How answers are judged."""
        from diptych.evaluation.benchmark.run import RunSettings

        return RunSettings(
            n_bootstrap=self.n_bootstrap,
            seed=self.seed,
            min_list_length=self.min_list_length,
            mces=self.mces,
            temperatures=self.temperatures,
        )

    @cached_property
    def embedding(self) -> JointEmbedding | None:
        """The model; None where none is asked."""
        if self.model is None:
            return None
        from diptych.embedding import JointEmbedding

        return JointEmbedding.load(self.model)

    @property
    def provenance(self) -> dict[str, Any]:
        """What the report says of the model."""
        return {} if self.embedding is None else {"model_digest": self.embedding.digest, "prior": self.prior}

    @property
    def second_look(self) -> dict[str, int]:
        """What the report of candidate ranking says of the model's second look: at how many candidates, 0 for none."""
        if self.embedding is None:
            return {}
        from diptych.retrieval.reranking import second_look_of

        return {"second_look": second_look_of(self.embedding)}

    @property
    def temperatures(self) -> dict[str, float]:
        """Return the temperature of the model's scores, by its name; empty where they are not calibrated."""
        if self.embedding is None:
            return {}
        from diptych.annotation import calibration_of

        found = calibration_of(self.embedding, rerank=None, prior=self.prior)
        return {} if found is None else {self.embedding.name: found.temperature}

    def rankers(self, benchmark: Benchmark, queries: Sequence[Query]) -> list[Ranker]:
        """Return everybody that is asked: the model and its blind control, tables, vectors, then named rankers.

        Names in a fusion may be ``model``, and those of tables and of rankers by vectors, which are asked once. Where
        all queries are of one molecule there is no other's spectrum: the shuffled ones are left out, with a line.
        """
        from diptych.evaluation.results.score_tables import ScoreTableRanker
        from diptych.ranking import ShuffledSpectraRanker
        from diptych.ranking.registry import make_rankers, parts_of_fusion

        names = [name for name in self.names if name != _SHUFFLED]
        fused = {part for name in names for part in parts_of_fusion(name)}
        rankers: list[Ranker] = [ScoreTableRanker.read(path) for path in self.scores]
        beside = {ranker.name: ranker for ranker in rankers}
        if self.embedding is not None:
            from diptych.cli.untrained import warn_of_ranking
            from diptych.retrieval.reranking import model_ranker

            warn_of_ranking(self.embedding)
            own = model_ranker(self.embedding, prior=self.prior)
            shuffled = [ShuffledSpectraRanker(own, self.seed)] if self._is_shuffled(queries) else []
            beside[_MODEL] = _remembered(own) if _MODEL in fused else own
            rankers = [beside[_MODEL], own.blinded(), *shuffled, *rankers]
        elif _SHUFFLED in self.names:
            raise typer.BadParameter("shuffled_spectra asks a model with the spectra of others: give --model MODEL")
        if names or self.vectors:
            training = self.training(benchmark)
            by_vectors = [ranker for scorer in self.vector_scorers for ranker in _neighbours_by(scorer, training)]
            by_vectors = [_remembered(ranker) if ranker.name in fused else ranker for ranker in by_vectors]
            rankers += by_vectors
            rankers += make_rankers(names, training, beside=beside | {ranker.name: ranker for ranker in by_vectors})
        if not rankers:
            raise typer.BadParameter(
                "nobody is asked: give --ranker NAME, --model MODEL, --scores TABLE or --vectors ARCHIVE"
            )
        check_distinct([ranker.name for ranker in rankers])
        return rankers

    def kept(self, benchmark: Benchmark, output: Path) -> KeptAnswers:
        """Return the answers of a run that was stopped, to which those of this one are added."""
        from diptych.evaluation.benchmark.resume import KeptAnswers

        given = (self.dataset, self.structures, *self.scores, *self.vectors)
        files = [benchmark.queries_path, *(path for path in given if path is not None)]
        settings = {"benchmark": benchmark.digest, "fold": self.fold, "seed": self.seed}
        model = {} if self.embedding is None else {"model_metadata": dict(self.embedding.metadata)}
        kept = KeptAnswers(output, files=files, settings={**settings, **self.provenance, **model})
        if len(kept):
            typer.echo(f"A run was stopped here: what fits of its answers in {kept.folder} is taken.", err=True)
        return kept

    @cached_property
    def vector_scorers(self) -> Sequence[VectorScorer]:
        """The likeness of spectra by each archive of vectors."""
        from diptych.ranking import VectorScorer

        scorers = [VectorScorer.read(path) for path in self.vectors]
        for scorer in scorers:
            if scorer.n_without_vector:
                typer.echo(
                    f"{scorer.name}: {scorer.n_without_vector:,} of {len(scorer):,} vectors are 0 or not finite: "
                    "their pairs have no score."
                )
        return scorers

    def _is_shuffled(self, queries: Sequence[Query]) -> bool:
        if _SHUFFLED in self.names and len({query.target for query in queries}) == 1:
            asked = "The only query is" if len(queries) == 1 else f"All {len(queries)} queries are"
            typer.echo(f"{asked} of one molecule: {_SHUFFLED} is left out.")
            return False
        return _SHUFFLED in self.names

    def training(self, benchmark: Benchmark) -> Training:
        """Return what rankers learn from."""
        from diptych.ranking import Training

        examples = self.training_spectra(benchmark)
        structures = [example.structure for example in examples]
        return Training(
            spectra=[example.spectrum for example in examples],
            structures=structures,
            others=self._others(structures) if any(_PRIOR in name for name in self.names) else (),
            seed=self.seed,
        )

    def training_spectra(self, benchmark: Benchmark) -> Sequence[AnnotatedSpectrum]:
        """Return the training fold; nothing where no dataset is given."""
        if self.dataset is None:
            return ()
        from diptych.data.dataset import read_dataset

        found = benchmark.training(read_dataset(self.dataset))
        n_frozen = sum(fold == "train" for fold in benchmark.fold_of.values())
        if len(found) < n_frozen:
            typer.echo(f"{self.dataset}: holds {len(found):,} of the {n_frozen:,} training spectra of the benchmark.")
        return found

    def _others(self, measured: Sequence[Structure]) -> list[Structure]:
        if self.structures is None:
            raise typer.BadParameter(f"{_PRIOR} needs --structures TABLE")
        if self.dataset is None:
            raise typer.BadParameter(f"{_PRIOR} learns from a training fold: give --dataset FILE")
        from diptych.evaluation.questions.unmeasured import unmeasured_structures

        return unmeasured_structures(self.structures, measured, at_most=_MOST_OTHERS, seed=self.seed)


_DEFAULTS = Asked()


def check_distinct(names: Sequence[str]) -> None:
    """Refuse options that name two rankers, or scorers of library search, alike."""
    from diptych.errors import EvaluationError
    from diptych.ranking import ranking

    try:
        ranking.check_distinct(names)
    except EvaluationError as error:
        raise typer.BadParameter(str(error)) from error


def _remembered(ranker: Ranker) -> Ranker:
    from diptych.ranking.fusion import RememberedRanker

    return RememberedRanker(ranker)


def _neighbours_by(scorer: VectorScorer, training: Training) -> list[Ranker]:
    """Return the rankers of one and of twenty neighbours by a likeness of spectra; they look for them once."""
    search = training.neighbours_by(scorer)
    return [search.of_fewer(1), search]
