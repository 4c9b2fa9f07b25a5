"""``diptych annotate``: spectra files to ranked structures."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from diptych.errors import DiptychError, OutputError, ReadError

if TYPE_CHECKING:
    from collections import Counter

    from rich.table import Table

    from diptych.annotation import Annotation, Results, Summary
    from diptych.embedding import JointEmbedding
    from diptych.retrieval import StructureLibrary

_N_SHOWN = 20
_SPECTRA = "Spectra: MGF, MSP, mzML, mzXML, MassBank, GNPS JSON, TSV; plain, gzip or xz; or a folder of such files."
_LIBRARY = "Folder made by 'diptych library build'. [default: the shipped structures]"
_MODEL = "Name or folder of a model. [default: the shipped one]"
_PPM = "Half-width of the mass window, ppm of the precursor m/z."
_ADDUCTS = "Adducts assumed where a spectrum states none, as '[M+H]+,[M+Na]+'. [default: the likely ones]"
_RERANK = "Look again at so many of the first candidates, fragment by fragment: slower, and better."
_PRIOR = "What the model expects before it sees a peak: 1 counts it, 0 leaves it out (a library of training molecules)."
_MERGE = "Answer the spectra that share this key together, as feature_id."


def annotate_command(
    spectra: Annotated[list[Path], typer.Argument(exists=True, help=_SPECTRA)],
    library: Annotated[Path | None, typer.Option(help=_LIBRARY)] = None,
    model: Annotated[str | None, typer.Option(help=_MODEL)] = None,
    ppm: Annotated[float, typer.Option(min=1e-3, max=1e5, help=_PPM)] = 10.0,
    top: Annotated[int, typer.Option(min=1, help="Candidates kept for each spectrum.")] = 10,
    adducts: Annotated[str | None, typer.Option(help=_ADDUCTS)] = None,
    merge_by: Annotated[str | None, typer.Option(help=_MERGE)] = None,
    rerank: Annotated[int, typer.Option(min=0, help=_RERANK)] = 0,
    prior: Annotated[float, typer.Option(min=0.0, max=1.0, help=_PRIOR)] = 1.0,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")] = Path("results"),
    formats: Annotated[str, typer.Option("--format", help="Files to write: tsv, json, or both.")] = "tsv,json",
) -> None:
    """Rank the structures of a library for every spectrum.

    Probabilities compare the candidates found in the mass window under the adducts tried. They say nothing if the
    right structure is not among them: a single candidate has probability 1 whatever its score.
    """
    # The towers are small: two threads wait for each other longer than they work, the more so on a busy machine.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    assumed = None if adducts is None else _names(adducts)
    with _interrupts() as interrupts:
        settings: dict[str, Any] = {"ppm": ppm, "top": top, "merge_by": merge_by, "rerank": rerank, "prior": prior}
        job = _Job.prepare(model, library, adducts=assumed, settings=settings)
        run = job.run(spectra, output, formats=_names(formats), interrupts=interrupts)
        _report(run, [output / f"annotations.{name}" for name in _names(formats)], merge_by=merge_by)


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


@dataclass(kw_only=True)
class _Interrupts:
    """Ctrl-C as KeyboardInterrupt, but not while something is held that must not be cut."""

    held: bool = False
    pending: bool = False

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        if not self.held:
            raise KeyboardInterrupt
        self.pending = True

    @contextmanager
    def hold(self) -> Iterator[None]:
        self.held = True
        yield
        self.held = False
        if self.pending:
            raise KeyboardInterrupt


@contextmanager
def _interrupts() -> Iterator[_Interrupts]:
    interrupts = _Interrupts()
    is_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, interrupts.on_signal) if is_main else None
    try:
        yield interrupts
    except KeyboardInterrupt:
        raise typer.Abort from None
    finally:
        if is_main:
            signal.signal(signal.SIGINT, before)


@dataclass(kw_only=True)
class _Run:
    """What became of the files: the counts, the first answers, and what stopped the reading."""

    summary: Summary
    states_probabilities: bool = True
    shown: list[Annotation] = field(default_factory=list)
    failures: list[DiptychError] = field(default_factory=list)
    first_unreadable: str = ""
    interrupted: bool = False
    on_probabilities: str = ""

    @property
    def is_over(self) -> bool:
        """Whether there is no point in going on to the next file."""
        return self.interrupted or (bool(self.failures) and isinstance(self.failures[-1], OutputError))

    def note(self, annotation: Annotation) -> None:
        """Keep what is shown of an answer."""
        if len(self.shown) < _N_SHOWN:
            self.shown.append(annotation)
        if annotation.is_unreadable and not self.first_unreadable:
            self.first_unreadable = annotation.reason

    def problem(self) -> DiptychError:
        """Return what kept files from being read to their end, records from being read, or all from an answer."""
        if self.failures:
            return type(self.failures[0])("; ".join(str(failure) for failure in self.failures))
        if self.summary.n_unreadable == 1:
            return ReadError(self.first_unreadable)
        if self.summary.n_unreadable:
            return ReadError(f"{self.summary.n_unreadable:,} records cannot be read; first, {self.first_unreadable}")
        return DiptychError(f"no spectrum could be annotated: {_counts(self.summary.not_annotated) or 'none was read'}")


@dataclass(frozen=True, kw_only=True)
class _Job:
    """A model, its library and the settings, ready to answer."""

    model: JointEmbedding
    library: StructureLibrary
    settings: dict[str, Any]

    @classmethod
    def prepare(
        cls, model: str | None, library: Path | None, *, adducts: list[str] | None, settings: dict[str, Any]
    ) -> Self:
        from diptych.annotation import parse_adducts
        from diptych.cli.untrained import warn_of_ranking
        from diptych.embedding import JointEmbedding
        from diptych.retrieval import StructureLibrary

        assumed = parse_adducts(adducts)
        embedding = JointEmbedding.load(model)
        warn_of_ranking(embedding)
        structures = _shipped_library(embedding) if library is None else StructureLibrary.load(library, model=embedding)
        return cls(model=embedding, library=structures, settings={**settings, "adducts": assumed})

    def run(self, paths: list[Path], folder: Path, *, formats: list[str], interrupts: _Interrupts) -> _Run:
        """Answer files one after the other; one that cannot be read does not stop the others."""
        from diptych.annotation import Provenance, calibration_of, writing

        provenance = Provenance.of(self.model, self.library, spectra=paths, **self.settings)
        calibration = calibration_of(self.model, rerank=self.settings["rerank"], prior=self.settings["prior"])
        with writing(folder, formats=formats, provenance=provenance, calibration=calibration) as results:
            remark = _on_probabilities(self.model, prior=self.settings["prior"], are_given=calibration is not None)
            run = _Run(summary=results.summary, on_probabilities=remark)
            with _progress() as show:
                for path in paths:
                    try:
                        self._run_file(path, results, run, interrupts=interrupts, show=show)
                    except KeyboardInterrupt:
                        run.interrupted = True
                    except DiptychError as error:
                        run.failures.append(error)
                    if run.is_over:
                        break
            # Finishing the files takes a moment and must not be cut either.
            interrupts.held = True
            if not run.interrupted and run.summary.n_answers == run.summary.n_unreadable:
                raise run.problem()
            results.complete = not (run.failures or run.interrupted)
        return run

    def _run_file(
        self, path: Path, results: Results, run: _Run, *, interrupts: _Interrupts, show: Callable[[Summary], None]
    ) -> None:
        from diptych.annotation import annotate

        for annotation in annotate(path, self.library, model=self.model, **self.settings):
            with interrupts.hold():
                results.write(annotation)
            run.note(annotation)
            show(results.summary)


@contextmanager
def _progress() -> Iterator[Callable[[Summary], None]]:
    """Yield what shows the count and rate so far, on standard error if that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("reading")

        def show(summary: Summary) -> None:
            if summary.n_answers % 64 == 0:
                text = f"{summary.n_spectra:,} spectra, {summary.spectra_per_second:,.0f}/s"
                progress.update(task, description=text)

        yield show


