"""Write src/diptych/shipped/example.mgf: real spectra of molecules that no shipped model was trained on.

    python benchmarks/shipped/make_example.py ../shared/data

``example_accessions.txt`` names the MassBank records. Each is checked here: an open licence, 10 to 400 peaks, a
precursor within 10 ppm of the structure, a molecule of its own in no training or validation fold of the peer benchmark.
The first blocks go to ``example_first_blocks.txt``; training leaves those molecules out.
"""

from __future__ import annotations

import argparse
import csv
import lzma
from collections import Counter
from pathlib import Path

from diptych.files import replacing
from diptych.molecules import Structure
from diptych.spectra import Spectrum, read_spectra, write_mgf

HERE = Path(__file__).parent
SHIPPED = HERE.parents[1] / "src" / "diptych" / "shipped"
LICENCES = {"CC0", "CC BY", "CC BY-SA", "dl-de/by-2-0"}
PEAKS = range(10, 401)
TOLERANCE_PPM = 10.0
KEPT_METADATA = (
    "spectrum_id",
    "compound_name",
    "smiles",
    "inchikey",
    "formula",
    "ionmode",
    "ms_level",
    "instrument",
    "collision_energy",
    "license",
    "authors",
    "copyright",
    "publication",
    "contributor",
)


def folds_of(path: Path) -> dict[str, str]:
    """Return the peer benchmark's fold of each first block."""
    with lzma.open(path, "rt", encoding="utf-8", newline="") as stream:
        return {row["inchikey_first_block"]: row["fold"] for row in csv.DictReader(stream, delimiter="\t")}


def objections(spectrum: Spectrum, structure: Structure, *, folds: dict[str, str]) -> list[str]:
    """Return what speaks against this spectrum as an example; empty where nothing does."""
    found = []
    if spectrum.metadata.get("license") not in LICENCES:
        found.append(f"licence {spectrum.metadata.get('license')}")
    if spectrum.n_peaks not in PEAKS:
        found.append(f"{spectrum.n_peaks} peaks")
    if folds.get(structure.inchikey_first_block) in {"train", "val"}:
        found.append(f"fold {folds[structure.inchikey_first_block]}")
    if spectrum.adduct is None or spectrum.precursor_mz is None:
        return [*found, "no adduct or no precursor m/z"]
    error_ppm = 1e6 * (spectrum.precursor_mz / spectrum.adduct.mz(structure.neutral_mass) - 1)
    if abs(error_ppm) > TOLERANCE_PPM:
        found.append(f"precursor {error_ppm:+.1f} ppm from the structure")
    return found


def wanted_spectra(archive: Path, accessions: list[str]) -> list[Spectrum]:
    """Return the records of the archive that are wanted, in the order in which they are wanted."""
    wanted = set(accessions)
    found = {}
    for spectrum in read_spectra(archive, on_problem=lambda _: None):
        if spectrum.identifier in wanted:
            kept = {key: spectrum.metadata[key] for key in KEPT_METADATA if key in spectrum.metadata}
            found[spectrum.identifier] = spectrum.with_changes(metadata=kept)
    missing = wanted - found.keys()
    if missing:
        raise SystemExit(f"{archive}: without {', '.join(sorted(missing))}")
    return [found[accession] for accession in accessions]


def main() -> None:
    """Make the example and say what is in it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with massbank-2025.05.1.tar.xz and peer_benchmark/")
    arguments = parser.parse_args()
    folds = folds_of(arguments.data / "peer_benchmark" / "folds.tsv.xz")
    accessions = (HERE / "example_accessions.txt").read_text(encoding="utf-8").split()
    spectra = wanted_spectra(arguments.data / "massbank-2025.05.1.tar.xz", accessions)
    structures = [Structure.from_smiles(spectrum.metadata["smiles"]) for spectrum in spectra]
    problems = [
        f"{spectrum.identifier}: {', '.join(found)}"
        for spectrum, structure in zip(spectra, structures, strict=True)
        if (found := objections(spectrum, structure, folds=folds))
    ]
    blocks = sorted({structure.inchikey_first_block for structure in structures})
    if problems or len(blocks) != len(spectra):
        raise SystemExit("\n".join(problems) or "a molecule comes twice")
    write_mgf(spectra, SHIPPED / "example.mgf")
    with replacing(SHIPPED / "example_first_blocks.txt") as temporary:
        temporary.write_text("".join(f"{block}\n" for block in blocks), encoding="utf-8")
    print(f"{len(spectra)} spectra of {len(blocks)} molecules")
    for title, values in {
        "licence": [spectrum.metadata["license"] for spectrum in spectra],
        "adduct": [spectrum.adduct.name if spectrum.adduct else "" for spectrum in spectra],
        "fold": [folds.get(structure.inchikey_first_block, "not in it") for structure in structures],
    }.items():
        print(f"{title}: " + ", ".join(f"{value} {count}" for value, count in Counter(values).most_common()))


if __name__ == "__main__":
    main()
