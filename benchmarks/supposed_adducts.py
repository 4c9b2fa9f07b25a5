"""What a stated adduct is worth, and how the likely ones weigh where none is stated.

    python benchmarks/supposed_adducts.py ../shared/data/massbank-2025.05.1.tar.xz -o benchmarks/supposed_adducts.md

Asked: spectra of MassBank that state [M+H]+ or [M-H]- and a high-resolution instrument, of molecules that the shipped
model was not trained on and whose structure is in the shipped library, at most three of a molecule. Each is asked with
its adduct, without it, and without it with all supposed adducts alike. As all are of the commonest ions, the weights
can only help here: of sodium adducts some would be lost.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diptych.annotation import Annotation, annotate, search, shipped_library
from diptych.data.instruments import instrument_class
from diptych.embedding import JointEmbedding
from diptych.encoders.model_folder import model_folder
from diptych.evaluation.audit.overlap import read_first_blocks
from diptych.files import replacing
from diptych.retrieval.spectral_library import molecule_of
from diptych.spectra import Spectrum, read_spectra

IONS = ("[M+H]+", "[M-H]-")
AT_MOST = 3
BINS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


def asked_spectra(path: Path, *, trained_on: frozenset[str], known: frozenset[str]) -> list[tuple[str, Spectrum]]:
    """Return first block and spectrum of whatever is asked, by molecule."""
    found: dict[str, list[Spectrum]] = defaultdict(list)
    for spectrum in read_spectra(path, on_problem=lambda _: None):
        kind = instrument_class(spectrum.instrument_type, spectrum.metadata.get("instrument"))
        is_ion = spectrum.adduct is not None and spectrum.adduct.name in IONS
        if is_ion and kind.is_high_resolution and spectrum.metadata.get("ms_level", "2") == "2":
            block = molecule_of(spectrum)
            if block in known and block not in trained_on:
                found[block].append(spectrum)
    rng = np.random.default_rng(0)
    return [
        (block, found[block][row])
        for block in sorted(found)
        for row in sorted(rng.permutation(len(found[block]))[:AT_MOST])
    ]


def interval(right: NDArray[np.bool_], targets: Sequence[str]) -> tuple[float, float]:
    """Return the 95 % percentile interval of a share over 2,000 resamples of molecules."""
    molecules = np.unique(np.asarray(targets), return_inverse=True)[1]
    sizes, hits = np.bincount(molecules), np.bincount(molecules, weights=right)
    drawn = np.random.default_rng(0).integers(len(sizes), size=(2000, len(sizes)))
    low, high = np.quantile(hits[drawn].sum(axis=1) / sizes[drawn].sum(axis=1), [0.025, 0.975])
    return float(low), float(high)


def row(name: str, targets: Sequence[str], answers: Sequence[Annotation]) -> str:
    """Return a line of the table: how often the first is right, and how often where so much was promised."""
    first = [answer.candidates[0] if answer.candidates else None for answer in answers]
    right = np.array(
        [c is not None and c.structure.inchikey_first_block == t for c, t in zip(first, targets, strict=True)]
    )
    low, high = interval(right, targets)
    promised = np.array([np.nan if c is None or c.probability is None else c.probability for c in first])
    cells = []
    for start, stop in pairwise(BINS):
        chosen = (promised >= start) & ((promised < stop) | (stop == 1.0) & (promised == 1.0))
        cells.append(f"{100 * right[chosen].mean():.0f} % of {chosen.sum():,}" if chosen.any() else "-")
    shown = f"{100 * right.mean():.1f} ({100 * low:.1f} to {100 * high:.1f})"
    return f"| {name} | {shown} | {' | '.join(cells)} |"


def main() -> None:
    """Ask three times and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spectra", type=Path)
    parser.add_argument("--output", "-o", type=Path, required=True)
    arguments = parser.parse_args()
    model = JointEmbedding.load()
    library = shipped_library(model)
    known = frozenset(structure.inchikey_first_block for structure in library.structures(range(len(library))))
    trained_on = frozenset(read_first_blocks(model_folder(None) / "training_first_blocks.txt"))
    pairs = asked_spectra(arguments.spectra, trained_on=trained_on, known=known)
    targets = [block for block, _ in pairs]
    stated = [spectrum for _, spectrum in pairs]
    unstated = [
        s.with_changes(adduct=None, charge=0, metadata={**s.metadata, "ionmode": s.polarity or ""}) for s in stated
    ]
    rows = [row("stated", targets, list(annotate(stated, library, model=model)))]
    rows.append(row("supposed", targets, list(annotate(unstated, library, model=model))))
    search.adduct_weight = lambda _: 1.0
    rows.append(row("supposed, all alike", targets, list(annotate(unstated, library, model=model))))
    bins = (f"right where {a:.1f} to {b:.1f} was promised" for a, b in pairwise(BINS))
    lines = [
        "# The adduct: stated, supposed, and supposed with all alike",
        "",
        f"{len(stated):,} spectra of {len(set(targets)):,} molecules new to the shipped model, their structures among "
        f"the {len(library):,} of the shipped library: how often the first by cosine is right, in %, with the 95 % "
        "interval over molecules.",
        "",
        f"| adduct | right | {' | '.join(bins)} |",
        "|---" * (len(BINS) + 1) + "|",
        *rows,
        "",
        f"    python {shlex.join(sys.argv)}",
        "",
    ]
    with replacing(arguments.output) as temporary:
        temporary.write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