def _shipped_library(model: JointEmbedding) -> StructureLibrary:
    from rich.console import Console
    from rich.progress import Progress

    from diptych.annotation import shipped_library

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("embedding the shipped structures, once", total=None, visible=False)

        def show(done: int, total: int | None) -> None:
            progress.update(task, completed=done, total=total, visible=True)

        return shipped_library(model, workers=None, progress=show)


def _report(run: _Run, written: list[Path], *, merge_by: str | None) -> None:
    """Print the first answers and the summary; raise what stopped the run, if anything did."""
    from rich.console import Console

    summary, console = run.summary, Console()
    if run.shown:
        console.print(_table(run.shown, width=console.width))
    if summary.n_answers > len(run.shown):
        console.print(f"... and {summary.n_answers - len(run.shown):,} more", markup=False, highlight=False)
    for line in _summary_lines(summary, written, on_probabilities=run.on_probabilities):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if merge_by and summary.n_answers == summary.n_spectra:
        console.print(f"no two spectra share {merge_by}: each was answered alone", markup=False, highlight=False)
    if run.interrupted:
        raise KeyboardInterrupt
    if run.failures or summary.n_unreadable or not summary.n_annotated:
        raise run.problem()


def _table(annotations: list[Annotation], *, width: int) -> Table:
    from diptych.cli.tables import table_of

    headings = ("spectrum", "m/z", "adduct", "best structure", "prob.", "of")
    rows = [_cells(annotation) for annotation in annotations]
    return table_of(headings, rows, numbers=("m/z", "prob.", "of"), cut_column="best structure", width=width)


