"""Measure ``diptych annotate``: spectra per second end to end, by stage, and memory against the number of spectra.

Real spectra of any file that Diptych reads are written to MGF files of growing size, and annotated by the command as a
user would run it. Run from the repository root::

    python benchmarks/annotate.py ../shared/data/massbank-2025.05.1.tar.xz
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import torch

from diptych import JointEmbedding, Spectrum, StructureLibrary, annotate, read_spectra
from diptych.annotation import Provenance, shipped_library, writing
from diptych.annotation.questions import Asking, Question
from diptych.spectra.write import write_mgf


class Measurement(NamedTuple):
    """One run of the command."""

    n_spectra: int
    spectra_per_second: float
    wall_seconds: float
    processor_seconds: float
    peak_mb: float
    summary: str


def main() -> None:
    """Print the tables of ``benchmarks/annotate.md``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spectra", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[5_000, 20_000, 60_000])
    parser.add_argument("--model", help="default: the shipped one")
    parser.add_argument("--library", type=Path, help="default: the shipped structures")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # as the command does
    model = JointEmbedding.load(arguments.model)
    library = StructureLibrary.load(arguments.library) if arguments.library else shipped_library(model, workers=None)
    print(f"model {model.name}, library of {len(library):,} structures, {os.cpu_count()} processors\n")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = [sample(arguments.spectra, size, folder / f"{size}.mgf") for size in arguments.sizes]
        print("| spectra | spectra/s | whole command, s | of it processor time, s | peak memory, MB |")
        print("|---|---|---|---|---|")
        for path in files:
            run = measure(path, model=arguments.model, library=library.folder, results=folder / "results")
            seconds = f"{run.wall_seconds:.1f} | {run.processor_seconds:.1f}"
            print(f"| {run.n_spectra:,} | {run.spectra_per_second:,.0f} | {seconds} | {run.peak_mb:,.0f} |", flush=True)
        print(f"\n{run.summary}\n")
        print("| stage | processor time, microseconds per spectrum |\n|---|---|")
        for stage, microseconds in stages(files[0], model, library, folder / "results"):
            print(f"| {stage} | {microseconds:,.0f} |")


def sample(source: Path, size: int, path: Path) -> Path:
    """Write the first spectra of a file that can be asked about; begin again at its start if it has fewer."""
    asking = Asking(ppm=10.0)

    def askable() -> Iterator[Spectrum]:
        while True:
            for spectrum in read_spectra(source, on_problem=lambda error: None):
                if isinstance(asking.ask(spectrum), Question):
                    yield spectrum

    write_mgf(islice(askable(), size), path)
    return path


def measure(path: Path, *, model: str | None, library: Path, results: Path) -> Measurement:
    """Run the command in a process of its own."""
    code = "from diptych.cli.main import run; run()"
    command = [sys.executable, "-c", code, "annotate", path, "--library", library, "-o", results]
    start = time.perf_counter()
    command += ["--model", model] if model else []
    process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True)
    output = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"the command failed: {output}")
    found = re.search(r"^annotated .*, ([\d,]+) spectra/s$", output, flags=re.MULTILINE)
    if found is None:
        raise SystemExit(f"no summary in: {output}")
    return Measurement(
        n_spectra=int(path.stem),
        spectra_per_second=float(found[1].replace(",", "")),
        wall_seconds=time.perf_counter() - start,
        processor_seconds=usage.ru_utime + usage.ru_stime,
        peak_mb=usage.ru_maxrss / 1024,
        summary=output[found.start() :].strip(),
    )


def stages(path: Path, model: JointEmbedding, library: StructureLibrary, results: Path) -> Iterator[tuple[str, float]]:
    """Yield what each stage costs by itself."""
    spectra: list[Spectrum] = []
    yield "read MGF", timed(lambda: spectra.extend(read_spectra(path)), n=int(path.stem))
    yield "embed", timed(lambda: model.encode_spectra(spectra, batch_size=512), n=len(spectra))
    answers = []
    yield "embed and rank", timed(lambda: answers.extend(annotate(spectra, library, model=model)), n=len(spectra))

    def write() -> None:
        with writing(results, provenance=Provenance.of(model, library, ppm=10.0, top=10)) as out:
            for answer in answers:
                out.write(answer)

    yield "write TSV and JSON", timed(write, n=len(spectra))


def timed(work: Callable[[], object], *, n: int) -> float:
    """Return the microseconds of processor time that a piece of work takes, divided by a number of spectra."""
    start = time.process_time()
    work()
    return (time.process_time() - start) / n * 1e6


if __name__ == "__main__":
    main()
