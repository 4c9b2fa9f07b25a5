"""The ``diptych`` command: parses arguments, calls the library, prints errors on one line."""

from __future__ import annotations

import errno
import sys
from typing import NoReturn

import typer
from typer.exceptions import TyperException

from diptych import __version__
from diptych.cli import (
    ablate,
    annotate,
    audit,
    benchmark,
    dataset,
    evaluate,
    library,
    match,
    overlap,
    presets,
    pretrain,
    report,
    train,
)
from diptych.errors import DiptychError, is_out_of_memory

_INTERRUPTED = 130  # what typer makes of Ctrl-C, and what shells expect
_OUT_OF_MEMORY = (
    "out of memory; lower the sizes of the model that is trained (embedding_dim, hidden_dim) or batch_size, "
    "or use a smaller file or library"
)

app = typer.Typer(
    name="diptych",
    help="Rank molecular structures for measured MS/MS spectra.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("ablate")(ablate.ablate_command)
app.command("annotate")(annotate.annotate_command)
app.command("audit")(audit.audit_command)
app.command("evaluate")(evaluate.evaluate_command)
app.command("match")(match.match_command)
app.command("overlap")(overlap.overlap_command)
app.command("report")(report.report_command)
app.command("train")(train.train_command)
app.add_typer(benchmark.app, name="benchmark")
app.add_typer(dataset.app, name="dataset")
app.add_typer(library.app, name="library")
app.add_typer(presets.app, name="presets")
app.add_typer(pretrain.app, name="pretrain")


def _version(value: bool) -> None:
    if value:
        typer.echo(f"diptych {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Rank molecular structures for measured MS/MS spectra."""


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _answer() -> int:
    code = app(standalone_mode=False)
    if code == _INTERRUPTED:
        raise KeyboardInterrupt
    return code if isinstance(code, int) else 0


def run() -> None:
    """Run the command line; a DiptychError is one line on standard error and exit code 1."""
    try:
        sys.exit(_answer())
    except TyperException as error:
        show = getattr(error, "show", None)
        if show is None:
            _stop(error.format_message(), code=2)
        show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        _stop("interrupted; what was finished is kept", code=_INTERRUPTED)
    except (DiptychError, MemoryError, RuntimeError) as error:
        full = is_out_of_memory(error)
        if not (full or isinstance(error, DiptychError)):
            raise
        _stop(_OUT_OF_MEMORY if full else _one_line(error), code=1)
    except BrokenPipeError:
        sys.exit(1)
    except OSError as error:
        reason = "no space left on the disk" if error.errno == errno.ENOSPC else _one_line(error)
        _stop(reason, code=1)


def _stop(message: str, *, code: int) -> NoReturn:
    sys.stderr.write(f"diptych: {message}\n")
    sys.exit(code)
