"""Train MS2DeepScore on the training fold of the peer benchmark and write an embedding of every spectrum.

    python benchmarks/learned_similarities/train_ms2deepscore.py spectra.npz -o ms2deepscore.npz

Runs in an environment of its own (see README.md). spectra.npz is of ``export_spectra.py``. Pairs, augmentation, loss
and network are the package's own (Huber et al. 2021, doi:10.1186/s13321-021-00558-4); ``SMALLER`` says which of its
defaults were made smaller, so that a training fits into minutes of one processor core. Training stops when the
processor time is spent, not by a validation loss: nothing is chosen on another fold.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from arrays import Arrays, write_vectors
from matchms import Spectrum
from ms2deepscore.models.SiameseSpectralModel import SiameseSpectralModel, train
from ms2deepscore.SettingsMS2Deepscore import SettingsMS2Deepscore
from ms2deepscore.train_new_model import SpectrumPairGenerator, TrainingBatchGenerator, create_spectrum_pair_generator

PACKAGES = ["ms2deepscore", "torch", "matchms", "numpy"]
SMALLER: dict[str, Any] = {
    "base_dims": (500,),
    "embedding_dim": 200,
    "fingerprint_nbits": 2048,
    "average_inchikey_sampling_count": 50,
    "max_inchikey_sampling": 60,
    "max_pairs_per_bin": 150,
}


class TimedBatches:
    """Batches of a generator, turn after turn, until the processor time is spent.

    Parameters
    ----------
    batches
        May be gone through more than once.
    seconds
        Processor time from the first batch on.
    """

    def __init__(self, batches: TrainingBatchGenerator, *, seconds: float) -> None:
        self._batches, self._seconds = batches, seconds
        self.n_given = 0

    def __iter__(self) -> Iterator[Any]:
        """Yield batches; what the time of the last turn leaves unfinished is not begun again."""
        end = time.process_time() + self._seconds
        while True:
            for batch in self._batches:
                yield batch
                self.n_given += 1
                if time.process_time() > end:
                    return


def spectra_of(arrays: Arrays) -> list[Spectrum]:
    """Return all spectra as matchms holds them."""
    found = []
    for row in range(len(arrays)):
        metadata = {
            "precursor_mz": arrays.precursor_mz(row),
            "ionmode": arrays.text("polarity", row),
            "smiles": arrays.text("smiles", row),
            # Only the first block is known, and only that is asked for.
            "inchikey": f"{arrays.text('first_block', row)}-UHFFFAOYSA-N",
        }
        mz, intensity = arrays.peaks(row)
        found.append(Spectrum(mz, intensity, metadata=metadata, metadata_harmonization=False))
    return found


def batches_of(spectra: Sequence[Spectrum], settings: SettingsMS2Deepscore) -> TrainingBatchGenerator:
    """Return batches of pairs that are balanced over the similarity of their molecules."""
    first = {spectrum.get("inchikey"): spectrum for spectrum in spectra}
    chosen = create_spectrum_pair_generator(list(first.values()), settings=settings)
    pairs = SpectrumPairGenerator(
        chosen.selected_inchikey_pairs, spectra, settings.shuffle, random_seed=settings.random_seed
    )
    return TrainingBatchGenerator(pairs, settings=settings)


def main() -> None:
    """Train, and write the embeddings."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spectra", type=Path, help="of export_spectra.py")
    parser.add_argument("--processor-minutes", type=float, default=12.0, help="of the training alone")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", "-o", type=Path, required=True)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    torch.set_num_threads(1)
    arrays = Arrays.read(arguments.spectra)
    settings = SettingsMS2Deepscore(ionisation_mode="both", random_seed=arguments.seed, **SMALLER)
    spectra = spectra_of(arrays)
    began = time.process_time()
    training = [spectra[row] for row in arrays.training_rows]
    batches = batches_of(training, settings)
    print(f"pairs chosen, {time.process_time() - began:.0f} s of processor time", flush=True)
    model = SiameseSpectralModel(settings=settings)
    timed = TimedBatches(batches, seconds=60 * arguments.processor_minutes)
    prepared, wall = time.process_time(), time.perf_counter()
    with TemporaryDirectory() as folder:
        history = train(
            model,
            timed,
            num_epochs=1,
            learning_rate=settings.learning_rate,
            loss_function=settings.loss_function,
            progress_bar=False,
            log_dir=folder,
        )
    trained, trained_wall = time.process_time(), time.perf_counter()
    found = np.asarray(model.compute_embedding_array(spectra, batch_size=256, progress_bar=False), dtype=np.float32)
    said = {
        "training_spectra": len(training),
        "smaller_than_default": {name: list(v) if isinstance(v, tuple) else v for name, v in SMALLER.items()},
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "seed": arguments.seed,
        "batches": timed.n_given,
        "pairs_per_batch": settings.batch_size,
        "epochs_of_the_package": round(timed.n_given / len(batches), 1),
        "mean_training_loss": round(float(history["losses"][0]), 4),
        "pair_selection_processor_seconds": round(prepared - began),
        "training_processor_seconds": round(trained - prepared),
        "training_wall_seconds": round(trained_wall - wall),
        "encoding_processor_seconds": round(time.process_time() - trained),
    }
    write_vectors(arguments.output, arrays, found, packages=PACKAGES, said=said)


if __name__ == "__main__":
    main()
