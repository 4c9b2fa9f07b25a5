"""Our own MassBank benchmark: split ladder, one kind of measurement held out, every protocol of the shipped recipe.

    python benchmarks/massbank/run.py massbank-folds.parquet ../shared/data/structures.tsv.xz --work massbank-benchmark
    python benchmarks/massbank/run.py ... --only presets --presets fragment-interaction --library FOLDER
    python benchmarks/massbank/run.py ... --only peers --peers ../shared/data/peer_benchmark --model FOLDER

`massbank-folds.parquet` is what ``diptych dataset split`` makes. For each split a benchmark is frozen, the recipe
(``--preset``, ``--epochs``, ``--set``) learns from its training fold, no structure of its lists being a negative, and
is asked beside the nearest neighbours and chance. What stands in ``--work`` is not made again. Written: ``ladder.md``
and ``held_out.md`` into ``--output``; with ``--only presets`` the recipes of ``PRESETS`` on the scaffold split as
``presets.md``, with ``--only rankers`` every ranker without a model there as ``rankers.md``, with ``--only vectors``
the nearest neighbours by each ``--vectors`` (``../learned_similarities``) as ``vectors.md``, with ``--only peers``
every protocol on the peers' folds and lists as ``peer_protocols.md``, of ``--model`` if that is given; each with its
figures as JSON beside it.
"""

from __future__ import annotations

import argparse
import copy
import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from plan import (
    BESIDE,
    HELD_OUT,
    MAIN,
    MEASURED,
    PRESETS,
    RANKER_PROTOCOLS,
    RANKERS,
    SHIPPED,
    SPLITS,
    VECTOR_PROTOCOLS,
    asked_slowly,
    preset_protocols,
)

from diptych.files import replacing


def diptych(*arguments: str | Path) -> None:
    """Run a command of Diptych; its output goes on to ours."""
    words = [str(argument) for argument in arguments]
    print(f"$ {shlex.join(['diptych', *words])}", flush=True)
    subprocess.run([sys.executable, "-c", "from diptych.cli.main import run; run()", *words], check=True)


class Benchmark:
    """The frozen benchmarks and the models of one run."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.dataset, self.structures = arguments.dataset, arguments.structures
        self.work, self.preset = arguments.work, arguments.preset
        self.settings: tuple[str, ...] = (f"training.epochs={arguments.epochs}", *arguments.set)
        self.model, self.bootstrap = arguments.model, str(arguments.bootstrap)

    @property
    def recipe(self) -> str:
        """The preset and its epochs, as folders are called."""
        return f"{self.preset}-{dict(text.split('=', 1) for text in self.settings)['training.epochs']}"

    @property
    def method(self) -> str:
        """What is asked, as folders of results are called: the model that is given, or the recipe."""
        return self.recipe if self.model is None else str(Path(self.model).resolve().parent.name)

    def of(self, preset: str, settings: tuple[str, ...]) -> Benchmark:
        """Return the same with another recipe."""
        other = copy.copy(self)
        other.preset, other.settings = preset, settings
        return other

    def frozen(self, name: str, *how: str) -> Path:
        """Return the folder of a benchmark, made if it is not there."""
        folder: Path = self.work / name
        if not (folder / "benchmark.json").is_file():
            diptych(
                *("benchmark", "build", self.dataset, "-o", folder, "--structures", self.structures),
                *("--lists", "formula,mass,measured", "--measured", MEASURED, *how),
            )
        return folder

    def main_split(self) -> Path:
        """Return the folder of the benchmark that most is asked on."""
        return self.frozen(MAIN, "--fold-column", MAIN)

    def trained(self, frozen: Path) -> Path:
        """Return the model of a benchmark's training fold, trained if it is not there."""
        if self.model is not None:
            return Path(self.model)
        run = self.work / "runs" / frozen.name / self.recipe
        if not (run / "result.json").is_file():
            settings = {
                "data.dataset": f'"{self.dataset}"',
                "data.folds": f'"{frozen / "folds.tsv.xz"}"',
                "data.structures": f'"{self.structures}"',
                "data.cache": f'"{self.work / "cache"}"',
                "negatives.withhold": f'["{frozen / "lists_formula.parquet"}"]',
                "validation.fold": '""',
                "training.seed": 0,
            }
            words = (*(f"{key}={value}" for key, value in settings.items()), *self.settings)
            sets = (part for word in words for part in ("--set", word))
            resume = ("--resume",) if (run / "checkpoint").is_dir() else ()
            diptych("train", "--preset", self.preset, *sets, "-o", run, *resume)
        return run / "model"

    def asked(self, frozen: Path, protocol: str, *how: str | Path, instead: str = "") -> Path:
        """Return the folder of the results of a protocol, asked if it is not there; ``instead`` of a model if named."""
        results = self.work / "results" / frozen.name / (instead or self.method) / protocol
        if not any(results.glob("*.json")):
            kind = protocol.removesuffix("-without-prior")
            short = ("--min-list-length", "2") if kind in {"formula", "mass", "measured"} else ()
            asked = () if instead else ("--model", self.trained(frozen))
            diptych(
                *("benchmark", "run", frozen, *asked, "--protocol", kind, *short),
                *(*self.taken(kind, how), *how, "-o", results),
            )
        return results

    def taken(self, protocol: str, how: Sequence[str | Path]) -> list[str | Path]:
        """Return what a protocol, asked like that, takes of the dataset, the structures and the resamples."""
        learns = protocol in {"256-way", "library-search"} or "--ranker" in how or "--vectors" in how
        return [
            *(("--dataset", self.dataset) if learns and protocol not in {"global", "few-shot"} else ()),
            *(("--structures", self.structures) if any("molecule_prior" in str(word) for word in how) else ()),
            *(() if protocol == "library-search" else ("--bootstrap", self.bootstrap)),
        ]

    def rung(self, name: str, *how: str) -> Path:
        """Return the report of the recipe on the formula lists of one split."""
        beside = RANKERS if name == MAIN else BESIDE  # as the protocols ask it
        return self.asked(self.frozen(name, *how), "formula", "--ranker", beside) / "report.json"


