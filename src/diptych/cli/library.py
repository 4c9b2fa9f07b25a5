"""``diptych library``: build, describe and search structure libraries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from diptych.retrieval import LibraryDescription, StructureLibrary

app = typer.Typer(help="Build, describe and search structure libraries.", no_args_is_help=True)

_SOURCE = "Structure list: CSV, TSV, SMI, SDF or Parquet; plain, gzip, xz or bzip2."
_OUTPUT = "Folder of the library; an older library there is replaced."
_MODEL = "Name or folder of the model that embeds the structures. [default: the shipped one]"
_COLUMN = "Column of the {}. [default: guessed from the header]"
_LIBRARYS_MODEL = "Folder of the library's model, to count its training molecules. [default: found by its name]"
_MOST_FREQUENT = 10


@app.command("build")
def build_command(
    source: Annotated[Path, typer.Argument(metavar="FILE", help=_SOURCE)],
    output: Annotated[Path, typer.Option("--output", "-o", help=_OUTPUT)],
    model: Annotated[str | None, typer.Option(help=_MODEL)] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes. [default: one per processor]")] = None,
    smiles_column: Annotated[str | None, typer.Option(help=_COLUMN.format("SMILES"))] = None,
    inchi_column: Annotated[str | None, typer.Option(help=_COLUMN.format("InChI"))] = None,
    name_column: Annotated[str | None, typer.Option(help=_COLUMN.format("name"))] = None,
    source_column: Annotated[str | None, typer.Option(help=_COLUMN.format("source"))] = None,
    licence_column: Annotated[str | None, typer.Option(help=_COLUMN.format("licence"))] = None,
) -> None:
    """Standardise and embed a list of structures; a build that was stopped goes on where it was."""
    from diptych.cli.untrained import warn_of_ranking
    from diptych.embedding import JointEmbedding
    from diptych.retrieval import build_library

    embedding = JointEmbedding.load(model)
    warn_of_ranking(embedding)
    try:
        with _progress() as show:
            description = build_library(
                source,
                output,
                model=embedding,
                workers=workers,
                progress=show,
                smiles_column=smiles_column,
                inchi_column=inchi_column,
                name_column=name_column,
                source_column=source_column,
                licence_column=licence_column,
            )
    except KeyboardInterrupt as stop:
        typer.echo(f"{output}: stopped; the same command goes on after the parts that are finished", err=True)
        raise typer.Abort from stop
    _print_table("Library built", _build_summary(description, output))


@app.command("info")
def info_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the library.")],
    model: Annotated[str | None, typer.Option(help=_LIBRARYS_MODEL)] = None,
) -> None:
    """Say what a library holds, which model it belongs to, and how many of its structures that was trained on.

    Where most are training molecules, annotate with --prior 0.
    """
    from diptych.retrieval import LibraryDescription

    description = LibraryDescription.read(folder)
    _print_table(str(folder), _facts(description) | _training_molecules(description, folder, model=model))


def _training_molecules(description: LibraryDescription, folder: Path, *, model: str | None) -> dict[str, str]:
    """Return how many structures the library's model was trained on; nothing where it does not say."""
    from diptych.cli.overlap import TRAINED_ON
    from diptych.encoders.model_folder import model_folder, read_description
    from diptych.errors import ForeignModelError, ModelError
    from diptych.evaluation.audit.overlap import read_first_blocks
    from diptych.retrieval.description import STRUCTURES
    from diptych.retrieval.structure_table import first_blocks

    try:
        home = model_folder(model or description.model_name)
        is_its_own = read_description(home)["digest"] == description.model_digest
    except ModelError:
        if model is not None:
            raise
        return {}
    if model is not None and not is_its_own:
        raise ForeignModelError(
            f"{folder}: embedded by the model {description.model_name}; expected its folder, got {home}"
        )
    if not is_its_own or not (home / TRAINED_ON).is_file():
        return {}
    trained_on = read_first_blocks(home / TRAINED_ON)
    n_seen = sum(block in trained_on for block in first_blocks(folder / STRUCTURES))
    share = f"{n_seen:,} of {description.n_structures:,} ({100 * n_seen / max(description.n_structures, 1):.1f} %)"
    return {"training molecules": share}


