"""Write the spectra of the peer benchmark as arrays, for programs that run in environments of their own.

    python benchmarks/learned_similarities/export_spectra.py SPECTRA ../shared/data/peer_benchmark -o spectra.npz

SPECTRA is ../shared/data/massbank-2025.05.1.tar.xz. The archive of arrays holds no pickled object.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from diptych.spectra import Spectrum
from diptych.spectra.adduct import Adduct

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from peer_benchmark import FoldRow, benchmark_spectra, read_folds


def to_arrays(spectra: Sequence[Spectrum], folds: Mapping[str, FoldRow]) -> dict[str, NDArray[np.generic]]:
    """Return peaks end to end, where each spectrum starts among them, and what is known of each spectrum."""
    rows = [folds[spectrum.identifier] for spectrum in spectra]
    return {
        "accession": np.array([spectrum.identifier for spectrum in spectra]),
        "start": np.concatenate([[0], np.cumsum([spectrum.n_peaks for spectrum in spectra])]).astype(np.int64),
        "mz": np.concatenate([spectrum.mz for spectrum in spectra]),
        "intensity": np.concatenate([spectrum.intensity for spectrum in spectra]),
        "precursor_mz": np.array([spectrum.precursor_mz or np.nan for spectrum in spectra], dtype=np.float64),
        "polarity": np.array([spectrum.polarity or "" for spectrum in spectra]),
        "adduct": np.array([spectrum.adduct.name if spectrum.adduct else "" for spectrum in spectra]),
        "contributor": np.array([spectrum.metadata.get("contributor", "") for spectrum in spectra]),
        "fold": np.array([row.fold for row in rows]),
        "smiles": np.array([row.smiles for row in rows]),
        "first_block": np.array([row.first_block for row in rows]),
    }


def read_spectra_file(path: Path) -> list[Spectrum]:
    """Return the spectra of a file that this program wrote, with what searching them needs."""
    with np.load(path, allow_pickle=False) as file:
        column = {name: file[name] for name in file.files}
    adducts = {str(name): Adduct.parse(str(name)) if name else None for name in np.unique(column["adduct"])}
    return [
        Spectrum(
            mz=column["mz"][start:stop].copy(),
            intensity=column["intensity"][start:stop].copy(),
            precursor_mz=None if np.isnan(precursor_mz) else float(precursor_mz),
            adduct=adducts[str(adduct)],
            identifier=str(accession),
            metadata={"contributor": str(contributor), "ionmode": str(polarity)},
        )
        for start, stop, precursor_mz, adduct, accession, contributor, polarity in zip(
            column["start"][:-1],
            column["start"][1:],
            *(column[name] for name in ("precursor_mz", "adduct", "accession", "contributor", "polarity")),
            strict=True,
        )
    ]


def main() -> None:
    """Write the file that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spectra", type=Path, help="MassBank archive, or dataset (.parquet)")
    parser.add_argument("benchmark", type=Path)
    parser.add_argument("--output", "-o", type=Path, required=True)
    arguments = parser.parse_args()
    folds = read_folds(arguments.benchmark / "folds.tsv.xz")
    spectra = benchmark_spectra(arguments.spectra, folds)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(arguments.output, allow_pickle=False, **to_arrays(spectra, folds))
    print(f"{len(spectra):,} spectra")


if __name__ == "__main__":
    main()
