"""Everything that a run needs before its first step: read, described, checked once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from diptych.data.candidate_files import read_candidate_file
from diptych.training.corpus import Corpus, read_first_blocks, read_folded_dataset
from diptych.training.drawing import balancing_weights
from diptych.training.negatives import gather_negatives
from diptych.training.queries import validation_set
from diptych.training.sampling import EpochSampler, HardShare
from diptych.training.structures import (
    StructureTable,
    describe_structures,
    parse_smiles,
    smiles_near_masses,
    smiles_of_formulas,
)
from diptych.training.unlabelled import read_unlabelled

if TYPE_CHECKING:
    from diptych.molecules.fragment_graphs import FragmentGraphs
    from diptych.molecules.parallel import Featuriser
    from diptych.molecules.structure import Structure
    from diptych.spectra.spectrum import Spectrum
    from diptych.training.config import RunConfig
    from diptych.training.validation import ValidationSet


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """What is trained on and validated with.

    Attributes
    ----------
    corpus
        The training spectra.
    table
        Their molecules, in the corpus' order, then the structures that only serve as negatives.
    sampler
        Plans epochs over both.
    unlabelled
        Spectra without structures; empty where none are asked for.
    graphs
        Fragments of the table's structures; None unless the model scores by them.
    validation
        None where the configuration names no validation fold.
    digests
        What was read -> SHA-256 of its content.
    """

    corpus: Corpus
    table: StructureTable
    sampler: EpochSampler
    unlabelled: Sequence[Spectrum]
    validation: ValidationSet | None
    digests: Mapping[str, str]
    graphs: FragmentGraphs | None = None


def prepare(config: RunConfig, featuriser: Featuriser, *, report: Callable[[str], None]) -> Prepared:
    """Return the data of a run.

    Parameters
    ----------
    config
        What is wanted.
    featuriser
        Of the structure tower.
    report
        Called with a line about each thing that is ready.

    Raises
    ------
    DatasetError
        Something is missing, damaged or contradicts itself.
    TrainingError
        There are fewer than two molecules.
    """
    folded = read_folded_dataset(config.data)
    excluded = read_first_blocks(config.data.exclude)
    corpus = folded.fold(*config.data.train_folds, licences=config.data.licences, exclude=excluded)
    report(f"{len(corpus.dataset):,} training spectra of {len(corpus.first_blocks):,} molecules")
    table = _training_table(config, corpus, featuriser, excluded=excluded)
    report(f"{len(table.structures) - len(corpus.first_blocks):,} further structures serve as hard negatives")
    unlabelled = read_unlabelled(config, report=report)
    validation = validation_set(config, folded, featuriser)
    if validation is not None:
        report(f"{len(validation.queries):,} validation spectra with {len(validation.row_of):,} candidates")
    return Prepared(
        corpus=corpus,
        table=table,
        sampler=_sampler(config, corpus, table, n_pool=len(unlabelled)),
        unlabelled=unlabelled,
        validation=validation,
        digests={"dataset": folded.dataset.digest} | _file_digests(config),
    )


def _training_table(
    config: RunConfig, corpus: Corpus, featuriser: Featuriser, *, excluded: Sequence[str]
) -> StructureTable:
    molecules = corpus.structures()
    cache = config.data.cache_folder
    table = describe_structures(molecules, featuriser, cache=cache)
    if not (config.negatives.per_molecule and config.data.structures):
        return table
    withheld = _withheld(config) | set(excluded)
    smiles = _smiles_of_negatives(config, molecules, withheld)
    further = parse_smiles(smiles, featuriser, cache=cache).table
    return table if further is None else table.joined(further.without(withheld))


def _smiles_of_negatives(config: RunConfig, molecules: Sequence[Structure], withheld: set[str]) -> Iterator[str]:
    settings, path, seed = config.negatives, Path(config.data.structures), config.training.seed
    formulas = {molecule.formula: molecule.exact_mass for molecule in molecules}
    if set(settings.kinds) & {"formula", "fingerprint", "mined"}:
        of_formula = smiles_of_formulas(path, set(formulas), without=withheld, at_most=settings.pool, seed=seed)
        yield from (smiles for listed in of_formula.values() for smiles in listed)
    if "mass" in settings.kinds:
        yield from smiles_near_masses(
            path,
            np.unique(list(formulas.values())),
            window_ppm=settings.window_ppm,
            without=withheld,
            at_most=settings.nearest,
            seed=seed,
        )


def _withheld(config: RunConfig) -> set[str]:
    """Return the first blocks of all structures of the withheld candidate lists, their keys included."""
    lists = [read_candidate_file(Path(path)) for path in config.negatives.withhold]
    keys = {key for by_key in lists for key in by_key}
    smiles = (text for by_key in lists for texts in by_key.values() for text in texts)
    parsed = parse_smiles(smiles, None, cache=config.data.cache_folder)
    return keys | {structure.inchikey_first_block for structure in parsed.structure_of.values()}


def _sampler(config: RunConfig, corpus: Corpus, table: StructureTable, *, n_pool: int) -> EpochSampler:
    negatives, sampling = config.negatives, config.sampling
    return EpochSampler(
        spectra_of=corpus.spectra_of,
        negatives_of=gather_negatives(config, corpus, table),
        batch_size=config.training.batch_size,
        n_negatives=negatives.per_molecule,
        seed=config.training.seed,
        spectra_per_molecule=sampling.spectra_per_molecule,
        weights=_weights(config, corpus),
        batches=sampling.batches,
        keys=_keys(config, table, n_molecules=len(corpus.first_blocks)),
        hard_share=HardShare(
            start=negatives.start_share,
            end=negatives.end_share,
            n_epochs=config.training.epochs,
            from_share=negatives.from_share,
        ),
        n_easy=len(table.structures) if negatives.easy == "random" else 0,
        n_pool=n_pool,
        n_unlabelled=sampling.unlabelled,
    )


def _weights(config: RunConfig, corpus: Corpus) -> NDArray[np.float64] | None:
    if config.sampling.balance == "none":
        return None
    return balancing_weights(corpus.instrument_classes)[corpus.spectra_of.values]


def _keys(config: RunConfig, table: StructureTable, *, n_molecules: int) -> NDArray[np.float64] | None:
    """Return by what molecules are put together into batches; None where that is left to chance."""
    if config.sampling.batches == "random":
        return None
    if config.sampling.batches == "mass":
        return table.exact_masses[:n_molecules]
    return np.unique(table.formulas[:n_molecules], return_inverse=True)[1].astype(np.float64)


def _file_digests(config: RunConfig) -> dict[str, str]:
    files = {
        "structures": config.data.structures,
        "folds": config.data.folds,
        "exclude": config.data.exclude,
        "candidates": config.validation.candidates,
        "unlabelled": config.data.unlabelled if config.sampling.unlabelled else "",
    }
    return {name: hashlib.sha256(Path(path).read_bytes()).hexdigest() for name, path in files.items() if path}
