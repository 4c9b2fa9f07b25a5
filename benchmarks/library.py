"""Measures a structure library: building it, its size, its search, and whether search equals brute force.

    python benchmarks/library.py ../shared/data/structures.tsv.xz library/ [--model NAME|DIR]

An existing library in the folder is measured without being built again.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from diptych.embedding import JointEmbedding
from diptych.retrieval import Hits, StructureLibrary, build_library

PPM = 10.0
TOP = 10
N_WINDOWED = 2000
N_EVERYTHING = 100
N_CHECKED = 200


@dataclass
class Memory:
    """Peak of the resident sizes of this process and its workers, added up; what they share is counted for each."""

    peak: int = 0


@contextmanager
def memory_watched() -> Iterator[Memory]:
    """Yield the memory that is used inside the block, sampled five times a second."""
    memory, process, is_over = Memory(), psutil.Process(), threading.Event()

    def watch() -> None:
        while not is_over.wait(0.2):
            total = 0
            for one in (process, *process.children(recursive=True)):
                try:
                    total += one.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
            memory.peak = max(memory.peak, total)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield memory
    finally:
        is_over.set()
        thread.join()


def build(source: Path, folder: Path, model: JointEmbedding, workers: int | None) -> None:
    """Build the library and print the time and memory that it took."""
    start = time.perf_counter()
    with memory_watched() as memory:
        description = build_library(source, folder, model=model, workers=workers)
    seconds = time.perf_counter() - start
    print(f"| rows read | {description.n_rows:,} |")
    print(f"| structures | {description.n_structures:,} |")
    print(f"| duplicates merged | {description.n_duplicates:,} |")
    print(f"| rows that failed | {description.n_failures:,} |")
    print(f"| build | {seconds:.0f} s ({description.n_rows / seconds:,.0f} rows/s) |")
    print(f"| peak memory, all processes | {memory.peak / 2**30:.2f} GiB |")


def queries(library: StructureLibrary, n: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return unit vectors near those of random structures, and these structures' masses."""
    generator = np.random.default_rng(0)
    rows = generator.integers(len(library), size=n)
    vectors = library.embeddings[rows].astype(np.float32)
    vectors += generator.normal(scale=0.05, size=vectors.shape).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), library.exact_mass[rows]


def brute_force(library: StructureLibrary, vector: NDArray[np.float32], inside: NDArray[np.bool_]) -> Hits:
    """Return the best of the rows of a mask: every row scored, all of them sorted."""
    rows = np.flatnonzero(inside)
    parts = np.array_split(rows, max(1, rows.size // 50_000))
    scores = np.concatenate([np.einsum("ij,j->i", library.embeddings[p].astype(np.float32), vector) for p in parts])
    order = np.lexsort((rows, -scores))[:TOP]
    return Hits(rows=rows[order], scores=scores[order])


def count_equal(found: list[Hits], expected: list[Hits]) -> str:
    """Return how many of the answers have the same rows and the same scores to the last bit."""
    pairs = zip(found, expected, strict=True)
    n_equal = sum(np.array_equal(a.rows, b.rows) and np.array_equal(a.scores, b.scores) for a, b in pairs)
    return f"{n_equal} of {len(expected)}"


def percentiles(seconds: list[float]) -> str:
    """Return the median, 95th and 99th percentile in milliseconds."""
    return " / ".join(f"{value * 1e3:.3f}" for value in np.percentile(seconds, [50, 95, 99]))


def measure_windowed(library: StructureLibrary) -> None:
    """Print the latency of searches in a mass window and their equality with brute force."""
    vectors, masses = queries(library, N_WINDOWED)
    half_widths = masses * PPM * 1e-6
    seconds, hits, sizes = [], [], []
    for _warm_up_then_measured in range(2):
        seconds.clear()
        hits.clear()
        for vector, mass, half_width in zip(vectors, masses, half_widths, strict=True):
            start = time.perf_counter()
            hits.append(library.search(vector, neutral_mass=mass, half_width_da=half_width, top=TOP))
            seconds.append(time.perf_counter() - start)
    for mass, half_width in zip(masses, half_widths, strict=True):
        window = library.window(mass, half_width)
        sizes.append(window.stop - window.start)
    expected = [
        brute_force(library, vector, np.abs(library.exact_mass - mass) <= half_width)
        for vector, mass, half_width in zip(vectors[:N_CHECKED], masses, half_widths, strict=False)
    ]
    print(f"| search within {PPM:g} ppm, ms (p50 / p95 / p99) | {percentiles(seconds)} |")
    print(f"| structures in the window (median / largest) | {int(np.median(sizes))} / {max(sizes)} |")
    print(f"| windowed answers equal to brute force | {count_equal(hits[:N_CHECKED], expected)} |")
    start = time.perf_counter()
    for answer in hits:
        library.structures(answer.rows)
    print(f"| structures of {TOP} hits, ms (mean) | {(time.perf_counter() - start) / len(hits) * 1e3:.3f} |")


def measure_everything(library: StructureLibrary) -> None:
    """Print the latency of searches over all structures and their equality with brute force."""
    vectors, _ = queries(library, N_EVERYTHING)
    seconds, hits = [], []
    for vector in vectors:
        start = time.perf_counter()
        hits.append(library.search(vector, top=TOP))
        seconds.append(time.perf_counter() - start)
    start = time.perf_counter()
    together = library.search_many(vectors, top=TOP)
    batch = time.perf_counter() - start
    everything = np.ones(len(library), dtype=bool)
    expected = [brute_force(library, vector, everything) for vector in vectors[:20]]
    print(f"| search over everything, ms (p50 / p95 / p99) | {percentiles(seconds)} |")
    print(f"| {N_EVERYTHING} such searches together, ms each | {batch / N_EVERYTHING * 1e3:.1f} |")
    print(f"| such answers equal to brute force | {count_equal(hits[:20], expected)} |")
    print(f"| answers together equal to answers alone | {count_equal(together, hits)} |")


def main() -> None:
    """Build where there is no library yet, then measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--workers", type=int)
    arguments = parser.parse_args()
    model = JointEmbedding.load(arguments.model)
    print("| what | figure |\n|---|---|")
    if not arguments.folder.exists():
        build(arguments.source, arguments.folder, model, arguments.workers)
    start = time.perf_counter()
    library = StructureLibrary.load(arguments.folder, model=model)
    print(f"| opening the library | {(time.perf_counter() - start) * 1e3:.1f} ms |")
    size = sum(path.stat().st_size for path in arguments.folder.iterdir())
    print(f"| size on disk | {size / 1e6:.0f} MB |")
    with memory_watched() as memory:
        measure_windowed(library)
        measure_everything(library)
    print(f"| peak memory while searching | {memory.peak / 2**30:.2f} GiB |")


if __name__ == "__main__":
    main()
