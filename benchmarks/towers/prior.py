"""How much of a model's prior to keep: hit rate@1 and MRR of a fold by the share that is kept.

    python benchmarks/towers/prior.py --dataset massbank.parquet --model runs/peer-benchmark/model --kind measured

The second look does not depend on the prior where it sees the whole list: it is taken once. The test fold is not asked.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from diptych.embedding import JointEmbedding
from diptych.ranking import rank_against_ties
from diptych.retrieval.rankers import EmbeddingRanker
from diptych.retrieval.reranking import ReRankingRanker, model_ranker

sys.path.insert(0, str(Path(__file__).resolve().parent))
from measures import Measures
from questions import Material

SHARES = (1.0, 0.7, 0.5, 0.3, 0.0)


def main() -> None:
    """Print one line for each share."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--kind", choices=("formula", "measured"), default="measured")
    parser.add_argument("--benchmark", type=Path, default=Path("../shared/data/peer_benchmark"))
    parser.add_argument("--structures", type=Path, default=Path("../shared/data/structures.tsv.xz"))
    parser.add_argument("--cache", type=Path, default=Path(".cache/towers"))
    asked = parser.parse_args()
    material = Material.read(asked.dataset, benchmark=asked.benchmark, structures=asked.structures, fold="val")
    measures = Measures(JointEmbedding.load(asked.model), material, cache=asked.cache, n_bootstrap=0)
    queries = [q for q in measures._asked.queries[asked.kind] if len(q.candidates.structures) > 1]
    ranker = model_ranker(measures._prepared)
    looked = ranker.both_scores(queries) if isinstance(ranker, ReRankingRanker) else None
    for share in SHARES:
        scores = EmbeddingRanker(measures._prepared, prior=share).score(queries)
        if looked is not None and isinstance(ranker, ReRankingRanker):
            scores = [ranker.settings.mixed(c, late) for c, (_, late) in zip(scores, looked, strict=True)]
        places = [query.candidates.positions[query.target] for query in queries]
        ranks = np.array([rank_against_ties(s, place) for s, place in zip(scores, places, strict=True)])
        first, reciprocal = 100 * np.mean(ranks <= 1), 100 * np.mean(1 / ranks)
        print(f"prior {share}: {len(ranks)} queries, @1 {first:.1f}, MRR {reciprocal:.1f}")


if __name__ == "__main__":
    main()
