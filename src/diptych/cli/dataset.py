"""``diptych dataset``: build a dataset of annotated spectra, divide it into folds, look at it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from diptych.data import BuildReport, SplitReport

app = typer.Typer(help="Build, divide and inspect datasets of annotated spectra.", no_args_is_help=True)

_SHOWN_VALUES = 12
_FOLDS = ("train", "val", "test", "none")


@app.command("build")
def build_command(
    source: Annotated[Path, typer.Argument(help="Spectra that state their structure: MassBank archive, MGF, MSP, ...")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The dataset, a Parquet file.")],
    tolerance_da: Annotated[
        float, typer.Option(min=0.0, help="Admitted error of the stated precursor m/z, in Th; or")
    ] = 0.02,
    tolerance_ppm: Annotated[
        float, typer.Option(min=0.0, help="in parts per million: the wider of the two counts.")
    ] = 10.0,
    file_format: Annotated[
        str | None, typer.Option("--format", help="Format of the source, where its name does not say it.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that standardise structures.")] = os.cpu_count() or 1,
) -> None:
    """Make a dataset of every MS2 spectrum whose structure, adduct and precursor agree."""
    from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from diptych.data import BuildSettings, MassTolerance, build_dataset

    settings = BuildSettings(
        tolerance=MassTolerance(da=tolerance_da, ppm=tolerance_ppm), format=file_format, workers=workers
    )
    columns = (SpinnerColumn(), TextColumn("reading records"), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, transient=True) as progress:
        task = progress.add_task("read", total=None)
        report = build_dataset(
            source, output, settings=settings, on_progress=lambda records: progress.update(task, completed=records)
        )
    _print_build(report, output)


@app.command("split")
def split_command(
    dataset: Annotated[Path, typer.Argument(help="A dataset file.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to write it with folds; in place if not given.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides who goes where.")] = 0,
    train: Annotated[float, typer.Option(min=0.0, max=1.0, help="Part of the molecules to train on.")] = 0.8,
    val: Annotated[float, typer.Option(min=0.0, max=1.0, help="Part of the molecules to validate on.")] = 0.1,
    test: Annotated[float, typer.Option(min=0.0, max=1.0, help="Part of the molecules to test on.")] = 0.1,
    twin_similarity: Annotated[
        float, typer.Option(help="Tanimoto similarity from which two molecules are twins.")
    ] = 0.6,
    massspecgym_folds: Annotated[
        Path | None, typer.Option(help="Table of MassSpecGym's first blocks and folds.")
    ] = None,
    structures: Annotated[Path | None, typer.Option(help="Table with the SMILES of MassSpecGym's molecules.")] = None,
) -> None:
    """Add folds: random, molecule-, scaffold- and similarity-disjoint, and MassSpecGym's own."""
    from diptych.data import Fractions, SplitSettings, read_reference, split_dataset

    if structures is not None and massspecgym_folds is None:
        raise typer.BadParameter("--structures serves MassSpecGym's folds: give --massspecgym-folds too")
    settings = SplitSettings(
        seed=seed, fractions=Fractions(train=train, val=val, test=test), twin_similarity=twin_similarity
    )
    reference = None if massspecgym_folds is None else read_reference(massspecgym_folds, structures)
    report = split_dataset(dataset, output or dataset, settings=settings, reference=reference)
    _print_split(report, output or dataset)


@app.command("info")
def info_command(dataset: Annotated[Path, typer.Argument(help="A dataset file.")]) -> None:
    """Print what a dataset holds."""
    from collections import Counter

    from diptych.data import read_dataset

    content = read_dataset(dataset)
    molecules = int(content.molecules.max()) + 1 if len(content) else 0
    typer.echo(f"{dataset}: {len(content)} spectra of {molecules} molecules, {content.mz.size} peaks")
    typer.echo(f"digest {content.digest}")
    typer.echo(f"splits: {', '.join(content.splits) or 'none'}")
    for name in ("polarity", "adduct", "instrument_class", "licence", "contributor"):
        _print_table(name, ("spectra",), _shown(Counter(str(value) for value in content.column(name))))
    for split in content.splits:
        _print_table(f"split {split}", ("spectra",), _shown(Counter(content.column(f"fold_{split}"))))


def _shown(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    rest = sum(count for _, count in ordered[_SHOWN_VALUES:])
    return [*ordered[:_SHOWN_VALUES], *([("others", rest)] if rest else [])]


def _print_table(title: str, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    table.add_column("")
    for heading in headings:
        table.add_column(heading, justify="right")
    for name, *values in rows:
        table.add_row(str(name), *(f"{value:,}" if isinstance(value, int) else str(value) for value in values))
    Console().print(table)


def _print_build(report: BuildReport, output: Path) -> None:
    values = report.to_dict()
    rows: list[Sequence[object]] = [("kept", report.kept), *values["excluded"].items(), ("all records", report.records)]
    _print_table(f"{report.source} -> {output}", ("records",), rows)
    for column, counts in values["kept_by"].items():
        _print_table(f"kept, by {column}", ("spectra",), _shown(counts))
    for problem in report.examples.get("record cannot be read", []):
        typer.echo(f"not read: {problem}", err=True)
    typer.echo(f"{report.kept:,} spectra of {report.molecules:,} molecules in {output}")
    typer.echo(f"report: {output.with_suffix('.build.json')}")


def _print_split(report: SplitReport, output: Path) -> None:
    rows = []
    for name, sizes in report.splits.items():
        near, placed = sizes.test_to_train, sizes.test_to_placed
        twins = "" if near is None else f"{near.twins} ({placed.twins})" if placed else str(near.twins)
        nearest = "" if near is None else f"{near.median:.3f} / {near.greatest:.3f}"
        folds = (f"{sizes.spectra.get(fold, 0):,}\n{sizes.molecules.get(fold, 0):,}" for fold in _FOLDS)
        rows.append((name, *folds, nearest, twins))
    headings = ("train", "val", "test", "left out", "nearest *", "twins **")
    _print_table("spectra, below molecules", headings, rows)
    typer.echo("* Tanimoto similarity of a test molecule to the nearest of train: median / greatest")
    typer.echo("** test molecules with one of train at the threshold (in brackets: with one that was placed here)")
    for column in ("polarity", "adduct", "instrument_class", "licence"):
        _print_cross_table(report, column)
    typer.echo(f"folds in {output}; report: {output.with_suffix('.split.json')}")


def _print_cross_table(report: SplitReport, column: str) -> None:
    rows = []
    for value in list(next(iter(report.splits.values())).by[column])[:_SHOWN_VALUES]:
        cells = [sizes.by[column][value] for sizes in report.splits.values()]
        rows.append((value, *("\n".join(f"{cell[fold]:,}" for fold in _FOLDS[:3]) for cell in cells)))
    _print_table(f"spectra in train, val, test, by {column}", list(report.splits), rows)
