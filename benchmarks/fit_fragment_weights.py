"""Fit the weights of the fragment classes (`diptych.molecules.fragmentation.class_weights`) on the training fold alone.

    python benchmarks/fit_fragment_weights.py massbank.parquet ../shared/data/peer_benchmark STRUCTURES

STRUCTURES is ../shared/data/structures.tsv.xz.

For each of 2,600 training molecules, two of its spectra are asked to tell it from up to ten other structures of its
formula, none of which stands in a candidate list of the benchmark. The score is the cosine of two vectors over bins of
0.005 Da: the peaks (less a proton), and the fragments, each with the weight of its class. The 105 weights minimise the
listwise softmax loss, held near the prior exp(-cost / 4 - |hydrogens moved| / 5). Prints the weights and, before and
after, the hit rates on the validation fold.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from diptych.data.candidate_files import read_candidate_file
from diptych.data.dataset import read_dataset
from diptych.data.tables import read_columns
from diptych.molecules import Structure
from diptych.molecules.fragmentation import (
    CUT_COST,
    HYDROGEN_SHIFTS,
    N_CUT_KINDS,
    N_FRAGMENT_CLASSES,
    FragmentFeaturiser,
)
from diptych.spectra import Spectrum
from diptych.spectra.masses import PROTON_MASS

N_MOLECULES, SPECTRA_EACH, NEGATIVES_EACH, VALIDATION_EACH = 2600, 2, 10, 4
BINS_PER_DA = 200
WIDTH = 2**31 - 1  # a hash without collisions
STEPS, LEARNING_RATE, PRIOR_STRENGTH = 400, 0.02, 1e-3


class Question(NamedTuple):
    """One spectrum and the SMILES it is asked to rank, the right one first."""

    spectrum: Spectrum
    smiles: list[str]


def prior() -> np.ndarray:
    """Return the weights to start from, float64 of shape (N_FRAGMENT_CLASSES,)."""
    pairs = [CUT_COST[low] + CUT_COST[high] for high in range(N_CUT_KINDS) for low in range(high + 1)]
    costs = np.array([0.0, *CUT_COST, *pairs])
    return np.exp(-costs[:, None] / 4 - np.abs(HYDROGEN_SHIFTS) / 5).ravel()


def questions(arguments: argparse.Namespace, *, fold: str, rng: np.random.Generator) -> list[Question]:
    """Return the questions of a fold."""
    lists = read_candidate_file(arguments.benchmark / "candidates_formula.json.xz")
    folds = {
        a: (b, f)
        for a, b, f in read_columns(arguments.benchmark / "folds.tsv.xz", ("accession", "inchikey_first_block", "fold"))
    }
    spectra, smiles, formula = defaultdict(list), {}, {}
    for item in read_dataset(arguments.dataset):
        block, its_fold = folds.get(item.spectrum.identifier, ("", ""))
        if its_fold == fold:
            spectra[block].append(item.spectrum)
            smiles[block], formula[block] = item.structure.smiles, item.structure.formula
    others = _training_negatives(arguments, lists, formula) if fold == "train" else None
    blocks = sorted(spectra)
    if others is not None:
        blocks = [blocks[i] for i in rng.permutation(len(blocks))[:N_MOLECULES]]
    result = []
    for block in blocks:
        wrong = _others(block, smiles, lists, others, formula, rng)
        each = SPECTRA_EACH if others is not None else VALIDATION_EACH
        for i in rng.permutation(len(spectra[block]))[:each] if len(wrong) > 1 else ():
            result.append(Question(spectra[block][i], [smiles[block], *wrong]))
    return result


def _training_negatives(
    arguments: argparse.Namespace, lists: Mapping[str, Sequence[str]], formula: Mapping[str, str]
) -> dict[str, list[tuple[str, str]]]:
    """Return formula -> (first block, SMILES) of the structures that no benchmark list holds."""
    withheld = {Structure.from_smiles(s).inchikey_first_block for texts in lists.values() for s in texts}
    wanted, others = set(formula.values()), defaultdict(list)
    for block, text, its_formula in read_columns(arguments.structures, ("inchikey_first_block", "smiles", "formula")):
        if its_formula in wanted and block not in withheld:
            others[its_formula].append((block, text))
    return others


def _others(block, smiles, lists, others, formula, rng) -> list[str]:  # noqa: ANN001 - see the caller
    if others is None:
        answer = Structure.from_smiles(smiles[block]).inchikey_first_block
        return [text for text in lists.get(block, ()) if Structure.from_smiles(text).inchikey_first_block != answer]
    texts = [text for other, text in others[formula[block]] if other != block]
    return [texts[i] for i in rng.permutation(len(texts))[:NEGATIVES_EACH]]


def class_counts(asked: Sequence[Question]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return per question the matched peak weight, and the number of bins, of each candidate and class."""
    distinct = sorted({text for question in asked for text in question.smiles})
    features = FragmentFeaturiser(width=WIDTH)([Structure.from_smiles(text).mol() for text in distinct])
    row_of = {text: row for row, text in enumerate(distinct)}
    matched, sizes = [], []
    for spectrum, smiles in asked:
        peaks = _peak_bins(spectrum)
        shape = (len(smiles), N_FRAGMENT_CLASSES)
        found, size = np.zeros(shape), np.zeros(shape)
        for k, text in enumerate(smiles):
            entries = slice(*features.indptr[row_of[text] : row_of[text] + 2])
            classes = features.values[entries].astype(int)
            weights = [peaks.get(column, 0.0) for column in features.indices[entries].tolist()]
            found[k] = np.bincount(classes, weights, minlength=N_FRAGMENT_CLASSES)
            size[k] = np.bincount(classes, minlength=N_FRAGMENT_CLASSES)
        matched.append(found)
        sizes.append(size)
    return matched, sizes


