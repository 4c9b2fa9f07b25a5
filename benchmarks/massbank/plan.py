"""What is asked of our own MassBank benchmark: splits, recipes, rankers, and the words of each command."""

from __future__ import annotations

from pathlib import Path

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
VECTOR_PROTOCOLS: tuple[tuple[str, tuple[str, ...]], ...] = (
    *((name, ("--ranker", BESIDE)) for name in ("formula", "mass", "measured", "256-way")),
    ("few-shot", ()),
    ("library-search", ("--ranker", "precursor_mz,spectral_entropy")),
)
PRESETS: dict[str, tuple[str, ...]] = {
    # Nothing is validated here: the weight of the second look is that of the README's model.
    "fragment-interaction": ("training.epochs=30", 'validation.calibration_from="runs/peer-benchmark/model"'),
    "jestr": ("training.epochs=60",),
    "specembedding": (
        "training.epochs=12",
        "model.spectrum.hidden_dim=128",
        "model.spectrum.n_heads=4",
        "model.spectrum.n_layers=3",
    ),
}
PRESET_PROTOCOLS = (
    "formula",
    "mass",
    "measured",
    "256-way",
    "few-shot",
    "library-search",
    "answer-absent",
    "robustness",
    "global",
)
SHIPPED = "fragment-interaction"
SPECTRA_ALONE = ("specembedding",)  # their structure towers learn nothing
PROTOCOLS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("formula", ("--ranker", RANKERS)),
    ("mass", ("--ranker", f"{RANKERS},precursor_mass")),
    ("measured", ("--ranker", RANKERS)),
    ("measured-without-prior", ("--prior", "0", "--ranker", BESIDE)),
    ("256-way", ("--ranker", f"{BESIDE},precursor_mass")),
    ("few-shot", ()),
    ("library-search", ("--ranker", "precursor_mz,binned_cosine,spectral_entropy,match_evidence")),
    ("answer-absent", ("--ranker", BESIDE, "--min-list-length", "2")),
    ("robustness", ("--min-list-length", "2")),
)


def preset_protocols(preset: str, *, library: Path | None) -> list[tuple[str, tuple[str | Path, ...]]]:
    """Return what a recipe is asked: all protocols the shipped one, that of spectra alone what spectra can answer."""
    if preset == SHIPPED:
        return asked_slowly(library=library)
    names = ("few-shot", "library-search") if preset in SPECTRA_ALONE else PRESET_PROTOCOLS
    return [(name, how) for name, how in asked_slowly(library=library) if name in names]


def asked_slowly(*, library: Path | None) -> list[tuple[str, tuple[str | Path, ...]]]:
    """Return every protocol as it is asked of slow models, global retrieval if there is a library."""
    # The second look takes a minute for all of them, and is asked thirty-four times.
    fewer = [(name, (*how, "--sample", "2000") if name == "robustness" else how) for name, how in PROTOCOLS]
    return [*fewer, *([("global", ("--library", library))] if library else [])]