def _cells(annotation: Annotation) -> list[str]:
    from diptych.cli.tables import cut
    from diptych.spectra.wording import mz_text

    name = cut("+".join(annotation.identifiers), 24)
    mz = mz_text(annotation.precursor_mz, decimals=4)
    if not annotation.candidates:
        adduct = annotation.adduct.name if annotation.adduct else ""
        return [name, mz, adduct, f"none: {annotation.reason}", "", f"{annotation.n_candidates}"]
    best = annotation.candidates[0]
    structure = best.structure.name or best.structure.smiles
    return [name, mz, best.adduct.name, structure, _chance(annotation), f"{annotation.n_candidates}"]


def _chance(annotation: Annotation) -> str:
    """Return the probability of the best candidate; of one without competitors that would say nothing."""
    chance = annotation.candidates[0].probability
    if chance is None:
        return ""
    return "only" if annotation.n_candidates == 1 else f"{chance:.2f}"


def _counts(reasons: Counter[str]) -> str:
    return ", ".join(f"{reason} ({count:,})" for reason, count in reasons.most_common())


def _on_probabilities(model: JointEmbedding, *, prior: float, are_given: bool) -> str:
    """Return what probabilities mean here, or why there are none."""
    from diptych.cli.untrained import ranks_structures

    if not ranks_structures(model):
        return "probabilities mean nothing: the model was not trained to rank structures"
    if are_given:
        return (
            "probabilities compare the candidates found in the mass window under the adducts tried; they say nothing "
            "if the right structure is not among them"
        )
    if prior != 1:
        return f"no probabilities with --prior {prior:g}"
    return "no probabilities: the model was not calibrated for this"


def _summary_lines(summary: Summary, written: list[Path], *, on_probabilities: str) -> Iterator[str]:
    unit = "spectra" if summary.n_answers == summary.n_spectra else f"features from {summary.n_spectra:,} spectra"
    rate = f"{summary.spectra_per_second:,.0f} spectra/s"
    yield f"annotated {summary.n_annotated:,} of {summary.n_answers:,} {unit}, {rate}"
    if summary.not_annotated:
        yield f"not annotated: {_counts(summary.not_annotated)}"
    if summary.notes:
        yield f"to mind: {_counts(summary.notes)}"
    if summary.n_annotated:
        yield on_probabilities
    if summary.n_single:
        unit = "spectrum" if summary.n_single == 1 else "spectra"
        yield f"{summary.n_single:,} {unit} had a single candidate: nothing else was found, which is no evidence"
    yield f"written: {', '.join(str(path) for path in written)}"
