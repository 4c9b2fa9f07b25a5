"""What an audit has to go by: results, spectra, lists, training data and models, each read when it is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import typer

from diptych.evaluation.wording import counted
from diptych.training.influence import Example

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from diptych.embedding import JointEmbedding
    from diptych.evaluation import Evaluation
    from diptych.evaluation.questions.known import KnownSpectra, KnownSpectrum
    from diptych.evaluation.results.metadata import TrainingMolecules
    from diptych.evaluation.results.query_results import QueryResults
    from diptych.molecules.structure import Structure
    from diptych.ranking import Query
    from diptych.spectra.spectrum import Spectrum

_COMPETITORS = 255
_SAMPLED = 500
_LABELS = 20


@dataclass(frozen=True, kw_only=True)
class Material:
    """What was named on the command line, and what follows from it.

    Attributes
    ----------
    results_path
        Report or table of results.
    spectra, candidates, train, accessions, fold, train_fold, models, sample, labels
        As the command takes them; None where an option was not given.
    seed
        Of samples.
    """

    results_path: Path
    spectra: Path | None
    candidates: Path | None
    train: Path | None
    accessions: Path | None
    fold: str | None
    train_fold: str | None
    models: tuple[str, ...]
    sample: int | None
    labels: int | None
    seed: int

    def __post_init__(self) -> None:
        can_ask = bool(self.models and self.spectra and self.candidates)
        is_split = [bool(self._column) and _is_dataset(path) for path in (self.spectra, self.train)]
        tested = bool(self.spectra and self.accessions) or any(is_split)
        trained = self.accessions is not None or is_split[0 if self.train is None else 1]
        can_learn = can_ask and (trained or self.train is not None)
        for option, given, used, needed in (
            ("--candidates", self.candidates, self.spectra is not None, "--spectra FILE"),
            ("--accessions", self.accessions, self.spectra or self.train, "--spectra FILE or --train FILE"),
            ("--fold", self.fold, tested, "--spectra FILE and --accessions FILE, or COLUMN=NAME with a dataset"),
            ("--train-fold", self.train_fold, trained, "--accessions FILE, or --fold COLUMN=NAME with a dataset"),
            ("--sample", self.sample, can_ask, "--model, --spectra and --candidates"),
            ("--labels", self.labels, can_learn, "--model, --spectra, --candidates and training spectra"),
            (
                "--model",
                self.models[1] if len(self.models) > 1 else None,
                can_learn and self.labels != 0,
                "what influence is summed over: --spectra, --candidates, training spectra and --labels above 0",
            ),
        ):
            if given and not used:
                raise typer.BadParameter(f"{option} {given} needs {needed}")

    @property
    def _column(self) -> str:
        """The column of a dataset that ``--fold COLUMN=NAME`` names; empty for a fold alone."""
        column, equals, _ = (self.fold or "").partition("=")
        return column if equals else ""

    @property
    def n_sampled(self) -> int:
        """Queries to ask anew."""
        return _SAMPLED if self.sample is None else self.sample

    @property
    def n_labels(self) -> int:
        """Training labels to list."""
        return _LABELS if self.labels is None else self.labels

    @cached_property
    def evaluation(self) -> Evaluation | None:
        """The evaluation, where a report is given."""
        from diptych.evaluation import Evaluation

        return Evaluation.load(self.results_path) if self.results_path.suffix == ".json" else None

    @property
    def name(self) -> str:
        """What the method is called."""
        return self.evaluation.model if self.evaluation else self.results_path.name

    @cached_property
    def results(self) -> QueryResults:
        """The table of results, with what training had of the answers."""
        from diptych.evaluation.results.query_results import QueryResults

        found = QueryResults.read(self.results_path)
        return found.with_metadata(self.training.columns(found)) if self.training else found

    @cached_property
    def tested(self) -> KnownSpectra | None:
        """The tested spectra."""
        return None if self.spectra is None else self._read(self.spectra, self.fold or "test")

    @cached_property
    def measured(self) -> dict[str, Spectrum]:
        """The tested spectra that are queries of the results, by identifier."""
        asked = set(self.results.queries)
        known = self.tested.spectra if self.tested else ()
        return {item.spectrum.identifier: item.spectrum for item in known if item.spectrum.identifier in asked}

    @cached_property
    def trained(self) -> KnownSpectra | None:
        """The training spectra."""
        path = self.train or self.spectra
        tested = self.fold or "test"
        column, equals, _ = tested.partition("=")
        name = self.train_fold or "train"
        fold = f"{column}={name}" if equals and "=" not in name else name
        has_folds = self.accessions is not None or ("=" in fold and _is_dataset(path))
        return self._read(path, fold) if path is not None and (self.train is not None or has_folds) else None

    def _read(self, path: Path, fold: str) -> KnownSpectra:
        from diptych.data.dataset import read_dataset
        from diptych.evaluation.questions.known import KnownSpectra
        from diptych.evaluation.questions.selection import Selection, read_fold
        from diptych.spectra import read_spectra

        selection = Selection.read(self.accessions, fold=fold) if self.accessions else None
        if _is_dataset(path):
            dataset = read_fold(path, fold) if selection is None and "=" in fold else read_dataset(path)
            if selection is not None:
                dataset = dataset.take([accession in selection.blocks for accession in dataset.column("identifier")])
            known = KnownSpectra.from_annotated(dataset)
        else:
            spectra = read_spectra(path, on_problem=lambda _: None)
            known = KnownSpectra.from_metadata(selection.filter(spectra) if selection else spectra)
        return selection.label(known) if selection else known

    @cached_property
    def training(self) -> TrainingMolecules | None:
        """The training molecules, as far as they are known."""
        from diptych.evaluation.results.metadata import TrainingMolecules

        if self.trained is not None:
            distinct = {item.target: item.structure for item in self.trained.spectra if item.structure is not None}
            return TrainingMolecules(
                first_blocks=tuple(dict.fromkeys(item.target for item in self.trained.spectra)),
                smiles=tuple(structure.smiles for structure in distinct.values()),
                formulas=tuple(structure.formula for structure in distinct.values()),
            )
        if not self.models:
            return None
        from diptych.encoders.model_folder import model_folder
        from diptych.evaluation.audit.overlap import read_first_blocks

        trained_on = model_folder(self.models[0]) / "training_first_blocks.txt"
        if not trained_on.is_file():
            return None
        return TrainingMolecules(first_blocks=tuple(sorted(read_first_blocks(trained_on))))

    @cached_property
    def lists(self) -> Mapping[str, Sequence[str]]:
        """The candidate file as it is spelt."""
        from diptych.data.candidate_files import read_candidate_file

        return read_candidate_file(self.candidates) if self.candidates else {}

    @cached_property
    def queries(self) -> tuple[Query, ...]:
        """The queries of the results, where spectra and lists are given."""
        from diptych.evaluation.questions.candidate_lists import queries_from_lists

        if self.tested is None or not self.lists:
            return ()
        kept = tuple(item for item in self.tested.spectra if item.spectrum.identifier in self.measured)
        found = queries_from_lists(replace(self.tested, spectra=kept), self.lists).queries if kept else ()
        lengths = dict(zip(self.results.queries, self.results.n_candidates.tolist(), strict=True))
        n_other = sum(query.candidates.n_candidates != lengths[query.identifier] for query in found)
        if n_other:
            typer.echo(
                f"Warning: {n_other:,} of {counted(len(found), 'list', 'lists')} in --candidates {self.candidates} "
                "have another length than the results say: what is asked anew is not what was asked.",
                err=True,
            )
        return found

    @cached_property
    def asked(self) -> list[Spectrum]:
        """The spectra of the queries; of queries that are called otherwise (a consensus), those of their molecules."""
        asked, targets = set(self.results.queries), set(self.results.targets)
        every = self.tested.spectra if self.tested else ()
        named = [item.spectrum for item in every if item.spectrum.identifier in asked]
        found = named or [item.spectrum for item in every if item.target in targets]
        if self.tested is not None and not found:
            raise typer.BadParameter(f"--spectra {self.spectra}: none of its spectra is a query of {self.results_path}")
        if 0 < len(set(map(_identifier, named))) < len(asked):
            typer.echo(
                f"Warning: --spectra {self.spectra} has {len(set(map(_identifier, named))):,} of the {len(asked):,} "
                "queries; the others are neither compared nor asked anew.",
                err=True,
            )
        return found

    @cached_property
    def embeddings(self) -> list[JointEmbedding]:
        """The models."""
        from diptych.embedding import JointEmbedding

        return [JointEmbedding.load(model) for model in self.models]


def _identifier(spectrum: Spectrum) -> str:
    return spectrum.identifier


def _is_dataset(path: Path | None) -> bool:
    return path is not None and path.suffix.lower() == ".parquet"


def examples(
    trained: Sequence[KnownSpectrum], asked: Sequence[Query], *, generator: np.random.Generator
) -> tuple[list[Structure], list[Example], list[Example]]:
    """Return a table of structures, and training and tested examples over its rows."""
    every = {item.target: item.structure for item in trained if item.structure is not None}
    pool = np.arange(len(every))
    for query in asked:
        every |= {structure.inchikey_first_block: structure for structure in query.candidates.structures}
    row = {block: number for number, block in enumerate(every)}
    training = [
        Example(
            spectrum=item.spectrum,
            structures=np.append(row[item.target], _others(pool, row[item.target], generator)),
        )
        for item in trained
    ]
    tested = [
        Example(
            spectrum=query.spectrum,
            structures=np.array(
                [row[query.target], *(row[block] for block in query.candidates.positions if block != query.target)]
            ),
        )
        for query in asked
    ]
    return list(every.values()), training, tested


def _others(pool: NDArray[np.int64], own: int, generator: np.random.Generator) -> NDArray[np.int64]:
    drawn: NDArray[np.int64] = generator.choice(pool, size=min(_COMPETITORS, len(pool)), replace=False)
    return np.asarray(drawn[drawn != own])
