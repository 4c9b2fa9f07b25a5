"""Time figures of merit and tests of saved results: 10,000 queries, 10,000 resamples.

    python benchmarks/result_statistics.py -o benchmarks/result_statistics

writes ``result_statistics.json`` and ``.md``. Results are drawn at random by a fixed seed.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from diptych.evaluation.results.query_results import QueryResults
from diptych.evaluation.statistics.comparison_table import compare
from diptych.evaluation.statistics.figures_of_merit import figures_of_merit
from diptych.evaluation.statistics.list_length import by_list_length

N_QUERIES, N_BOOTSTRAP = 10_000, 10_000


def drawn(n_molecules: int, *, seed: int) -> QueryResults:
    """Return results whose ranks and list lengths are drawn at random."""
    generator = np.random.default_rng(seed)
    lengths = np.random.default_rng(0).integers(2, 257, size=N_QUERIES)
    owner = np.random.default_rng(1).permutation(np.arange(N_QUERIES) % n_molecules)
    scores = np.zeros(N_QUERIES)
    return QueryResults(
        queries=tuple(f"Q{i}" for i in range(N_QUERIES)),
        targets=tuple(f"M{i}" for i in owner),
        ranks=np.ceil(generator.random(N_QUERIES) ** 2 * lengths).clip(1),
        n_candidates=lengths,
        target_scores=scores,
        best_scores=scores,
        best=("",) * N_QUERIES,
        numbers={"tanimoto": generator.random(N_QUERIES)},
    )


def seconds(action: Callable[[], object]) -> float:
    """Return how long something takes."""
    start = time.perf_counter()
    action()
    return round(time.perf_counter() - start, 2)


def measured(n_molecules: int) -> dict[str, float]:
    """Return the time of every step for results of so many molecules."""
    first, second, third = (drawn(n_molecules, seed=seed) for seed in range(3))
    methods = {"first": first, "second": second, "third": third}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "results.ranks.tsv"
        return {
            "write the table": seconds(lambda: first.write(path)),
            "read the table": seconds(lambda: QueryResults.read(path)),
            "all figures of merit, BCa intervals": seconds(lambda: figures_of_merit(first, n_bootstrap=N_BOOTSTRAP)),
            "two methods against a third": seconds(lambda: compare(methods, against="first", n_bootstrap=N_BOOTSTRAP)),
            "hit rate by list length": seconds(lambda: by_list_length(first, n_bootstrap=N_BOOTSTRAP)),
        }


def main() -> None:
    """Write the measured times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=Path("result_statistics"))
    output = parser.parse_args().output
    measured(100)  # compiles what is compiled when it is first called
    found = {str(n_molecules): measured(n_molecules) for n_molecules in (3_000, 10_000)}
    output.with_suffix(".json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    rows = [
        f"| {step} | " + " | ".join(f"{times[step]:.2f}" for times in found.values()) + " |" for step in found["3000"]
    ]
    text = [
        "# Statistics of saved results",
        f"Seconds for {N_QUERIES:,} queries and {N_BOOTSTRAP:,} resamples of their molecules, one process, by "
        "`python benchmarks/result_statistics.py -o benchmarks/result_statistics`.",
        "\n".join(["| step | 3,000 molecules | 10,000 molecules |", "| --- | --- | --- |", *rows]),
    ]
    output.with_suffix(".md").write_text("\n\n".join(text) + "\n", encoding="utf-8")
    print("\n\n".join(text))


if __name__ == "__main__":
    main()
