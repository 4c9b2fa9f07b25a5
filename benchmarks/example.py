"""How often the right structure stands first for the shipped example; the model never saw its molecules.

python benchmarks/example.py
"""

from __future__ import annotations

from diptych import JointEmbedding, annotate, read_spectra
from diptych.annotation.shipped import shipped_example, shipped_library


def main() -> None:
    """Annotate the example and compare with what its records say."""
    model = JointEmbedding.load()
    answers = {spectrum.identifier: spectrum.metadata["inchikey"][:14] for spectrum in read_spectra(shipped_example())}
    ranks, chance = [], 0.0
    for annotation in annotate(shipped_example(), shipped_library(model), model=model):
        wanted = answers[annotation.identifiers[0]]
        ranks += [c.rank for c in annotation.candidates if c.structure.inchikey_first_block == wanted]
        chance += 1 / max(1, annotation.n_candidates)
    found = ", ".join(f"{sum(rank <= k for rank in ranks)} within {k}" for k in (1, 3, 10))
    print(f"{len(answers)} spectra: {found}; picking at random puts {chance:.1f} first")


if __name__ == "__main__":
    main()
