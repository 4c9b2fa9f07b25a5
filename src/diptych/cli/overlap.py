"""``diptych overlap``: how much of a file of known spectra a model was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from diptych.evaluation import Evaluation
    from diptych.evaluation.audit.overlap import Overlap
    from diptych.evaluation.questions.known import KnownSpectra

TRAINED_ON = "training_first_blocks.txt"


def overlap_command(
    spectra: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", exists=True, help="Spectra whose metadata name their structure, or a Diptych dataset."
        ),
    ],
    model: Annotated[str | None, typer.Option(help="Name or folder of a model. [default: the shipped one]")] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Table of accession, first block and fold: 'seen' or 'new'."),
    ] = None,
) -> None:
    """Say how many spectra are of molecules that a model was trained on, by the InChIKey's first block.

    The table that is written goes into 'diptych evaluate --accessions TABLE --fold new'.
    """
    from diptych.encoders.model_folder import model_folder
    from diptych.evaluation.audit.overlap import Overlap, read_first_blocks
    from diptych.evaluation.wording import repeated_line
    from diptych.files import check_writable

    if output is not None:
        check_writable(output, read=[spectra])
    folder = model_folder(model)
    trained_on = read_first_blocks(folder / TRAINED_ON)
    known, n_unreadable, repeated = _known(spectra)
    overlap = Overlap.of(known, trained_on)
    for line in _lines(overlap, model=str(folder), n_trained_on=len(trained_on), n_unreadable=n_unreadable):
        typer.echo(line)
    if repeated:
        typer.echo(repeated_line(len(repeated), repeated))
    if output is not None:
        overlap.save(output)
        typer.echo(f"Written: {output}")


def with_model_overlap(evaluation: Evaluation, model: str | None) -> Evaluation:
    """Return the evaluation of a model, told what it was trained on; as it is where the model's folder does not say."""
    from diptych.encoders.model_folder import model_folder
    from diptych.evaluation.audit.overlap import read_first_blocks, with_overlap

    trained_on = model_folder(model) / TRAINED_ON
    return with_overlap(evaluation, read_first_blocks(trained_on)) if trained_on.is_file() else evaluation


def seen_lines(model: str, targets: Sequence[str]) -> list[str]:
    """Return how many spectra are of molecules that a model was trained on; nothing where its folder does not say."""
    from diptych.encoders.model_folder import model_folder
    from diptych.evaluation.audit.overlap import overlap_lines, read_first_blocks

    path = model_folder(model) / TRAINED_ON
    if not path.is_file():
        return []
    trained_on = read_first_blocks(path)
    n_seen = sum(target in trained_on for target in targets)
    return overlap_lines({"training_overlap": {"seen_queries": n_seen, "queries": len(targets)}})


def _known(path: Path) -> tuple[KnownSpectra, int, list[str]]:
    """Return the spectra of a file, how many records could not be read, and what repeated identifiers became."""
    from diptych.evaluation.questions.known import KnownSpectra

    if path.suffix.lower() == ".parquet":
        from diptych.data.dataset import read_dataset

        return KnownSpectra.from_annotated(read_dataset(path)), 0, []
    from diptych.spectra import read_spectra

    problems: list[Exception] = []
    repeated: list[str] = []
    spectra = read_spectra(path, on_problem=problems.append, on_repeat=repeated.append)
    return KnownSpectra.from_metadata(spectra), len(problems), repeated


def _lines(overlap: Overlap, *, model: str, n_trained_on: int, n_unreadable: int) -> list[str]:
    from diptych.evaluation.wording import counted

    remarks = {
        ("spectrum names no structure", "spectra name no structure"): overlap.n_without_structure,
        ("spectrum is not MS2", "spectra are not MS2"): overlap.n_not_ms2,
        ("record could not be read", "records could not be read"): n_unreadable,
    }
    return [
        f"{model} was trained on {counted(n_trained_on, 'molecule', 'molecules')}; of this file it has seen",
        f"  {_share(len(overlap.seen), overlap.n_molecules)} molecules",
        f"  {_share(overlap.n_seen_spectra, len(overlap.spectra))} spectra (those of these molecules)",
        *(f"{counted(count, *words)}: not judged." for words, count in remarks.items() if count),
    ]


def _share(n: int, n_all: int) -> str:
    return f"{n:,} of {n_all:,} ({100 * n / n_all:.1f} %)"
