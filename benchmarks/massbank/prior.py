"""Against which candidates the prior helps: the answer before some of the wrong candidates of its list.

    python benchmarks/massbank/prior.py massbank-folds.parquet --work massbank-benchmark

Asks what ``run.py --only presets`` has left in ``--work``; no model is asked.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from diptych.data.tables import read_columns

Scored = dict[str, tuple[str, dict[str, float]]]


def read_scores(path: Path) -> Scored:
    """Return query -> its answer, and the score of every candidate."""
    table = pq.read_table(path, columns=["query", "target_position", "first_block", "score"]).to_pydict()
    rows = zip(*table.values(), strict=True)
    return {
        query: (blocks[at], dict(zip(blocks, scores, strict=True))) for query, at, blocks, scores in rows if at >= 0
    }


def first_among(scored: Scored, wanted: Callable[[str, str], bool]) -> tuple[int, float, float]:
    """Return the queries that have such wrong candidates, and in % how often the answer stands first, and chance."""
    hits, chances = [], []
    for answer, scores in scored.values():
        others = [score for block, score in scores.items() if block != answer and wanted(block, answer)]
        if others:
            hits.append(max(others) < scores[answer])
            chances.append(1 / (1 + len(others)))
    return len(hits), 100 * float(np.mean(hits)), 100 * float(np.mean(chances))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--work", type=Path, default=Path("massbank-benchmark"))
    parser.add_argument("--preset", default="fragment-interaction-30", help="as the folder of its results is called")
    asked = parser.parse_args()
    frozen, results = asked.work / "scaffold", asked.work / "results" / "scaffold" / asked.preset
    lists = pq.read_table(frozen / "lists_measured.parquet", columns=["inchikey", "formula"]).to_pydict()
    formula = {key[:14]: text for key, text in zip(lists["inchikey"], lists["formula"], strict=True)}
    fold = dict(read_columns(frozen / "folds.tsv.xz", ("accession", "fold")))
    table = pq.read_table(asked.dataset, columns=["identifier", "inchikey_first_block"]).to_pydict()
    trained = {b for i, b in zip(*table.values(), strict=True) if fold.get(i) == "train"}
    kinds: dict[str, Callable[[str, str], bool]] = {
        "all of the list": lambda other, answer: True,
        "same formula": lambda other, answer: formula[other] == formula[answer],
        "same formula, trained on": lambda other, answer: formula[other] == formula[answer] and other in trained,
        "same formula, not trained on": lambda other, answer: (
            formula[other] == formula[answer] and other not in trained
        ),
        "other formulas": lambda other, answer: formula[other] != formula[answer],
    }
    kept, left_out = (
        read_scores(results / name / "report.scores.parquet") for name in ("measured", "measured-without-prior")
    )
    print("| wrong candidates | spectra | chance | with the prior | without |\n|---|---|---|---|---|")
    for name, wanted in kinds.items():
        n, hit, chance = first_among(kept, wanted)
        print(f"| {name} | {n:,} | {chance:.1f} | {hit:.1f} | {first_among(left_out, wanted)[1]:.1f} |")


if __name__ == "__main__":
    main()