def ladder(rungs: Iterable[tuple[str, Path]], output: Path, *, title: str) -> None:
    """Lay reports side by side."""
    diptych("benchmark", "ladder", *(f"{name}={report}" for name, report in rungs), "-o", output)
    table = output.read_text(encoding="utf-8").strip()
    _write(output, f"# {title}\n\n{table}\n\n    python {shlex.join(sys.argv)}\n")


def write_protocols(folders: Sequence[tuple[str, Path]], output: Path, *, title: str) -> None:
    """Write the tables of all protocols into one Markdown file, and their figures into one JSON file."""
    from diptych.evaluation.protocols.tables import table_note

    lines: list[str] = [f"# {title}", ""]
    figures: dict[str, Any] = {}
    for protocol, folder in folders:
        summary = folder / "summary.md"
        lines += [f"## {protocol}", ""]
        if summary.is_file():
            lines += [summary.read_text(encoding="utf-8").strip(), ""]
            figures[protocol] = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        else:
            (file,) = folder.glob("*.json")
            figures[protocol] = json.loads(file.read_text(encoding="utf-8"))
            note = table_note(figures[protocol]["protocol"])
            lines += [*([note, ""] if note else []), *table_of(figures[protocol]["rows"]), ""]
    lines += [f"    python {shlex.join(sys.argv)}", ""]
    _write(output.with_suffix(".md"), "\n".join(lines))
    _write(output.with_suffix(".json"), json.dumps(figures, indent=1) + "\n")