@app.command("search")
def search_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the library.")],
    mass: Annotated[float | None, typer.Option(min=0, help="Neutral monoisotopic mass, Da.")] = None,
    formula: Annotated[str | None, typer.Option(help="Molecular formula, as C8H10N4O2.")] = None,
    ppm: Annotated[float, typer.Option(min=0, help="Half-width of the window around --mass.")] = 10.0,
    top: Annotated[int, typer.Option(min=1, help="Structures shown at most, by mass.")] = 20,
) -> None:
    """List the structures of a mass or of a formula."""
    from diptych.retrieval import StructureLibrary

    if (mass is None) == (formula is None):
        raise typer.BadParameter("give either --mass or --formula")
    library = StructureLibrary.load(folder)
    rows = _rows_of_mass(library, mass, ppm) if mass is not None else library.formula_rows(formula or "").tolist()
    _print_structures(library, rows[:top])
    typer.echo(f"{min(len(rows), top)} of {len(rows)} structures shown")


def _rows_of_mass(library: StructureLibrary, mass: float, ppm: float) -> range:
    window = library.window(mass, mass * ppm * 1e-6)
    return range(window.start, window.stop)


def _build_summary(description: LibraryDescription, folder: Path) -> dict[str, str]:
    failures = f" (listed in {folder / 'failures.tsv'})" if description.n_failures else ""
    return {
        "rows read": f"{description.n_rows:,}",
        "structures": f"{description.n_structures:,}",
        "duplicates merged": f"{description.n_duplicates:,}",
        "rows that failed": f"{description.n_failures:,}{failures}",
        "model": f"{description.model_name} ({description.model_digest[:12]})",
        "folder": str(folder),
    }


def _facts(description: LibraryDescription) -> dict[str, str]:
    return {
        "structures": f"{description.n_structures:,}",
        "molecular formulas": f"{description.n_formulas:,}",
        "neutral mass": f"{description.lightest:.4f} to {description.heaviest:.4f} Da",
        "model": f"{description.model_name} ({description.model_digest})",
        "vector length": str(description.embedding_dim),
        "rows of the source": f"{description.n_rows:,} ({description.n_duplicates:,} merged as duplicates, "
        f"{description.n_failures:,} failed)",
        "sources": _most_frequent(description.sources),
        "licences": _most_frequent(description.licences),
        "size on disk": f"{sum(description.sizes.values()) / 1e6:,.1f} MB",
        "made by": description.created_by,
        "digest": description.digest,
    }


def _most_frequent(counts: Mapping[str, int]) -> str:
    lines = [f"{name or '(not stated)'}: {count:,}" for name, count in list(counts.items())[:_MOST_FREQUENT]]
    n_more = len(counts) - len(lines)
    return "\n".join(lines + ([f"and {n_more} more"] if n_more > 0 else []))


def _print_table(title: str, facts: Mapping[str, str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), show_header=False, title_justify="left")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(name, Text(value))
    Console().print(table)


def _print_structures(library: StructureLibrary, rows: list[int] | range) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("neutral mass", "formula", "InChIKey", "name", "SMILES")
    for row, structure in zip(rows, library.structures(rows), strict=True):
        cells = (structure.formula, structure.inchikey_first_block, structure.name, structure.smiles)
        table.add_row(f"{library.exact_mass[row]:.5f}", *map(Text, cells))
    Console().print(table)


@contextmanager
def _progress() -> Iterator[Callable[[int, int | None], None]]:
    """Yield a function that shows how many structures are done and how fast."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("reading")
        first: list[int] = []

        def show(n_done: int, n_total: int | None) -> None:
            if not first:
                first.append(n_done)
            elapsed = bar.tasks[0].elapsed or 0.0
            rate = (n_done - first[0]) / elapsed if elapsed else 0.0
            resumed = f", of them {first[0]:,} before" if first[0] else ""
            bar.update(task, description=f"{n_done:,} structures embedded{resumed}  {rate:,.0f}/s")

        yield show
        bar.update(task, description=bar.tasks[0].description.replace("embedded", "embedded and sorted"))
