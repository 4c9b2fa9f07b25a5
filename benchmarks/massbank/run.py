"""Our own MassBank benchmark: split ladder, one kind of measurement held out, every protocol, all with one recipe.

    python benchmarks/massbank/run.py massbank-folds.parquet ../shared/data/structures.tsv.xz --work massbank-benchmark
    python benchmarks/massbank/run.py ... --only peers --peers ../shared/data/peer_benchmark --model FOLDER

`massbank-folds.parquet` is what ``diptych dataset split`` makes. For each split a benchmark is frozen, the recipe
(``--preset``, ``--epochs``, ``--set``) learns from its training fold, no structure of its lists being a negative, and
is asked beside the nearest neighbours and chance. What stands in ``--work`` is not made again. Written: ``ladder.md``,
``held_out.md``, ``protocols.md`` and their JSON files into ``--output``; with ``--only presets`` every recipe of
``PRESETS`` on the scaffold split as ``presets.md``, with ``--only rankers`` every ranker without a model there as
``rankers.md``, with ``--only peers`` every protocol on the peers' folds and lists as ``peer_protocols.md``, of
``--model`` if that is given.
"""

from __future__ import annotations

import argparse
import copy
import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from diptych.files import replacing

MAIN = "scaffold"
SPLITS = ("random", "molecule", "scaffold", "similarity", "massspecgym")
HELD_OUT = {
    "TOF instruments": "instrument_class=TOF",
    "negative polarity": "polarity=negative",
    "[M+Na]+": "adduct=[M+Na]+",
    "BAFG, RIKEN, Athens_Univ": "contributor=BAFG,RIKEN,Athens_Univ",
}
MEASURED = "massspecgym_fold,source=report"
BESIDE = "nearest_neighbours_20,random"
RANKERS = (
    "nearest_neighbour,nearest_neighbours_20,spectral_entropy_neighbours_20,fingerprint_likelihood,"
    "bond_disconnection,molecule_prior,random"
)
FUSION = "nearest_neighbours_20+fingerprint_likelihood+bond_disconnection"
EVERY_RANKER = (
    "random,precursor_mass,formula_only,molecule_prior,nearest_molecule,nearest_neighbour,nearest_neighbours_20,"
    "modified_cosine_neighbour,modified_cosine_neighbours_20,spectral_entropy_neighbour,spectral_entropy_neighbours_20,"
    f"fingerprint_cosine,fingerprint_tanimoto,fingerprint_likelihood,spectrum_classifier,bond_disconnection,{FUSION},"
    f"rank:{FUSION}"
)
SOME_RANKERS = (
    "random,precursor_mass,molecule_prior,nearest_molecule,nearest_neighbour,nearest_neighbours_20,"
    f"spectral_entropy_neighbours_20,fingerprint_likelihood,spectrum_classifier,bond_disconnection,{FUSION},rank:{FUSION}"
)
# Asked of the benchmark without a model, each with all it can do.
RANKER_PROTOCOLS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("formula", ("--ranker", EVERY_RANKER)),
    ("mass", ("--ranker", SOME_RANKERS)),
    ("measured", ("--ranker", SOME_RANKERS)),
    ("256-way", ("--ranker", SOME_RANKERS)),
    (
        "library-search",
        ("--ranker", "precursor_mz,binned_cosine,cosine,modified_cosine,spectral_entropy,match_evidence"),
    ),
)
PRESETS: dict[str, tuple[str, ...]] = {
    # Nothing is validated here: the weight of the second look is that of the README's model.
    "fragment-interaction": ("training.epochs=30", 'validation.calibration_from="runs/peer-benchmark/model"'),
    "fingerprint-ions": ("training.epochs=10", "training.batch_size=256"),
    "jestr": ("training.epochs=60",),
    "specembedding": (
        "training.epochs=12",
        "model.spectrum.hidden_dim=128",
        "model.spectrum.n_heads=4",
        "model.spectrum.n_layers=3",
    ),
}
PRESET_PROTOCOLS = ("formula", "mass", "measured", "256-way", "few-shot", "library-search")
SPECTRA_ALONE = ("specembedding",)  # their structure towers learn nothing
PROTOCOLS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("formula", ("--ranker", RANKERS)),
    ("mass", ("--ranker", f"{BESIDE},precursor_mass")),
    ("measured", ("--ranker", BESIDE)),
    ("measured-without-prior", ("--prior", "0", "--ranker", BESIDE)),
    ("256-way", ("--ranker", f"{BESIDE},precursor_mass")),
    ("few-shot", ()),
    ("library-search", ()),
    ("answer-absent", ("--ranker", "nearest_neighbours_20", "--min-list-length", "2")),
    ("robustness", ("--min-list-length", "2")),
)


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

    def asked(self, frozen: Path, protocol: str, *how: str | Path, model: bool = True) -> Path:
        """Return the folder of the results of a protocol, asked if it is not there; without ``model`` of rankers."""
        results = self.work / "results" / frozen.name / (self.method if model else "rankers") / protocol
        if not any(results.glob("*.json")):
            kind = protocol.removesuffix("-without-prior")
            short = ("--min-list-length", "2") if kind in {"formula", "mass", "measured"} else ()
            asked = ("--model", self.trained(frozen)) if model else ()
            diptych(
                *("benchmark", "run", frozen, *asked, "--protocol", kind, *short),
                *("--dataset", self.dataset, "--structures", self.structures, "--bootstrap", self.bootstrap),
                *(*how, "-o", results),
            )
        return results

    def rung(self, name: str, *how: str) -> Path:
        """Return the report of the recipe on the formula lists of one split."""
        beside = RANKERS if name == MAIN else BESIDE  # as the protocols ask it
        return self.asked(self.frozen(name, *how), "formula", "--ranker", beside) / "report.json"


