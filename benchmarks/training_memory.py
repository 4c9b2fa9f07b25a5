"""How much memory a training step takes in float32: 512 spectra of 128 peaks, 512 molecules, several pairs of towers.

    python benchmarks/training_memory.py -o benchmarks/training_memory.md
    python benchmarks/training_memory.py --spectrum binned-mlp --structure fingerprint-mlp --negatives 8

With ``-o`` every pair of ``PAIRS`` in a process of its own, without it the pair that is named.
"""

from __future__ import annotations

import argparse
import resource
import shlex
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

import diptych
from diptych.data.tables import read_columns
from diptych.embedding import JointEmbedding
from diptych.errors import DiptychError
from diptych.files import replacing
from diptych.molecules.structure import Structure
from diptych.spectra.adduct import Adduct
from diptych.spectra.masses import PROTON_MASS
from diptych.spectra.spectrum import Spectrum
from diptych.training.batches import TrainingBatch
from diptych.training.config import RunConfig
from diptych.training.losses import LossContext, Objective

PAIRS = (
    ("peak-transformer", "gcn"),
    ("peak-transformer", "gin"),
    ("peak-transformer", "gat"),
    ("peak-transformer", "smiles-transformer"),
    ("formula-transformer", "fingerprint-mlp"),
    ("peak-graph", "graphsage"),
    ("binned-cnn", "gin"),
    ("binned-mlp", "fingerprint-mlp"),
)
STRUCTURES = Path(diptych.__file__).parent / "shipped" / "structures.tsv.xz"


def main() -> None:
    """Make steps, and print the greatest resident memory of the process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spectrum", default="peak-transformer")
    parser.add_argument("--structure", default="gcn")
    parser.add_argument("--batch-size", type=int, default=512)
    parser.add_argument("--peaks", type=int, default=128)
    parser.add_argument("--negatives", type=int, default=0)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument(
        "--float32", action="store_true", help="and not bfloat16 where the processor has it, as training"
    )
    parser.add_argument("--output", "-o", type=Path)
    wanted = parser.parse_args()
    if wanted.output:
        write_table(wanted.output)
        return
    model = JointEmbedding.from_config(
        spectrum={"name": wanted.spectrum, "cleaning": {"max_peaks": wanted.peaks}},
        structure={"name": wanted.structure},
        embedding_dim=256,
    )
    batch = make_batch(model, n=wanted.batch_size, n_peaks=wanted.peaks, n_negatives=wanted.negatives)
    before = peak_gib()
    objective = Objective(RunConfig().loss, model, epochs=1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    started = time.perf_counter()
    for _ in range(wanted.steps):
        context = LossContext(batch=batch, model=model, temperature=model.log_temperature.exp(), epoch=0)
        objective(context).backward()
        optimizer.step()
        optimizer.zero_grad()
    seconds = (time.perf_counter() - started) / wanted.steps
    weights = sum(parameter.numel() for parameter in model.parameters())
    n = wanted.batch_size
    print(
        f"{wanted.spectrum} x {wanted.structure}, {weights:,} weights: {n} spectra of {wanted.peaks} peaks, "
        f"{n * (1 + wanted.negatives)} molecules: at most {peak_gib():.2f} GiB, {before:.2f} GiB of it before the "
        f"first step; {seconds:.1f} s a step on {torch.get_num_threads()} threads"
    )


def write_table(path: Path) -> None:
    """Measure every pair in a process of its own, and write what they print."""
    lines = ["# Memory of a training step", ""]
    for spectrum, structure in PAIRS:
        command = [sys.executable, __file__, "--spectrum", spectrum, "--structure", structure]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        print(said, flush=True)
        lines.append(f"- {said}")
    lines += ["", f"    python {shlex.join(sys.argv)}", ""]
    with replacing(path) as temporary:
        temporary.write_text("\n".join(lines), encoding="utf-8")


def make_batch(model: JointEmbedding, *, n: int, n_peaks: int, n_negatives: int) -> TrainingBatch:
    """Return a batch of the first shipped structures above 200 Da, each with a spectrum of random peaks."""
    molecules = first_structures(n * (1 + n_negatives))
    rng = np.random.default_rng(0)
    spectra = [random_spectrum(structure.exact_mass + PROTON_MASS, n_peaks, rng=rng) for structure in molecules[:n]]
    features = model.structure_encoder.featuriser([structure.mol() for structure in molecules])
    return TrainingBatch(
        spectra=model.spectrum_encoder.collate(spectra),
        molecule=torch.arange(n),
        structures=model.structure_encoder.collate(features),
        rows=torch.arange(len(molecules)),
        owner=torch.arange(n).repeat_interleave(n_negatives),
        n_molecules=n,
    )


def first_structures(n: int) -> list[Structure]:
    """Return so many structures of the shipped list."""
    found: list[Structure] = []
    for (smiles,) in read_columns(STRUCTURES, ("smiles",)):
        try:
            structure = Structure.from_smiles(smiles)
        except DiptychError:
            continue
        if structure.exact_mass > 200:
            found.append(structure)
        if len(found) == n:
            return found
    raise SystemExit(f"the shipped list has {len(found)} structures above 200 Da; expected {n}")


def random_spectrum(precursor_mz: float, n_peaks: int, *, rng: np.random.Generator) -> Spectrum:
    """Return a spectrum whose peaks lie anywhere below the precursor and survive cleaning."""
    return Spectrum.from_peaks(
        rng.uniform(50.0, precursor_mz - 1.0, n_peaks),
        rng.uniform(10.0, 100.0, n_peaks),
        precursor_mz=precursor_mz,
        charge=1,
        adduct=Adduct.parse("[M+H]+"),
        collision_energy=30.0,
        instrument_type="LC-ESI-QTOF",
    )


def peak_gib() -> float:
    """Return the greatest resident memory so far, GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()
