"""Everything that a run needs before its first step: read, described, checked once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from diptych.data.candidate_files import read_candidate_file
from diptych.training.corpus import Corpus, read_first_blocks, read_folded_dataset
from diptych.training.negatives import negatives_by_formula
from diptych.training.queries import validation_set
from diptych.training.sampling import EpochSampler
from diptych.training.structures import StructureTable, describe_structures, parse_smiles, smiles_of_formulas

if TYPE_CHECKING:
    from diptych.molecules.parallel import Featuriser
    from diptych.training.config import RunConfig
    from diptych.training.validation import ValidationSet

# A batch may take away some of a molecule's hard negatives, so a few more are kept than are drawn.
_SPARE_NEGATIVES = 4


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
    validation
        None where the configuration names no validation fold.
    digests
        What was read -> SHA-256 of its content.
    """

    corpus: Corpus
    table: StructureTable
    sampler: EpochSampler
    validation: ValidationSet | None
    digests: Mapping[str, str]


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
    validation = validation_set(config, folded, featuriser)
    if validation is not None:
        report(f"{len(validation.queries):,} validation spectra with {len(validation.row_of):,} candidates")
    return Prepared(
        corpus=corpus,
        table=table,
        sampler=_sampler(config, corpus, table),
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
    pool = smiles_of_formulas(
        Path(config.data.structures),
        {molecule.formula for molecule in molecules},
        without=withheld,
        at_most=config.negatives.pool,
        seed=config.training.seed,
    )
    further = parse_smiles((smiles for formula in pool.values() for smiles in formula), featuriser, cache=cache).table
    return table if further is None else table.joined(further.without(withheld))


def _withheld(config: RunConfig) -> set[str]:
    """Return the first blocks of all structures of the withheld candidate lists, their keys included."""
    lists = [read_candidate_file(Path(path)) for path in config.negatives.withhold]
    keys = {key for by_key in lists for key in by_key}
    smiles = (text for by_key in lists for texts in by_key.values() for text in texts)
    parsed = parse_smiles(smiles, None, cache=config.data.cache_folder)
    return keys | {structure.inchikey_first_block for structure in parsed.structure_of.values()}


def _sampler(config: RunConfig, corpus: Corpus, table: StructureTable) -> EpochSampler:
    negatives_of = negatives_by_formula(
        table.formulas,
        table.exact_masses,
        n_molecules=len(corpus.first_blocks),
        wanted=config.negatives.per_molecule + _SPARE_NEGATIVES,
        fill=config.negatives.fill,
    )
    return EpochSampler(
        spectra_of=corpus.spectra_of,
        negatives_of=negatives_of,
        batch_size=config.training.batch_size,
        n_negatives=config.negatives.per_molecule,
        seed=config.training.seed,
    )


def _file_digests(config: RunConfig) -> dict[str, str]:
    files = {
        "structures": config.data.structures,
        "folds": config.data.folds,
        "exclude": config.data.exclude,
        "candidates": config.validation.candidates,
    }
    return {name: hashlib.sha256(Path(path).read_bytes()).hexdigest() for name, path in files.items() if path}
