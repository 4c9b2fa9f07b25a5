"""``diptych annotate``: spectra files to ranked structures."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from diptych.errors import DiptychError, OutputError

if TYPE_CHECKING:
    from collections import Counter

    from rich.table import Table

    from diptych.annotation import Annotation, Results, Summary
    from diptych.embedding import JointEmbedding
    from diptych.retrieval import StructureLibrary

_N_SHOWN = 20
_SPECTRA = "Spectra: MGF, MSP, mzML, mzXML, MassBank, GNPS JSON, TSV; plain, gzip or xz."
_LIBRARY = "Folder made by 'diptych library build'. [default: the shipped structures]"
_MODEL = "Name or folder of a model. [default: the shipped one]"
_PPM = "Half-width of the mass window, ppm of the precursor m/z."
_ADDUCTS = "Adducts assumed where a spectrum states none, as '[M+H]+,[M+Na]+'. [default: the likely ones]"
_MERGE = "Answer the spectra that share this key together, as feature_id."


def annotate_command(
    spectra: Annotated[list[Path], typer.Argument(exists=True, help=_SPECTRA)],
    library: Annotated[Path | None, typer.Option(help=_LIBRARY)] = None,
    model: Annotated[str | None, typer.Option(help=_MODEL)] = None,
    ppm: Annotated[float, typer.Option(min=1e-3, max=1e5, help=_PPM)] = 10.0,
    top: Annotated[int, typer.Option(min=1, help="Candidates kept for each spectrum.")] = 10,
    adducts: Annotated[str | None, typer.Option(help=_ADDUCTS)] = None,
    merge_by: Annotated[str | None, typer.Option(help=_MERGE)] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")] = Path("results"),
    formats: Annotated[str, typer.Option("--format", help="Files to write: tsv, json, or both.")] = "tsv,json",
) -> None:
    """Rank the structures of a library for every spectrum.

    Probabilities are conditional: they hold if the answer is one of the structures in the library.
    """
    from diptych.annotation import Provenance, ScoreCalibration, annotate, parse_adducts, writing
    from diptych.embedding import JointEmbedding

    assumed = None if adducts is None else parse_adducts(_names(adducts))
    embedding = JointEmbedding.load(model)
    structures = _library(library, embedding)
    settings: dict[str, Any] = {"ppm": ppm, "top": top, "adducts": assumed, "merge_by": merge_by}
    provenance = Provenance.of(embedding, structures, spectra=spectra, **settings)
    calibration = ScoreCalibration.from_metadata(embedding.metadata)
    job = partial(annotate, library=structures, model=embedding, **settings)
    with (
        _interrupts() as interrupts,
        writing(output, formats=_names(formats), provenance=provenance, calibration=calibration) as results,
    ):
        run = _annotate_files(spectra, job, results, interrupts)
        if run.failures and not results.summary.n_answers:
            raise run.failures[0]
    _report(run, results, [output / f"annotations.{name}" for name in _names(formats)])


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
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return
    before = signal.signal(signal.SIGINT, interrupts.on_signal)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, before)


@dataclass(kw_only=True)
class _Run:
    """What happened beside the results: the first answers, and what stopped the reading of a file."""

    shown: list[Annotation] = field(default_factory=list)
    failures: list[DiptychError] = field(default_factory=list)
    interrupted: bool = False


def _annotate_files(
    paths: list[Path], job: Callable[[Path], Iterator[Annotation]], results: Results, interrupts: _Interrupts
) -> _Run:
    run = _Run()
    with _progress() as show:
        for path in paths:
            try:
                _annotate_file(job(path), results, run, interrupts=interrupts, show=show)
            except KeyboardInterrupt:
                run.interrupted = True
            except DiptychError as error:
                run.failures.append(error)
            if run.interrupted or (run.failures and isinstance(run.failures[-1], OutputError)):
                break
    # Finishing the files takes a moment and must not be cut either.
    interrupts.held = True
    results.complete = not (run.failures or run.interrupted)
    return run


def _annotate_file(
    answers: Iterator[Annotation],
    results: Results,
    run: _Run,
    *,
    interrupts: _Interrupts,
    show: Callable[[Summary], None],
) -> None:
    for annotation in answers:
        with interrupts.hold():
            results.write(annotation)
        if len(run.shown) < _N_SHOWN:
            run.shown.append(annotation)
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


def _library(folder: Path | None, model: JointEmbedding) -> StructureLibrary:
    from rich.console import Console
    from rich.progress import Progress

    from diptych.annotation import shipped_library
    from diptych.retrieval import StructureLibrary

    if folder is not None:
        return StructureLibrary.load(folder)
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("embedding the shipped structures, once", total=None, visible=False)

        def show(done: int, total: int | None) -> None:
            progress.update(task, completed=done, total=total, visible=True)

        return shipped_library(model, workers=None, progress=show)


def _report(run: _Run, results: Results, written: list[Path]) -> None:
    """Print the first answers and the summary; raise what stopped the run, if anything did."""
    from rich.console import Console

    summary, console = results.summary, Console()
    if run.shown:
        console.print(_table(run.shown))
    if summary.n_answers > len(run.shown):
        console.print(f"... and {summary.n_answers - len(run.shown):,} more", markup=False, highlight=False)
    for line in _summary_lines(summary, written):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if run.interrupted:
        raise KeyboardInterrupt
    if run.failures:
        raise type(run.failures[0])("; ".join(str(failure) for failure in run.failures))
    if not summary.n_annotated:
        raise DiptychError(
            f"no spectrum could be annotated: {_counts(summary.not_annotated) or 'no spectra were read'}"
        )


def _table(annotations: list[Annotation]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("spectrum", "precursor m/z", "adduct", "best structure", "formula", "probability", "candidates"):
        numeric = heading in {"precursor m/z", "probability", "candidates"}
        table.add_column(heading, justify="right" if numeric else "left", no_wrap=heading != "best structure")
    for annotation in annotations:
        table.add_row(*(Text(cell) for cell in _cells(annotation)))
    return table


def _cells(annotation: Annotation) -> list[str]:
    name = "+".join(annotation.identifiers)
    mz = "" if annotation.precursor_mz is None else f"{annotation.precursor_mz:.4f}"
    if not annotation.candidates:
        adduct = annotation.adduct.name if annotation.adduct else ""
        return [_cut(name, 28), mz, adduct, _cut(annotation.reason, 60), "", "", f"{annotation.n_candidates}"]
    best = annotation.candidates[0]
    chance = "" if best.probability is None else f"{best.probability:.2f}"
    structure = _cut(best.structure.name or best.structure.smiles, 40)
    return [
        _cut(name, 28), mz, best.adduct.name, structure, best.structure.formula, chance, f"{annotation.n_candidates}",
    ]  # fmt: skip


def _cut(text: str, length: int) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= length else plain[: length - 1] + "…"


def _counts(reasons: Counter[str]) -> str:
    return ", ".join(f"{reason} ({count:,})" for reason, count in reasons.most_common())


def _summary_lines(summary: Summary, written: list[Path]) -> Iterator[str]:
    unit = "spectra" if summary.n_answers == summary.n_spectra else f"features from {summary.n_spectra:,} spectra"
    rate = f"{summary.spectra_per_second:,.0f} spectra/s"
    yield f"annotated {summary.n_annotated:,} of {summary.n_answers:,} {unit}, {rate}"
    if summary.not_annotated:
        yield f"not annotated: {_counts(summary.not_annotated)}"
    if summary.notes:
        yield f"to mind: {_counts(summary.notes)}"
    if summary.n_annotated:
        yield "probabilities hold if the answer is in the library"
    yield f"written: {', '.join(str(path) for path in written)}"
