"""How often the right structure stands first for the shipped example; the model never saw its molecules.

python benchmarks/example.py
"""

from __future__ import annotations

import time

from diptych import JointEmbedding, annotate, read_spectra
from diptych.annotation.shipped import shipped_example, shipped_library


def main() -> None:
    """Annotate the example and compare with what its records say."""
    model = JointEmbedding.load()
    answers = {spectrum.identifier: spectrum.metadata["inchikey"][:14] for spectrum in read_spectra(shipped_example())}
    library = shipped_library(model)
    for rerank in (0, 50):
        ranks, chance, started = [], 0.0, time.perf_counter()
        for annotation in annotate(shipped_example(), library, model=model, rerank=rerank):
            wanted = answers[annotation.identifiers[0]]
            ranks += [c.rank for c in annotation.candidates if c.structure.inchikey_first_block == wanted]
            chance += 1 / max(1, annotation.n_candidates)
        found = ", ".join(f"{sum(rank <= k for rank in ranks)} within {k}" for k in (1, 3, 10))
        print(f"--rerank {rerank}: {len(answers)} spectra: {found}; at random {chance:.1f} would stand first", end="; ")
        print(f"{time.perf_counter() - started:.1f} s")


if __name__ == "__main__":
    main()
