"""The queries of the validation fold and their candidate lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from diptych.data.candidate_files import read_candidate_file
from diptych.data.candidates import CandidateTable, candidates_by_formula
from diptych.data.tables import read_columns
from diptych.errors import DatasetError
from diptych.ranking import CandidateList, Query
from diptych.training.structures import parse_smiles
from diptych.training.validation import ValidationSet

if TYPE_CHECKING:
    from diptych.molecules.parallel import Featuriser
    from diptych.molecules.structure import Structure
    from diptych.training.config import RunConfig
    from diptych.training.corpus import FoldedDataset


def validation_set(config: RunConfig, folded: FoldedDataset, featuriser: Featuriser) -> ValidationSet | None:
    """Return the queries of the validation fold; None where the configuration names no such fold.

    Raises
    ------
    DatasetError
        The fold does not exist, its candidates cannot be read, or no spectrum has a list of two or more.
    """
    if not config.validation.fold:
        return None
    corpus = folded.fold(config.validation.fold)
    answers = {structure.inchikey_first_block: structure for structure in corpus.structures()}
    smiles_lists = _given_lists(config, answers) if config.validation.candidates else _drawn_lists(config, answers)
    every = (smiles for texts in smiles_lists.values() for smiles in texts)
    parsed = parse_smiles(every, featuriser, cache=config.data.cache_folder)
    lists = {block: _candidates(texts, parsed.structure_of) for block, texts in smiles_lists.items()}
    queries = [
        Query(identifier=spectrum.identifier, spectrum=spectrum, target=block, candidates=lists[block])
        for spectrum, block in zip(corpus.spectra, corpus.dataset.column("inchikey_first_block"), strict=True)
        if block in lists and lists[block].n_candidates > 1
    ]
    if not queries or parsed.table is None:
        raise DatasetError(
            f"no spectrum of the validation fold {config.validation.fold!r} has a list of two or more candidates; "
            "give validation.candidates or data.structures, or set validation.fold to ''"
        )
    return ValidationSet(
        queries=queries, features=parsed.table.features, row_of=parsed.table.row_of, blind=config.training.blind
    )


def _candidates(texts: Sequence[str], structure_of: Mapping[str, Structure]) -> CandidateList:
    return CandidateList.distinct(
        (structure_of[text] for text in texts if text in structure_of),
        unparsed=(text for text in texts if text not in structure_of),
    )


def _given_lists(config: RunConfig, answers: Mapping[str, Structure]) -> dict[str, list[str]]:
    given = read_candidate_file(Path(config.validation.candidates))
    return {block: list(given[block]) for block in answers if block in given}


def _drawn_lists(config: RunConfig, answers: Mapping[str, Structure]) -> dict[str, list[str]]:
    """Return for each answer SMILES of its formula, the answer among them, in an order drawn by the seed."""
    if not config.data.structures:
        raise DatasetError("neither validation.candidates nor data.structures is given; expected candidates to rank")
    formulas = {answer.formula for answer in answers.values()}
    rows = read_columns(Path(config.data.structures), ("inchikey_first_block", "smiles", "formula"))
    others = ((block, smiles, formula) for block, smiles, formula in rows if formula in formulas)
    table = CandidateTable.of([*((block, a.smiles, a.formula) for block, a in answers.items()), *others])
    limit, seed = config.validation.list_length, config.training.seed
    return {block: candidates_by_formula(table, block, seed=seed, limit=limit) for block in answers}