def table_of(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return the lines of the table that the command line prints of a protocol."""
    from diptych.evaluation.protocols.tables import table_lines

    flat = [
        {name: value for name, value in row.items() if name != "metrics"}
        | {metric: found["spectrum"] for metric, found in row.get("metrics", {}).items()}
        | ({"strength": f"{row['strength']:g}"} if "strength" in row else {})
        for row in rows
    ]
    return list(table_lines(flat))


def _write(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_peers(benchmark: Benchmark, arguments: argparse.Namespace) -> None:
    """Ask every protocol on the peers' folds and lists."""
    frozen = benchmark.frozen(
        *("peers", "--fold-table", str(arguments.peers / "folds.tsv.xz")),
        *("--candidates", f"formula={arguments.peers / 'candidates_formula.json.xz'}"),
    )
    protocols = asked_slowly(library=arguments.libraries.get(""))
    folders = [(name, benchmark.asked(frozen, name, *how)) for name, how in protocols]
    write_protocols(folders, arguments.output / "peer_protocols", title="Every protocol on the peer benchmark")


def write_presets(benchmark: Benchmark, arguments: argparse.Namespace) -> None:
    """Train recipes on the scaffold split, and write what the protocols say of each."""
    frozen, folders = benchmark.main_split(), []
    for preset, settings in ((name, PRESETS[name]) for name in arguments.presets.split(",")):
        recipe = benchmark.of(preset, settings)
        folders += [
            (f"{recipe.recipe}: {protocol}", recipe.asked(frozen, protocol, *how))
            for protocol, how in preset_protocols(preset, library=library_of(preset, arguments))
        ]
    title = "Recipes on our own MassBank benchmark, scaffold split"
    write_protocols(folders, arguments.output / "presets", title=title)
    shutil.copy(frozen / "benchmark.json", arguments.output / "benchmark.json")


def library_of(preset: str, arguments: argparse.Namespace) -> Path | None:
    """Return the structures that a preset's model embedded, if there are any."""
    folder: Path | None = arguments.libraries.get(preset)
    return arguments.libraries.get("") if folder is None and preset == SHIPPED else folder


def write_rankers(benchmark: Benchmark, arguments: argparse.Namespace) -> None:
    """Ask every ranker without a model on the scaffold split."""
    frozen = benchmark.main_split()
    folders = [(name, benchmark.asked(frozen, name, *how, instead="rankers")) for name, how in RANKER_PROTOCOLS]
    title = "Rankers without a joint embedding on our own MassBank benchmark, scaffold split"
    write_protocols(folders, arguments.output / "rankers", title=title)


def write_vectors(benchmark: Benchmark, arguments: argparse.Namespace) -> None:
    """Ask the neighbours by vectors that others made on the scaffold split."""
    frozen = benchmark.main_split()
    how = [word for path in arguments.vectors for word in ("--vectors", path)]
    folders = [(name, benchmark.asked(frozen, name, *how, *more, instead="vectors")) for name, more in VECTOR_PROTOCOLS]
    title = "Similarities of spectra by vectors on our own MassBank benchmark, scaffold split"
    write_protocols(folders, arguments.output / "vectors", title=title)


def write_ladder(benchmark: Benchmark, arguments: argparse.Namespace) -> None:
    """Lay the splits side by side."""
    rungs = [(name, benchmark.rung(name, "--fold-column", name)) for name in SPLITS]
    ladder(rungs, arguments.output / "ladder.md", title="The split ladder")


def write_held_out(benchmark: Benchmark, arguments: argparse.Namespace) -> None:
    """Lay side by side what was held out."""
    rungs = [(name, benchmark.rung(name.replace(" ", "-"), "--hold-out", how)) for name, how in HELD_OUT.items()]
    ladder(rungs, arguments.output / "held_out.md", title="One kind of measurement held out")


PARTS: dict[str, Callable[[Benchmark, argparse.Namespace], None]] = {
    "peers": write_peers,
    "presets": write_presets,
    "rankers": write_rankers,
    "vectors": write_vectors,
    "ladder": write_ladder,
    "held-out": write_held_out,
}
DEFAULT_PARTS = ("ladder", "held-out")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("structures", type=Path)
    parser.add_argument("--work", type=Path, default=Path("massbank-benchmark"))
    parser.add_argument("--preset", default="fingerprint-ions")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="of the recipe's training; another --work for others",
    )
    parser.add_argument("--bootstrap", type=int, default=1000)
    parser.add_argument("--output", "-o", type=Path, default=Path(__file__).parent)
    parser.add_argument("--presets", default=",".join(PRESETS), help="of PRESETS, in --only presets")
    parser.add_argument("--peers", type=Path, help="the peer benchmark, for --only peers")
    parser.add_argument(
        "--library",
        action="append",
        default=[],
        metavar="[PRESET=]FOLDER",
        help=f"structures embedded by a preset's model ({SHIPPED} or --model unless named), for global retrieval",
    )
    parser.add_argument("--vectors", type=Path, action="append", default=[], help="archive, for --only vectors")
    parser.add_argument("--model", type=Path, help="asked in place of the recipe; nothing is trained")
    parser.add_argument("--only", choices=PARTS, action="append")
    arguments = parser.parse_args(argv)
    parted = (given.rpartition("=") for given in arguments.library)
    arguments.libraries = {preset: Path(folder) for preset, _, folder in parted}
    if unknown := arguments.libraries.keys() - {"", *PRESETS}:
        parser.error(f"--library {min(unknown)}=...: expected one of the presets {', '.join(PRESETS)}")
    if "peers" in (arguments.only or ()) and arguments.peers is None:
        parser.error("--only peers needs --peers FOLDER, the peer benchmark")
    if "vectors" in (arguments.only or ()) and not arguments.vectors:
        parser.error("--only vectors needs --vectors ARCHIVE, vectors of all spectra")
    benchmark = Benchmark(arguments)
    for part in (part for part in PARTS if part in (arguments.only or DEFAULT_PARTS)):
        PARTS[part](benchmark, arguments)


if __name__ == "__main__":
    main()
