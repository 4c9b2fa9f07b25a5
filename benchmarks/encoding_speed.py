"""Measure how many spectra and structures each tower encodes in a second of one core, with its default options.

Weights are random: speed does not depend on them. Run from the repository root, on the shipped example and structures::

    python benchmarks/encoding_speed.py

or on spectra of your own, in any format that Diptych reads::

    python benchmarks/encoding_speed.py --spectra spectra.mgf
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

import diptych
from diptych import JointEmbedding, Spectrum, Structure, read_spectra
from diptych.data.tables import read_columns
from diptych.encoders import SPECTRUM_ENCODERS, STRUCTURE_ENCODERS
from diptych.encoders.encoding import EncodingPrecision
from diptych.encoders.precision import has_bfloat16
from diptych.errors import ConfigError
from diptych.files import replacing
from diptych.spectra.peak_formulas import given_formula, peak_formulas, with_formula
from diptych.spectra.quality import reject_reason

SHIPPED = Path(diptych.__file__).parent / "shipped"
EXAMPLE = SHIPPED / "example.mgf"
PRECISIONS: tuple[EncodingPrecision, ...] = ("float32", "auto")
EMBEDDING_DIM, IONS = 384, {"dim": 128}


def main() -> None:
    """Print the tables of ``benchmarks/encoding_speed.md`` and write them, with a JSON file beside."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spectra", type=Path, default=EXAMPLE)
    parser.add_argument("--n-spectra", type=int, default=1_000)
    parser.add_argument("--n-structures", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=3, help="the fastest counts")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).with_suffix(".md"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    spectra, structures = real_spectra(arguments.spectra, arguments.n_spectra), some(arguments.n_structures)
    report = {
        "torch": torch.__version__,
        "bfloat16": has_bfloat16(torch.device("cpu")),
        "n_spectra": len(spectra),
        "peaks_per_spectrum": round(float(np.mean([spectrum.n_peaks for spectrum in spectra])), 1),
        "n_structures": len(structures),
        "embedding_dim": EMBEDDING_DIM,
        "ion_dim": IONS["dim"],
        "subformulas": subformula_speed(spectra, rounds=arguments.rounds),
        "spectrum_towers": list(spectrum_rows(spectra, rounds=arguments.rounds)),
        "structure_towers": list(structure_rows(structures, rounds=arguments.rounds)),
    }
    text = as_markdown(report)
    print(text)
    for suffix, content in ((".md", text), (".json", json.dumps(report, indent=2))):
        with replacing(arguments.output.with_suffix(suffix)) as temporary:
            temporary.write_text(content + "\n", encoding="utf-8")


def real_spectra(path: Path, n: int) -> list[Spectrum]:
    """Return so many usable spectra of a file, from its start again where it has fewer, with their formulas known."""
    usable = [spectrum for spectrum in read_spectra(path) if reject_reason(spectrum) is None]
    told = [with_formula(spectrum, spectrum.metadata.get("formula")) for spectrum in usable]
    return list(itertools.islice(itertools.cycle(told), n))


def some(n: int) -> list[Structure]:
    """Return so many shipped structures, evenly from all of the file."""
    smiles = [row[0] for row in read_columns(SHIPPED / "structures.tsv.xz", ("smiles",))]
    return [Structure.from_smiles(text) for text in smiles[:: max(1, len(smiles) // n)][:n]]


def per_second(work: Callable[[], object], n: int, *, rounds: int) -> float:
    """Return how many of n things are done in a second of processor time of this thread, in the fastest round."""
    work()
    seconds = []
    for _ in range(rounds):
        start = time.thread_time()
        work()
        seconds.append(time.thread_time() - start)
    return round(n / min(seconds), 1)


def subformula_speed(spectra: Sequence[Spectrum], *, rounds: int) -> dict[str, float]:
    """Return peaks per second, with the formula of the molecule and without."""
    parents = [given_formula(spectrum) for spectrum in spectra]
    known = [spectrum for spectrum, parent in zip(spectra, parents, strict=True) if parent is not None]
    n_peaks = sum(spectrum.n_peaks for spectrum in known)
    given = [parent for parent in parents if parent is not None]
    return {
        "given": per_second(lambda: peak_formulas(known, parents=given), n_peaks, rounds=rounds),
        "peaks": per_second(lambda: peak_formulas(known, parents=[None] * len(known)), n_peaks, rounds=rounds),
    }


def model(**towers: dict[str, Any]) -> JointEmbedding | None:
    """Return an untrained model; None where a tower has no default, such as a folder of weights."""
    torch.manual_seed(0)
    try:
        parts: dict[str, Any] = {"spectrum": {}, "structure": {}, **towers}
        return JointEmbedding.from_config(**parts, ions=IONS, embedding_dim=EMBEDDING_DIM).eval()
    except ConfigError:
        return None


def spectrum_rows(spectra: Sequence[Spectrum], *, rounds: int) -> Iterator[dict[str, Any]]:
    """Yield for each spectrum tower its parameters and spectra per second; reading is not counted, cleaning is."""
    for name in SPECTRUM_ENCODERS:
        embedding = model(spectrum={"name": name})
        if embedding is None:
            continue
        row: dict[str, Any] = {"tower": name, "parameters": parameters(embedding.spectrum_encoder)}
        for precision in PRECISIONS:
            encode = partial(embedding.encode_spectra, spectra, precision=precision)
            row[precision] = per_second(encode, len(spectra), rounds=rounds)
        vectors = [embedding.encode_spectra(spectra, precision=precision) for precision in PRECISIONS]
        row["largest_distance"] = float(f"{np.linalg.norm(vectors[0] - vectors[1], axis=1).max():.2g}")
        print(json.dumps(row), flush=True)
        yield row


def structure_rows(structures: Sequence[Structure], *, rounds: int) -> Iterator[dict[str, Any]]:
    """Yield for each structure tower its parameters, and structures per second featurised and then encoded."""
    molecules = [structure.mol() for structure in structures]
    for name in STRUCTURE_ENCODERS:
        embedding = model(structure={"name": name})
        if embedding is None:
            continue
        start = time.process_time()
        features = embedding.structure_encoder.featuriser(molecules)
        featurised = len(molecules) / (time.process_time() - start)
        encode = per_second(partial(embedding.encode_structure_features, features), len(molecules), rounds=rounds)
        row = {
            "tower": name,
            "parameters": parameters(embedding.structure_encoder),
            "featurised": round(featurised, 1),
            "encoded": encode,
        }
        print(json.dumps(row), flush=True)
        yield row


def parameters(encoder: torch.nn.Module) -> int:
    """Return how many numbers a tower learns, those of the shared ion table left out."""
    return sum(weight.numel() for name, weight in encoder.named_parameters() if not name.startswith("ion_table."))


def as_markdown(report: dict[str, Any]) -> str:
    """Return the report as the page beside this script."""
    found = report["subformulas"]
    lines = [
        "# Encoding speed",
        "",
        "    python benchmarks/encoding_speed.py",
        "",
        f"{report['n_spectra']:,} real spectra (the shipped example, again from its start) with",
        f"{report['peaks_per_spectrum']} peaks on average, and {report['n_structures']:,} of the shipped structures;",
        f"untrained towers with default options, `embedding_dim = {report['embedding_dim']}`, an ion block of",
        f"{report['ion_dim']}; torch {report['torch']}. Figures are per second of processor time of one thread, the",
        "best of some rounds, so that they depend little on what else runs; two cores do up to twice as much. Cleaning",
        "and collating count, reading does not.",
        "",
        "| spectrum tower | parameters | spectra/s, float32 | spectra/s, bfloat16 | largest distance of the two |",
        "|---|---|---|---|---|",
    ]
    for row in report["spectrum_towers"]:
        fast = f"{row['auto']:,.0f}" if row["largest_distance"] else "float32 always"
        numbers = f"{row['parameters']:,} | {row['float32']:,.0f} | {fast} | {row['largest_distance']:g}"
        lines.append(f"| `{row['tower']}` | {numbers} |")
    lines += [
        "",
        'bfloat16 is used where asked for (`encode_spectra(..., precision="auto")`), by towers whose peaks are tokens.',
        "",
        "| structure tower | parameters | featurised/s | then encoded/s |",
        "|---|---|---|---|",
    ]
    for row in report["structure_towers"]:
        numbers = f"{row['parameters']:,} | {row['featurised']:,.0f} | {row['encoded']:,.0f}"
        lines.append(f"| `{row['tower']}` | {numbers} |")
    lines += [
        "",
        f"Formulas of peaks: {found['given']:,.0f} peaks/s under the molecule's formula, {found['peaks']:,.0f} peaks/s",
        "under none (fragments and losses).",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
