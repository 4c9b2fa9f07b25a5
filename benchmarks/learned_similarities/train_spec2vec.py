"""Train Spec2Vec on the training fold of the peer benchmark and write a vector of every spectrum.

    PYTHONHASHSEED=0 python benchmarks/learned_similarities/train_spec2vec.py spectra.npz -o spec2vec.npz

Runs in an environment of its own (see README.md). spectra.npz is of ``export_spectra.py``. Settings are those of Huber
et al. 2021, doi:10.1371/journal.pcbi.1008724: words of two decimals, neutral losses of 5 to 200 Da, word2vec (CBOW) of
300 dimensions whose window takes in a whole spectrum, 15 epochs, intensities to the power of 0.5 as weights. Spec2Vec
0.9 makes no words of losses any more; they are made here.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from arrays import Arrays, write_vectors
from gensim.models import Word2Vec
from numpy.typing import NDArray
from spec2vec.model_building import train_new_word2vec_model
from spec2vec.vector_operations import calc_vector

MIN_LOSS, MAX_LOSS = 5.0, 200.0
POWER = 0.5
PACKAGES = ["spec2vec", "matchms", "gensim", "numpy"]


@dataclass(frozen=True, eq=False)
class Document:
    """The words of one spectrum, and the relative intensity of the peak that each stands for."""

    words: list[str]
    weights: list[float]

    @classmethod
    def of(cls, arrays: Arrays, row: int) -> Document:
        """Return the words of the peaks, then those of the losses."""
        mz, intensity = arrays.peaks(row)
        loss = arrays.precursor_mz(row) - mz
        lost = (loss >= MIN_LOSS) & (loss <= MAX_LOSS)
        words = [f"peak@{value:.2f}" for value in mz.tolist()] + [f"loss@{value:.2f}" for value in loss[lost].tolist()]
        return cls(words, [*intensity.tolist(), *intensity[lost].tolist()])


def train(documents: Sequence[Document], *, epochs: int, seed: int) -> Word2Vec:
    """Return word vectors with the package's own defaults, on one thread so that the seed decides them."""
    words = [document.words for document in documents]
    return train_new_word2vec_model(words, iterations=epochs, workers=1, seed=seed)


def vectors(model: Word2Vec, documents: Sequence[Document]) -> NDArray[np.float32]:
    """Return the weighted sum of the words of each spectrum; a spectrum of unknown words alone has a vector of 0."""
    found = np.zeros((len(documents), model.wv.vector_size), dtype=np.float32)
    for row, document in enumerate(documents):
        if any(word in model.wv.key_to_index for word in document.words):
            found[row] = calc_vector(model, document, intensity_weighting_power=POWER, allowed_missing_percentage=100.0)
    return found


def main() -> None:
    """Train, and write the vectors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("spectra", type=Path, help="of export_spectra.py")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", "-o", type=Path, required=True)
    arguments = parser.parse_args()
    arrays = Arrays.read(arguments.spectra)
    documents = [Document.of(arrays, row) for row in range(len(arrays))]
    wall, processor = time.perf_counter(), time.process_time()
    model = train([documents[row] for row in arrays.training_rows], epochs=arguments.epochs, seed=arguments.seed)
    trained_wall, trained = time.perf_counter(), time.process_time()
    found = vectors(model, documents)
    said = {
        "training_spectra": int(arrays.training_rows.size),
        "words": len(model.wv),
        "epochs": arguments.epochs,
        "seed": arguments.seed,
        "dimensions": int(model.wv.vector_size),
        "training_processor_seconds": round(trained - processor),
        "training_wall_seconds": round(trained_wall - wall),
        "encoding_processor_seconds": round(time.process_time() - trained),
        "vectors_of_zero": int((~found.any(axis=1)).sum()),
    }
    write_vectors(arguments.output, arrays, found, packages=PACKAGES, said=said)


if __name__ == "__main__":
    main()
