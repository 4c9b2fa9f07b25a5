"""``diptych report``: saved results as one page of tables and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from diptych.errors import EvaluationError, StructureError

if TYPE_CHECKING:
    from diptych.evaluation.report.section import Section
    from diptych.evaluation.report.sections import Method
    from diptych.evaluation.results.query_results import QueryResults
    from diptych.molecules import Structure
    from diptych.spectra import Spectrum

_MAPPED = 1500
_FEWEST_MAPPED = 5


def report_command(
    results: Annotated[
        list[str],
        typer.Argument(metavar="[NAME=]RESULTS...", help="Reports of 'diptych evaluate', or tables of results."),
    ],
    spectra: Annotated[
        Path | None, typer.Option(help="The tested spectra, a dataset or spectra file: the hardest are drawn.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Model whose space is mapped; needs --spectra.")] = None,
    robustness: Annotated[
        Path | None, typer.Option(help="File of 'diptych benchmark run --protocol robustness'.")
    ] = None,
    split: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=REPORT", help="A rung of the split ladder, the easiest first; may be repeated."),
    ] = None,
    title: Annotated[str, typer.Option(help="Of the page.")] = "Evaluation",
    bootstrap: Annotated[int, typer.Option(min=1, help="Resamples of molecules.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Of intervals and maps.")] = 0,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Page (HTML); Markdown and JSON of its name go beside it.")
    ] = Path("page.html"),
) -> None:
    """Write tables and pictures of saved results as one self-contained page."""
    from diptych.evaluation.report.files import ladder_section, robustness_section, write_report
    from diptych.evaluation.report.sections import result_sections

    if model and spectra is None:
        raise typer.BadParameter("--model needs --spectra FILE: the spectra whose vectors are mapped")
    rungs = _splits(split or ())
    read = [*(_named(text)[1] for text in results), *(path for paths in rungs.values() for path in paths)]
    _check_output(output, [*read, robustness, spectra])
    methods = _methods(results)
    first_name, first = next(iter(methods.items()))
    measured = _spectra(spectra, first, name=first_name) if spectra else {}
    others = [robustness_section(robustness)] if robustness else []  # first, as a file may be of another kind
    others += [ladder_section(rungs)] if rungs else []
    sections = [*result_sections(methods, n_bootstrap=bootstrap, seed=seed), *others]
    sections += _maps(model, measured, first, seed=seed) if model else []
    sections += _hardest(first, measured)
    write_report(title, sections, output)
    typer.echo(f"Written: {output}, {output.with_suffix('.md')}, {output.with_suffix('.json')}")


def _methods(results: Sequence[str]) -> dict[str, Method]:
    from diptych.evaluation.report.files import read_method

    methods: dict[str, Method] = {}
    for text in results:
        given, path = _named(text)
        name, method = read_method(path)
        name = given or name
        if name in methods:
            raise typer.BadParameter(f"two results are called {name!r}; tell them apart by NAME=RESULTS")
        methods[name] = method
    return methods


def _named(text: str) -> tuple[str, Path]:
    """Return name and path of NAME=RESULTS; of RESULTS alone the name is empty."""
    given, equals, path = text.partition("=")
    if equals and not (given and path):
        raise typer.BadParameter(f"RESULTS {text}; expected NAME=RESULTS")
    return (given, Path(path)) if equals else ("", Path(text))


def _check_output(output: Path, read: Sequence[Path | None]) -> None:
    """Refuse a page that cannot be written, or of which a file would take the place of one that is read."""
    from diptych.files import check_writable

    if output.suffix.lower() in (".json", ".md", ""):
        raise typer.BadParameter(
            f"--output {output}: Markdown and JSON of its name go beside the page; expected a file such as page.html"
        )
    for path in (output, output.with_suffix(".md"), output.with_suffix(".json")):
        check_writable(path, read=read)


def _splits(splits: Sequence[str]) -> dict[str, list[Path]]:
    named: dict[str, list[Path]] = {}
    for text in splits:
        name, equals, path = text.partition("=")
        if not equals:
            raise typer.BadParameter(f"--split {text}; expected NAME=REPORT")
        named.setdefault(name, []).append(Path(path))
    return named


def _spectra(path: Path, method: Method, *, name: str) -> dict[str, Spectrum]:
    """Return the tested spectra by identifier."""
    found = _read(path, set(method.results.queries))
    if not found:
        raise typer.BadParameter(f"--spectra {path}: none of its spectra is among the queries of {name}")
    return found


def _read(path: Path, asked: set[str]) -> dict[str, Spectrum]:
    if path.suffix.lower() == ".parquet":
        from diptych.data.dataset import read_dataset

        dataset = read_dataset(path)
        rows = [row for row, name in enumerate(dataset.column("identifier")) if name in asked]
        return {example.spectrum.identifier: example.spectrum for example in dataset.take(rows)}
    from diptych.spectra import read_spectra

    found = read_spectra(path, on_problem=lambda _: None)
    return {spectrum.identifier: spectrum for spectrum in found if spectrum.identifier in asked}


def _maps(model: str, spectra: dict[str, Spectrum], method: Method, *, seed: int) -> list[Section]:
    """Return maps of spectra and of molecules, one spectrum a molecule."""
    import numpy as np

    from diptych.embedding import JointEmbedding
    from diptych.evaluation.report.files import map_section
    from diptych.evaluation.report.projection import PROJECTIONS
    from diptych.molecules.structural_class import structural_class

    results = method.results
    chosen = {
        target: row
        for row, target in enumerate(results.targets)
        if results.queries[row] in spectra and results.text("target_smiles")[row]
    }
    rows = np.array(sorted(chosen.values()))[:_MAPPED]
    if rows.size < _FEWEST_MAPPED:
        typer.echo(f"No map: spectrum and structure of {rows.size} molecules are known; expected {_FEWEST_MAPPED}")
        return []
    embedding = JointEmbedding.load(model)
    vectors = {
        "spectra": embedding.encode_spectra([spectra[results.queries[row]] for row in rows]),
        "molecules": embedding.encode_structures([_answer(results, row) for row in rows]),
    }
    labels = {
        "structural class": [structural_class(results.text("target_smiles")[row]) for row in rows],
        "instrument": [results.text("instrument_class")[row] or "unknown" for row in rows],
    }
    return [
        map_section(
            f"Map of {kind}",
            {name: project(found, seed=seed) for name, project in PROJECTIONS.items()},
            labels,
            model=embedding.name,
        )
        for kind, found in vectors.items()
    ]


def _answer(results: QueryResults, row: int) -> Structure:
    from diptych.molecules import Structure

    try:
        return Structure.from_smiles(results.text("target_smiles")[row])
    except StructureError as error:
        raise EvaluationError(f"results, query {results.queries[row]!r}: {error}") from error


def _hardest(method: Method, spectra: dict[str, Spectrum]) -> list[Section]:
    from diptych.evaluation.audit.audit import hardest_queries
    from diptych.evaluation.audit.drawing import HOW_TO_READ, cases_drawn
    from diptych.evaluation.report.section import Section

    cases = hardest_queries(method.results, n=8)
    if not cases:
        return []
    return [Section(title="Hardest queries", text=HOW_TO_READ, picture=cases_drawn(cases, spectra))]
