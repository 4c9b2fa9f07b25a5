"""``diptych match``: spectra against reference spectra of known molecules."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from diptych.ranking import SpectrumScorer
    from diptych.retrieval import Matches
    from diptych.spectra import Spectrum

_N_SHOWN = 20
_SPECTRA = "Spectra: MGF, MSP, mzML, mzXML, MassBank, GNPS JSON, TSV; plain, gzip or xz; or a folder of such files."
_REFERENCES = "File or folder of reference spectra, in any of these formats; repeatable."
_SCORERS = (
    *("with_model", "match_evidence", "spectral_entropy", "cosine", "modified_cosine", "binned_cosine"),
    "precursor_mz",
)
_SCORER = (
    "How spectra are compared. with_model: the evidence of the peaks in nats, plus 4 times a model's cosine, plus 4 "
    f"times the match of the precursors. Without a model: {', '.join(_SCORERS[1:])}."
)
_PPM = "Only references within this of the precursor m/z compete. [default: 10]"
_OPEN = "Open search: references of any precursor m/z compete."
_DEFAULT_PPM = 10.0
_MOST_PPM_WITH_DECIMALS = 1000


def match_command(
    spectra: Annotated[list[Path], typer.Argument(exists=True, help=_SPECTRA)],
    references: Annotated[list[Path], typer.Option("--references", "-r", exists=True, help=_REFERENCES)],
    model: Annotated[str | None, typer.Option(help="Name or folder of a model. [default: the shipped one]")] = None,
    scorer: Annotated[str, typer.Option(help=_SCORER)] = "with_model",
    ppm: Annotated[float | None, typer.Option(min=1e-3, max=1e5, help=_PPM)] = None,
    open_search: Annotated[bool, typer.Option("--open", help=_OPEN)] = False,
    top: Annotated[int, typer.Option(min=1, help="Molecules kept for each spectrum.")] = 10,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")] = Path("results"),
    formats: Annotated[str, typer.Option("--format", help="Files to write: tsv, json, or both.")] = "tsv,json",
) -> None:
    """Rank the molecules of reference spectra for every spectrum: library search.

    A molecule has the score of its best reference. Scores are to be compared within one spectrum; they are no
    probabilities. The default one is the evidence of the peaks in nats, plus 4 times the cosine of the model, plus 4
    times the match of the precursors: a spectrum against itself has about 9 (where instrument and collision energy are
    not stated, 11 to 12).
    """
    from diptych.annotation.match_files import check_formats, write_matches
    from diptych.retrieval import SpectralLibrary

    os.environ.setdefault("OMP_NUM_THREADS", "1")
    wanted = [name.strip() for name in formats.split(",") if name.strip()]
    check_formats(wanted)
    window = _window(ppm, is_open=open_search)
    measure, made_with = _scorer(scorer, model)
    problems: list[str] = []
    library = SpectralLibrary.of(spectrum for path in references for spectrum in _read(path, problems))
    asked = [(_source(spectrum, path), spectrum) for path in spectra for spectrum in _readable(path, problems)]
    if not asked:  # earlier results must not give way to an empty table
        _raise_first(problems)
    answers = library.search([spectrum for _, spectrum in asked], scorer=measure, ppm=window, top=top)
    named = [(source, answer) for (source, _), answer in zip(asked, answers, strict=True)]
    provenance = {
        **made_with,
        "references": [str(path) for path in references],
        "n_references": len(library),
        "references_left_out": dict(library.left_out),
        "unreadable": problems,
        "ppm": window,
        "top": top,
    }
    written = write_matches(output, named, formats=wanted, provenance=provenance)
    _report(answers, library, problems=problems, written=written)


def _window(ppm: float | None, *, is_open: bool) -> float | None:
    """Return the half-width of the window around a precursor; None for none."""
    if not is_open:
        return _DEFAULT_PPM if ppm is None else ppm
    if ppm is not None:
        raise typer.BadParameter("--open looks at references of any precursor m/z; expected it without --ppm")
    return None


def _scorer(name: str, model: str | None) -> tuple[SpectrumScorer, dict[str, Any]]:
    """Return what compares spectra, and what is to be known of it."""
    from diptych import __version__

    if name not in _SCORERS:
        raise typer.BadParameter(f"no spectrum scorer {name!r}; expected one of {', '.join(_SCORERS)}")
    if name != "with_model":
        from diptych.evaluation.protocols.tables import search_scorers

        if model is not None:
            raise typer.BadParameter(f"--scorer {name} asks no model; expected --scorer with_model beside --model")
        (scorer,) = search_scorers([name])
        return scorer, {"diptych_version": __version__, "scorer": scorer.name}
    from diptych.embedding import JointEmbedding
    from diptych.retrieval.spectrum_scorer import RememberedVectors, with_match_evidence

    embedding = JointEmbedding.load(model)
    scorer = with_match_evidence(RememberedVectors(embedding))
    return scorer, {"diptych_version": __version__, "scorer": scorer.name, "model_digest": embedding.digest}


def _read(path: Path, problems: list[str]) -> Iterator[Spectrum]:
    """Yield the spectra of a file; what cannot be read of it is noted."""
    from diptych.spectra import read_spectra

    return read_spectra(path, on_problem=lambda problem: problems.append(str(problem)))


def _source(spectrum: Spectrum, path: Path) -> str:
    return spectrum.metadata.get("file_in_folder") or path.name


def _readable(path: Path, problems: list[str]) -> Iterator[Spectrum]:
    """Yield the spectra of a file as far as it can be read: it must not stop the others."""
    from diptych.errors import ReadError

    try:
        yield from _read(path, problems)
    except ReadError as error:
        problems.append(str(error))


def _report(answers: Sequence[Matches], library: Any, *, problems: list[str], written: list[Path]) -> None:  # noqa: ANN401
    from rich.console import Console

    console = Console()
    if answers:
        console.print(_table(answers[:_N_SHOWN], width=console.width))
    for line in _summary_lines(answers, library, written=written):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    _raise_first(problems)


def _raise_first(problems: list[str]) -> None:
    """Say what could not be read, if anything."""
    from diptych.errors import ReadError

    if problems:
        others = f"{len(problems):,} cannot be read; first, " if len(problems) > 1 else ""
        raise ReadError(f"{others}{problems[0]}")


def _summary_lines(answers: Sequence[Matches], library: Any, *, written: list[Path]) -> Iterator[str]:  # noqa: ANN401
    if len(answers) > _N_SHOWN:
        yield f"... and {len(answers) - _N_SHOWN:,} more"
    left_out = ", ".join(f"{reason} ({n:,})" for reason, n in library.left_out.items())
    yield f"{len(library):,} reference spectra{f'; left out: {left_out}' if left_out else ''}"
    yield f"matched {sum(bool(answer.matches) for answer in answers):,} of {len(answers):,} spectra"
    unmatched, notes = (
        [answer.reason for answer in answers if answer.reason and bool(answer.matches) == is_matched]
        for is_matched in (False, True)
    )
    if unmatched:
        yield f"not matched: {_counted(reason.partition(':')[0] for reason in unmatched)}"
    if notes:
        yield f"to mind: {_counted(part.partition(':')[0] for reason in notes for part in reason.split('; '))}"
    yield f"written: {', '.join(str(path) for path in written)}"


def _counted(reasons: Iterable[str]) -> str:
    return ", ".join(f"{reason} ({n:,})" for reason, n in Counter(reasons).most_common())


def _table(answers: Sequence[Matches], *, width: int) -> Table:
    from diptych.cli.tables import table_of

    headings = ("spectrum", "m/z", "best molecule", "score", "similarity", "ppm", "of")
    numbers = tuple(heading for heading in headings if heading not in {"spectrum", "best molecule"})
    rows = [_cells(answer) for answer in answers]
    return table_of(headings, rows, numbers=numbers, cut_column="best molecule", width=width)


def _cells(answer: Matches) -> list[str]:
    from diptych.cli.tables import cut
    from diptych.spectra.wording import mz_text

    query = answer.query
    known = [cut(query.identifier, 22), mz_text(query.precursor_mz, decimals=4)]
    n_references = f"{answer.n_references:,}"
    if not answer.matches:
        return [*known, f"none: {answer.reason}", "", "", "", n_references]
    best = answer.matches[0]
    name = best.reference.metadata.get("compound_name") or best.molecule
    difference = f"{best.difference_ppm:,.{1 if abs(best.difference_ppm) < _MOST_PPM_WITH_DECIMALS else 0}f}"
    return [*known, name, f"{best.score:.2f}", f"{best.similarity:.2f}", difference, n_references]
