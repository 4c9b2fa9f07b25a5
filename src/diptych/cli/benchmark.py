"""``diptych benchmark``: freeze a benchmark, ask rankers, models or score tables on it, lay splits side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from diptych.cli.options import MCES

if TYPE_CHECKING:
    from diptych.cli.benchmark_rankers import Asked
    from diptych.evaluation.benchmark.folder import Benchmark

_PROTOCOLS = "formula, mass, measured, 256-way, global, few-shot, library-search, robustness or answer-absent."
_OF_A_DATASET = ("fold_column", "fold_table", "hold_out", "structures", "lists", "measured", "ppm", "at_most")

app = typer.Typer(help="Freeze benchmarks and run methods on them.", no_args_is_help=True)


@app.command("build")
def build_command(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(exists=True, help="A dataset (.parquet), or MassSpecGym's spectra.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The folder to write.")],
    fold_column: Annotated[str, typer.Option(help="Split of the dataset that folds are taken from.")] = "scaffold",
    fold_table: Annotated[
        Path | None,
        typer.Option(exists=True, help="Table of accession and fold, in place of a split of the dataset."),
    ] = None,
    folds: Annotated[str, typer.Option(help="Folds that are asked, parted by commas.")] = "test",
    hold_out: Annotated[
        str | None,
        typer.Option(help="COLUMN=VALUE[,VALUE]: test only spectra measured so, train on none (instrument_class=TOF)."),
    ] = None,
    structures: Annotated[
        Path | None,
        typer.Option(exists=True, help="Table of inchikey_first_block, smiles and formula to draw from."),
    ] = None,
    lists: Annotated[
        str | None,
        typer.Option(help="Kinds of lists to draw: formula, mass, measured; formula if no --candidates are given."),
    ] = None,
    measured: Annotated[
        str, typer.Option(help="COLUMN or COLUMN=VALUE[,...] of --structures: rows that were measured, too.")
    ] = "",
    candidates: Annotated[
        list[str] | None,
        typer.Option(help="KIND=FILE of lists {target: [SMILES, ...]} that are given, not drawn; repeatable."),
    ] = None,
    ppm: Annotated[float, typer.Option(min=1e-3, help="Half width of the mass window.")] = 10.0,
    at_most: Annotated[int, typer.Option(min=1, help="Longest list.")] = 256,
    seed: Annotated[int, typer.Option(min=0, help="Decides what is drawn, and the order of the lists.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace another benchmark in the folder.")] = False,
) -> None:
    """Freeze queries, candidate lists and folds in a folder, with a digest of its content."""
    from diptych.evaluation.benchmark.build import BenchmarkSettings, build_benchmark, build_massspecgym

    _check_replaceable(output)
    asked = tuple(_parts(folds))
    paths = _files(candidates or ())
    if source.suffix.lower() != ".parquet":
        _check_massspecgym(context, paths)
        _print_built(build_massspecgym(source, output, candidates=paths, asked=asked, seed=seed, force=force))
        return
    drawn = _parts("" if paths else "formula") if lists is None else _parts(lists)
    _check_drawn(context, drawn=[kind for kind in drawn if kind not in paths])
    settings: dict[str, Any] = {"asked": asked, "lists": tuple(drawn), "measured": tuple(_parts(measured))}
    given, named = _folds(source, hold_out, fold_table, base=fold_column, seed=seed)
    benchmark = build_benchmark(
        source,
        output,
        folds=given,
        fold_column=named,
        structures=structures,
        candidates=paths,
        settings=BenchmarkSettings(ppm=ppm, at_most=at_most, seed=seed, **settings),
        force=force,
    )
    _print_built(benchmark)


@app.command("run")
def run_command(
    benchmark: Annotated[Path, typer.Argument(exists=True, help="A folder of 'diptych benchmark build'.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the results.")],
    ranker: Annotated[
        str, typer.Option(help="Names of rankers, parted by commas; a+b fuses scores, rank:a+b ranks (model, too).")
    ] = "",
    model: Annotated[str | None, typer.Option(help="Name or folder of a model, with its blind control.")] = None,
    scores: Annotated[
        list[Path] | None,
        typer.Option(exists=True, help="Table of query, smiles or inchikey_first_block, and score; repeatable."),
    ] = None,
    vectors: Annotated[
        list[Path] | None,
        typer.Option(exists=True, help="Archive (.npz) of another tool's vectors of spectra; repeatable."),
    ] = None,
    protocol: Annotated[str, typer.Option(help=_PROTOCOLS)] = "",
    dataset: Annotated[
        Path | None,
        typer.Option(exists=True, help="The dataset of the benchmark: what rankers learn from."),
    ] = None,
    structures: Annotated[
        Path | None, typer.Option(exists=True, help="Structures that were not measured, for molecule_prior.")
    ] = None,
    library: Annotated[Path | None, typer.Option(help="Structure library of the model, for global retrieval.")] = None,
    fold: Annotated[str, typer.Option(help="Which fold is asked.")] = "test",
    min_list_length: Annotated[int, typer.Option(min=0, help="Leave out queries with fewer candidates.")] = 0,
    sample: Annotated[
        int, typer.Option(min=0, help="Robustness: ask so many queries, drawn by --seed, in place of all.")
    ] = 0,
    prior: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of what the model expects before it sees a peak; 0: none.")
    ] = 1.0,
    mces: MCES = "bound",
    bootstrap: Annotated[int, typer.Option(min=0, help="Resamples of molecules for the intervals.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Of controls, trained rankers and intervals.")] = 0,
) -> None:
    """Ask rankers, a model and score tables on a benchmark, by one of the protocols.

    The first of model, score tables and rankers is the method; the others stand beside it as controls.
    """
    from diptych.cli.benchmark_rankers import Asked
    from diptych.evaluation.benchmark.folder import Benchmark

    frozen = Benchmark.load(benchmark)
    how: dict[str, Any] = {"fold": fold, "min_list_length": min_list_length, "sample": sample, "seed": seed}
    asked = Asked(
        names=tuple(_parts(ranker)),
        model=model,
        scores=tuple(scores or ()),
        vectors=tuple(vectors or ()),
        dataset=dataset,
        structures=structures,
        library=library,
        n_bootstrap=bootstrap,
        prior=prior,
        mces=mces,
        **how,
    )
    for line in _run(frozen, asked, protocol or next(iter(frozen.lists)), output):
        typer.echo(line)


@app.command("ladder")
def ladder_command(
    results: Annotated[list[str], typer.Argument(help="NAME=REPORT.json of each split, the easiest first.")],
    metric: Annotated[str, typer.Option(help="Which metric.")] = "hit_rate@1",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Markdown file.")] = None,
) -> None:
    """Lay the results on several splits side by side."""
    from diptych.evaluation.evaluation import Evaluation
    from diptych.evaluation.protocols.generalisation import ladder_lines
    from diptych.files import check_writable, replacing

    named = [_pair(text, "RESULTS") for text in results]
    if output is not None:
        check_writable(output, read=[Path(path) for _, path in named])
    rungs: dict[str, Evaluation] = {}
    for name, path in named:
        if name in rungs:
            raise typer.BadParameter(f"two results are called {name!r}; expected a name for each rung")
        rungs[name] = Evaluation.load(Path(path))
    lines = ladder_lines(rungs, metric=metric)
    if output is not None:
        with replacing(output) as temporary:
            temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    typer.echo("\n".join(lines))


def _check_replaceable(output: Path) -> None:
    from diptych.files import check_writable

    check_writable(output, is_folder=True)
    if output.resolve() == Path.cwd():
        raise typer.BadParameter(f"--output {output}: the folder is replaced as a whole; expected another")


def _run(benchmark: Benchmark, asked: Asked, protocol: str, output: Path) -> list[str]:
    from diptych.cli import benchmark_protocols
    from diptych.files import check_writable

    check_writable(output, is_folder=True, read=[benchmark.folder])
    runners = {
        "global": benchmark_protocols.run_global,
        "few-shot": benchmark_protocols.run_few_shot,
        "library-search": benchmark_protocols.run_library_search,
        "robustness": benchmark_protocols.run_robustness,
        "answer-absent": benchmark_protocols.run_answer_absent,
    }
    known = [*benchmark.lists, "256-way", *runners]
    if protocol not in known:
        raise typer.BadParameter(f"--protocol {protocol}: expected one of {', '.join(known)} with this benchmark")
    asked.require_taken(protocol)
    if protocol in benchmark.lists or protocol == "256-way":
        return benchmark_protocols.run_lists(benchmark, asked, protocol, output)
    lines = runners[protocol](benchmark, asked, output)
    if asked.model is not None and protocol != "global":
        from diptych.cli.overlap import seen_lines

        lines += seen_lines(asked.model, [item.target for item in benchmark.asked(asked.fold).spectra])
    return lines


def _folds(
    source: Path, hold_out: str | None, table: Path | None, *, base: str, seed: int
) -> tuple[Sequence[str] | None, str]:
    """Return the folds of a table ("none" where it names none) or that hold something out, and their name."""
    if table is not None and hold_out is not None:
        raise typer.BadParameter("--fold-table and --hold-out both say what is tested; expected one of them")
    if table is not None:
        from diptych.data.dataset import read_without_peaks
        from diptych.data.folds import read_fold_table

        folds = read_fold_table(table, read_without_peaks(source).column("identifier"))
        return [fold or "none" for fold in folds], table.name
    if hold_out is None:
        return None, base
    from diptych.data.dataset import read_without_peaks
    from diptych.evaluation.protocols.generalisation import held_out_folds

    column, values = _pair(hold_out, "--hold-out")
    split = None if base == "none" else base
    held = held_out_folds(read_without_peaks(source), column=column, values=_parts(values), base=split, seed=seed)
    return held, f"{hold_out} held out of {base}"


def _check_massspecgym(context: typer.Context, candidates: Mapping[str, Path]) -> None:
    """Refuse spectra that are no dataset without lists, or with an option that divides or draws from a dataset."""
    ignored = [name for name in _OF_A_DATASET if _is_given(context, name)]
    if ignored:
        raise typer.BadParameter(
            f"--{ignored[0].replace('_', '-')} is for a dataset; spectra that are none have folds of their own and "
            "lists that are given by --candidates KIND=FILE"
        )
    if not candidates:
        raise typer.BadParameter("spectra that are no dataset need --candidates KIND=FILE")


def _check_drawn(context: typer.Context, *, drawn: Sequence[str]) -> None:
    """Refuse options of lists that are not drawn, and a split that says nothing beside a table of folds."""
    if _is_given(context, "fold_table") and _is_given(context, "fold_column"):
        raise typer.BadParameter("--fold-table and --fold-column both say what is tested; expected one of them")
    windows = [kind for kind in drawn if kind in ("mass", "measured")]
    structures, measured = _is_given(context, "structures"), _is_given(context, "measured")
    others = [kind for kind in drawn if kind != "measured"]
    for name, used, needed in (
        ("measured", "measured" in drawn and structures, "--lists measured and --structures TABLE"),
        ("structures", others or (drawn and measured), "--lists formula or mass, or measured with --measured COLUMN"),
        ("at_most", drawn, "lists that are drawn: --lists"),
        ("ppm", windows, "--lists mass or measured"),
    ):
        if _is_given(context, name) and not used:
            raise typer.BadParameter(f"--{name.replace('_', '-')} needs {needed}")


def _is_given(context: typer.Context, name: str) -> bool:
    """Return whether an option is not at its default."""
    return any(option.name == name and context.params[name] != option.default for option in context.command.params)


def _files(candidates: Sequence[str]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for kind, path in (_pair(text, "--candidates") for text in candidates):
        if kind in files:
            raise typer.BadParameter(f"two files of lists are of the kind {kind!r}; expected one")
        files[kind] = Path(path)
    return files


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _pair(text: str, option: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not (name and sign and value):
        raise typer.BadParameter(f"{option} is {text!r}; expected NAME=VALUE")
    return name, value


def _print_built(benchmark: Benchmark) -> None:
    from diptych.evaluation.wording import queries_of_molecules, repeated_line

    said: Mapping[str, Any] = benchmark.description
    typer.echo(queries_of_molecules(said["queries"], said["query_molecules"]))
    if n_repeated := said.get("spectra_of_repeated_identifiers", 0):
        typer.echo(repeated_line(n_repeated, said["renamed_spectra"]))
    for kind, counts in said["lists"].items():
        typer.echo("\n".join(_list_lines(kind, counts, said)))
    typer.echo(f"Written: {benchmark.folder}, digest {benchmark.digest}")


def _list_lines(kind: str, counts: Mapping[str, Any], said: Mapping[str, Any]) -> list[str]:
    """Return how long the lists of a kind are, what is odd about them, and whether they ask anything."""
    from diptych.evaluation.wording import counted

    lines = [
        f"{kind}: {counted(counts['lists'], 'list', 'lists')} of {counts['mean_length']:.1f} candidates on average, "
        f"median {counts['median_length']:,}",
        *(f"  {counted(counts[name], *words)}" for name, words in _ODD_LISTS.items() if counts.get(name)),
    ]
    if counts["queries_without_candidates"] + counts["queries_with_one_candidate"] == said["queries"]:
        is_drawn_alone = kind not in said.get("candidates_sha256", ()) and not said.get("structures")
        remedy = ": give --structures TABLE to draw from" if is_drawn_alone else ""
        lines.append(f"  Warning: no list has a second candidate, so that nothing is asked{remedy}.")
    return lines


_ODD_LISTS = {
    "targets_missing_from_their_list": (
        "target is missing from its list: a miss",
        "targets are missing from their list: misses",
    ),
    "queries_without_candidates": (
        "query has no list, and is among them",
        "queries have no list, and are among them",
    ),
    "queries_with_one_candidate": (
        "query has a list of one candidate",
        "queries have a list of one candidate",
    ),
    "duplicate_candidates_removed": (
        "further spelling of a listed molecule was removed",
        "further spellings of listed molecules were removed",
    ),
    "unparsed_candidates": (
        "candidate cannot be parsed: it stays, unscored",
        "candidates cannot be parsed: they stay, unscored",
    ),
}