def ladder(rungs: Iterable[tuple[str, Path]], output: Path) -> None:
    """Lay reports side by side."""
    diptych("benchmark", "ladder", *(f"{name}={report}" for name, report in rungs), "-o", output)


def write_protocols(folders: Sequence[tuple[str, Path]], output: Path, *, title: str) -> None:
    """Write the tables of all protocols into one Markdown file, and their figures into one JSON file."""
    lines: list[str] = [f"# {title}", ""]
    figures: dict[str, Any] = {}
    for protocol, folder in folders:
        summary = folder / "summary.md"
        lines += [f"## {protocol}", ""]
        if summary.is_file():
            lines += [summary.read_text(encoding="utf-8").strip(), ""]
        else:
            (file,) = folder.glob("*.json")
            rows = json.loads(file.read_text(encoding="utf-8"))["rows"]
            lines += [*table_of(rows), ""]
            figures[protocol] = rows
    lines += [f"    python {shlex.join(sys.argv)}", ""]
    _write(output.with_suffix(".md"), "\n".join(lines))
    _write(output.with_suffix(".json"), json.dumps(figures, indent=1) + "\n")


def write_presets(benchmark: Benchmark, output: Path, *, names: Sequence[str]) -> None:
    """Train recipes on the scaffold split, and write what the protocols say of each."""
    frozen, folders = benchmark.frozen(MAIN, "--fold-column", MAIN), []
    for preset, settings in ((name, PRESETS[name]) for name in names):
        recipe = benchmark.of(preset, settings)
        for protocol in ("few-shot", "library-search") if preset in SPECTRA_ALONE else PRESET_PROTOCOLS:
            folders.append((f"{recipe.recipe}: {protocol}", recipe.asked(frozen, protocol, *dict(PROTOCOLS)[protocol])))
    write_protocols(folders, output / "presets", title="Recipes on our own MassBank benchmark, scaffold split")


def table_of(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return the lines of the table that the command line prints of a protocol."""
    from diptych.evaluation.protocols import table_lines

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
    parser.add_argument("--presets", default=",".join(PRESETS), help="of PRESETS, for --only presets")
    parser.add_argument("--peers", type=Path, help="the peer benchmark, for --only peers")
    parser.add_argument(
        "--library", type=Path, help="structures embedded by --model, for global retrieval of --only peers"
    )
    parser.add_argument("--model", type=Path, help="asked in place of the recipe; nothing is trained")
    parts = ("ladder", "held-out", "protocols", "presets", "rankers", "peers")
    parser.add_argument("--only", choices=parts, action="append")
    arguments = parser.parse_args(argv)
    if "peers" in (arguments.only or ()) and arguments.peers is None:
        parser.error("--only peers needs --peers FOLDER, the peer benchmark")
    benchmark, wanted = Benchmark(arguments), arguments.only or ("ladder", "held-out", "protocols")
    if "peers" in wanted:
        frozen = benchmark.frozen(
            *("peers", "--fold-table", str(arguments.peers / "folds.tsv.xz")),
            *("--candidates", f"formula={arguments.peers / 'candidates_formula.json.xz'}"),
        )
        # The second look takes a minute for all of them, and is asked thirty-four times.
        fewer = tuple((name, (*how, "--sample", "2000") if name == "robustness" else how) for name, how in PROTOCOLS)
        library = (("global", ("--library", arguments.library)),) if arguments.library else ()
        folders = [(name, benchmark.asked(frozen, name, *how)) for name, how in (*fewer, *library)]
        write_protocols(folders, arguments.output / "peer_protocols", title="Every protocol on the peer benchmark")
    if "presets" in wanted:
        write_presets(benchmark, arguments.output, names=arguments.presets.split(","))
    if "rankers" in wanted:
        frozen = benchmark.frozen(MAIN, "--fold-column", MAIN)
        folders = [(name, benchmark.asked(frozen, name, *how, model=False)) for name, how in RANKER_PROTOCOLS]
        title = "Rankers without a joint embedding on our own MassBank benchmark, scaffold split"
        write_protocols(folders, arguments.output / "rankers", title=title)
    if "protocols" in wanted:
        frozen = benchmark.frozen(MAIN, "--fold-column", MAIN)
        folders = [(name, benchmark.asked(frozen, name, *how)) for name, how in PROTOCOLS]
        title = "Every protocol on our own MassBank benchmark, scaffold split"
        write_protocols(folders, arguments.output / "protocols", title=title)
        shutil.copy(frozen / "benchmark.json", arguments.output / "benchmark.json")
    if "ladder" in wanted:
        rungs = [(name, benchmark.rung(name, "--fold-column", name)) for name in SPLITS]
        ladder(rungs, arguments.output / "ladder.md")
    if "held-out" in wanted:
        rungs = [(name, benchmark.rung(name.replace(" ", "-"), "--hold-out", how)) for name, how in HELD_OUT.items()]
        ladder(rungs, arguments.output / "held_out.md")


if __name__ == "__main__":
    main()
