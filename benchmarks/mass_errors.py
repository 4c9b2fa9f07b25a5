"""Print how far measured precursor peaks lie from their true m/z, by instrument class.

    python benchmarks/mass_errors.py massbank.parquet

For each spectrum the strongest peak near the m/z that follows from structure and adduct: within 60 ppm where the
analyser resolves masses, within 0.5 Th elsewhere. The figures are those of docs/augmentations.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from diptych.data.dataset import Dataset, read_dataset
from diptych.data.instruments import InstrumentClass
from diptych.errors import AdductError
from diptych.spectra.adduct import Adduct

WINDOW_PPM, WINDOW_DA = 60.0, 0.5


def errors(dataset: Dataset) -> Iterator[tuple[str, float]]:
    """Yield instrument class and error (ppm) of every spectrum that shows its precursor."""
    columns = (dataset.column(name) for name in ("instrument_class", "exact_mass", "adduct"))
    for row, (kind, mass, name) in enumerate(zip(*columns, strict=True)):
        try:
            true = Adduct.parse(str(name or "")).mz(float(mass))
        except AdductError:
            continue
        peaks = slice(dataset.offsets[row], dataset.offsets[row + 1])
        mz, intensity = dataset.mz[peaks], dataset.intensity[peaks]
        coarse = kind in (InstrumentClass.ION_TRAP, InstrumentClass.QUADRUPOLE)
        near = np.flatnonzero(np.abs(mz - true) <= (WINDOW_DA if coarse else WINDOW_PPM * 1e-6 * true))
        if near.size:
            yield str(kind), float(mz[near[np.argmax(intensity[near])]] / true - 1) * 1e6


def main() -> None:
    """Read the dataset and print one line per class."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    found: dict[str, list[float]] = {}
    for kind, error in errors(read_dataset(parser.parse_args().dataset)):
        found.setdefault(kind, []).append(error)
    print("| class | spectra | median / ppm | half width of the middle 68 % / ppm | root mean square / ppm |")
    print("|---|---|---|---|---|")
    for kind, values in sorted(found.items()):
        low, median, high = np.percentile(values, [15.87, 50, 84.13])
        rms = np.sqrt(np.mean(np.square(values)))
        print(f"| {kind} | {len(values):,} | {median:.1f} | {(high - low) / 2:.1f} | {rms:.1f} |")


if __name__ == "__main__":
    main()