def _peak_bins(spectrum: Spectrum) -> dict[int, float]:
    from diptych.spectra.binning import hash_bins

    below = spectrum.mz < (spectrum.precursor_mz or np.inf) - 0.5
    mz, intensity = spectrum.mz[below], spectrum.intensity[below].astype(float)
    if not mz.size:
        return {}
    strongest = np.argsort(-intensity, kind="stable")[:80]
    mz, intensity = mz[strongest], intensity[strongest]
    weight = np.sqrt(intensity / intensity.max() * mz / 200)
    weight /= np.linalg.norm(weight)
    position = np.maximum(mz - (PROTON_MASS if spectrum.polarity == "positive" else -PROTON_MASS), 0) * BINS_PER_DA
    lower = np.floor(position).astype(np.int64)
    bins: dict[int, float] = defaultdict(float)
    for columns, shares in ((lower, weight * (1 - position + lower)), (lower + 1, weight * (position - lower))):
        for column, share in zip(hash_bins(columns, width=WIDTH).tolist(), shares, strict=True):
            bins[column] += share
    return bins


def hit_rates(matched: Sequence[np.ndarray], sizes: Sequence[np.ndarray], weights: np.ndarray) -> list[float]:
    """Return hit rate@1, 5, 20 and MRR in percent, ties against the target."""
    ranks = []
    for found, size in zip(matched, sizes, strict=True):
        scores = found @ weights / np.sqrt(size @ weights**2)
        ranks.append(int((scores >= scores[0]).sum()))
    rank = np.array(ranks)
    return [round(100 * float(value), 1) for value in (*((rank <= k).mean() for k in (1, 5, 20)), (1 / rank).mean())]


def fit(matched: Sequence[np.ndarray], sizes: Sequence[np.ndarray]) -> np.ndarray:
    """Return the fitted weights, the greatest of them 1."""
    lengths = torch.tensor([len(found) for found in matched])
    owner = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
    first = torch.cumsum(lengths, 0) - lengths
    x = torch.tensor(np.concatenate(matched), dtype=torch.float32)
    n = torch.tensor(np.concatenate(sizes), dtype=torch.float32)
    start = torch.tensor(np.log(prior()), dtype=torch.float32)
    log_weights, log_scale = start.clone().requires_grad_(), torch.tensor(2.5, requires_grad=True)
    optimiser = torch.optim.Adam([log_weights, log_scale], lr=LEARNING_RATE)
    for _ in range(STEPS):
        weights = log_weights.exp()
        scores = x @ weights / (n @ weights.square()).sqrt() * log_scale.exp()
        normaliser = torch.zeros(len(lengths)).scatter_add(0, owner, scores.exp()).log()
        loss = (normaliser - scores[first]).mean() + PRIOR_STRENGTH * (log_weights - start).square().sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    fitted = log_weights.detach().exp().numpy()
    return fitted / fitted.max()


def main() -> None:
    """Fit, judge and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("dataset", "benchmark", "structures"):
        parser.add_argument(name, type=Path)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    training = class_counts(questions(arguments, fold="train", rng=rng))
    validation = class_counts(questions(arguments, fold="val", rng=rng))
    weights = fit(*training)
    print(
        f"{len(training[0]):,} training questions, {len(validation[0]):,} validation questions; "
        "hit rate@1, 5, 20, MRR in %:"
    )
    print(f"  prior  {hit_rates(*validation, prior())}")
    print(f"  fitted {hit_rates(*validation, weights)}")
    for row in weights.reshape(-1, len(HYDROGEN_SHIFTS)):
        print("        (" + ", ".join(f"{value:.2f}" for value in row) + "),")


if __name__ == "__main__":
    main()
