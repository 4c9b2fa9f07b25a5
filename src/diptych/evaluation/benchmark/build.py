"""How a benchmark is frozen: from a dataset with folds and a table of structures, or from MassSpecGym's files."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from diptych.data.candidate_files import read_candidate_file
from diptych.data.columns import FOLD_PREFIX
from diptych.data.dataset import Dataset, read_dataset, read_without_peaks
from diptych.data.tables import read_columns
from diptych.errors import DatasetError, EvaluationError
from diptych.evaluation.benchmark.folder import Benchmark, FoldRow, freeze
from diptych.evaluation.questions.candidate_lists import queries_from_lists
from diptych.evaluation.questions.known import KnownSpectra, KnownSpectrum
from diptych.evaluation.questions.measured_lists import (
    LIST_KINDS,
    ListKind,
    Row,
    candidate_tables,
    draw_lists,
    measured_rows,
    with_known_mass,
)
from diptych.evaluation.wording import counted
from diptych.spectra.readers import read_spectra

_MOST_NAMED = 10


@dataclass(frozen=True, kw_only=True)
class BenchmarkSettings:
    """What is asked, and among what.

    Attributes
    ----------
    asked
        Folds that are asked.
    lists
        Kinds of lists that are drawn, see `draw_lists`; none where all are given.
    measured
        Conditions by which rows of the table of structures count as measured, see `measured_rows`; the molecules of the
        dataset do in any case.
    ppm, at_most, seed
        Half width of the mass window, longest list, and what decides drawing and order.
    """

    asked: tuple[str, ...] = ("test",)
    lists: tuple[ListKind, ...] = ("formula",)
    measured: tuple[str, ...] = ()
    ppm: float = 10.0
    at_most: int = 256
    seed: int = 0

    def __post_init__(self) -> None:
        unknown = [kind for kind in self.lists if kind not in LIST_KINDS]
        if unknown or not self.asked:
            raise EvaluationError(
                f"benchmark of lists {', '.join(self.lists) or 'none'} and folds {', '.join(self.asked) or 'none'}; "
                f"expected some folds, and lists of the kinds {', '.join(LIST_KINDS)}"
            )
        if not 0 < self.ppm < math.inf:
            raise EvaluationError(f"benchmark of lists within {self.ppm} ppm; expected a positive number")


def build_benchmark(
    dataset: Path,
    folder: Path,
    *,
    folds: Sequence[str] | None = None,
    fold_column: str = "scaffold",
    structures: Path | None = None,
    candidates: Mapping[str, Path] | None = None,
    settings: BenchmarkSettings | None = None,
    force: bool = False,
) -> Benchmark:
    """Freeze a benchmark of a dataset and return it.

    Parameters
    ----------
    dataset
        A dataset file.
    folder
        Where to.
    folds
        Fold of each spectrum of the dataset, as `generalisation` makes them; None for those of ``fold_column``.
    fold_column
        Name of a split of the dataset ("scaffold"); with ``folds``, what the README calls them.
    structures
        Table with ``inchikey_first_block``, ``smiles`` and ``formula`` to draw lists from, beside the dataset's own
        molecules.
    candidates
        Kind of list -> file of lists that are given and taken as they are, see `read_candidate_file`. Of the kinds
        that ``settings`` names only the others are drawn.
    settings
        What is asked.
    force
        As `freeze` takes it.

    Raises
    ------
    EvaluationError
        No spectrum is of an asked fold, there is not one fold for each spectrum, no list is given or drawn, or the
        folder holds something else.
    DatasetError
        A file is missing or damaged, or lacks the split.
    """
    chosen = settings or BenchmarkSettings()
    rows = read_without_peaks(dataset)
    by_row = _folds_of(rows, fold_column, where=dataset) if folds is None else list(folds)
    if len(by_row) != len(rows):
        raise EvaluationError(f"{len(by_row)} folds for {len(rows)} spectra of {dataset}; expected one for each")
    wanted = _asked_rows(by_row, chosen.asked, where=f"{dataset}: no spectrum is of the folds", named=fold_column)
    known = KnownSpectra.from_annotated(read_dataset(dataset).take(wanted))
    files = candidates or {}
    chosen = replace(chosen, lists=tuple(kind for kind in chosen.lists if kind not in files))
    lists, described = _lists(known, rows, structures, files, settings=chosen)
    return freeze(
        folder,
        known=known,
        folds=_fold_rows(rows, by_row),
        questions={kind: queries_from_lists(known, listed, seed=chosen.seed) for kind, listed in lists.items()},
        description={"source": dataset.name, "folds_by": fold_column, **described, "settings": asdict(chosen)},
        force=force,
    )


def _asked_rows(folds: Sequence[str], asked: Sequence[str], *, where: str, named: str) -> list[int]:
    absent = [fold for fold in asked if fold not in folds]
    if absent:
        there = ", ".join(sorted(map(str, set(folds)))) or "none"
        raise EvaluationError(f"{where} {', '.join(absent)} of {named}; it has {there}")
    return [row for row, fold in enumerate(folds) if fold in asked]


def _lists(
    known: KnownSpectra,
    rows: Dataset,
    structures: Path | None,
    candidates: Mapping[str, Path],
    *,
    settings: BenchmarkSettings,
) -> tuple[dict[str, dict[str, list[str]]], dict[str, Any]]:
    """Return the lists of each kind, given and drawn, and where they are from."""
    if not settings.lists and not candidates:
        raise EvaluationError("benchmark without candidate lists; expected kinds to draw, or files of lists")
    given = {kind: read_candidate_file(path) for kind, path in candidates.items()}
    hashes = {"candidates_sha256": {kind: _sha256(path) for kind, path in candidates.items()}} if candidates else {}
    if not settings.lists:
        return given, hashes
    drawn, described = _drawn(known, rows, structures, settings=settings)
    return given | drawn, described | hashes


def _drawn(
    known: KnownSpectra, rows: Dataset, structures: Path | None, *, settings: BenchmarkSettings
) -> tuple[dict[str, dict[str, list[str]]], dict[str, Any]]:
    """Return the lists of each kind that is drawn, and what they were drawn from."""
    others, n_without_mass = with_known_mass(() if structures is None else _structure_rows(structures))
    also = [] if structures is None else measured_rows(structures, settings.measured)
    tables = candidate_tables(rows.structures(), others, others_measured=with_known_mass(also)[0])
    targets = sorted({item.target for item in known.spectra})
    how: dict[str, Any] = {"ppm": settings.ppm, "at_most": settings.at_most, "seed": settings.seed}
    described = {
        "structures": None if structures is None else structures.name,
        "structures_sha256": None if structures is None else _sha256(structures),
        "structures_without_mass": n_without_mass,
    }
    return {kind: draw_lists(targets, tables, kind=kind, **how) for kind in settings.lists}, described


def build_massspecgym(
    spectra: Path,
    folder: Path,
    *,
    candidates: Mapping[str, Path],
    asked: Sequence[str] = ("test",),
    seed: int = 0,
    force: bool = False,
) -> Benchmark:
    """Freeze MassSpecGym, of any version, from its table of spectra and its files of lists, and return it.

    Parameters
    ----------
    spectra
        Its table (TSV, with a column ``fold``) or MGF.
    folder
        Where to.
    candidates
        Kind of list (``formula``, ``mass``) -> JSON file {target SMILES: [SMILES, ...]}.
    asked
        Folds that are asked; a file without folds is asked whole, as ``test``.
    seed, force
        Of the order of the lists; as `freeze` takes it.

    Raises
    ------
    EvaluationError
        No spectrum is of an asked fold, no list belongs to one, or the folder holds something else.
    """
    problems: list[Exception] = []
    repeated: list[str] = []
    every = KnownSpectra.from_metadata(read_spectra(spectra, on_problem=problems.append, on_repeat=repeated.append))
    named = [item for item in every.spectra if item.structure is not None]
    folds = [item.spectrum.metadata.get("fold") or asked[0] for item in named]
    known = replace(
        every,
        spectra=tuple(item for item, fold in zip(named, folds, strict=True) if fold in asked),
        n_without_structure=every.n_without_structure + len(every.spectra) - len(named),
    )
    _check_asked(known, spectra, folds, asked=asked, n_unreadable=len(problems))
    lists = {kind: read_candidate_file(path) for kind, path in candidates.items()}
    return freeze(
        folder,
        known=known,
        folds=[_fold_row(item, fold) for item, fold in zip(named, folds, strict=True)],
        questions={kind: queries_from_lists(known, listed, seed=seed) for kind, listed in lists.items()},
        description={
            "source": spectra.name,
            "source_sha256": _sha256(spectra),
            "folds_by": "the file's own",
            "candidates_sha256": {kind: _sha256(path) for kind, path in candidates.items()},
            "unreadable_spectra": len(problems),
            "spectra_of_repeated_identifiers": len(repeated),
            "renamed_spectra": repeated[:_MOST_NAMED],
            "settings": {"asked": list(asked), "seed": seed},
        },
        force=force,
    )


def _check_asked(
    known: KnownSpectra, path: Path, folds: Sequence[str], *, asked: Sequence[str], n_unreadable: int
) -> None:
    """Refuse a file of which nothing can be asked; ``folds`` are those of its spectra that name their structure."""
    without = counted(known.n_without_structure, "names no structure", "name no structure")
    if not folds:
        raise EvaluationError(
            f"{path}: none of its spectra can be asked: {without}, {known.n_not_ms2} are not MS2 and {n_unreadable} "
            "cannot be read; expected a column smiles, inchi or inchikey that says which candidate is the answer"
        )
    absent = [fold for fold in asked if fold not in folds]
    if absent:
        raise EvaluationError(
            f"{path}: none of {len(folds)} spectra that name their structure is of the folds {', '.join(absent)}; they "
            f"are of {', '.join(sorted(set(folds)))}, and {without}"
        )


def _fold_row(item: KnownSpectrum, fold: str) -> FoldRow:
    smiles, formula = (item.structure.smiles, item.structure.formula) if item.structure else ("", "")
    adduct = item.spectrum.adduct.name if item.spectrum.adduct else ""
    return FoldRow(item.spectrum.identifier, item.target, smiles, formula, adduct, fold)


def _structure_rows(path: Path) -> Iterator[Row]:
    rows = read_columns(path, ("inchikey_first_block", "smiles", "formula"))
    return ((block, smiles, formula) for block, smiles, formula in rows)


def _folds_of(rows: Dataset, fold_column: str, *, where: Path) -> list[str]:
    names = rows.columns.column_names
    if FOLD_PREFIX + fold_column not in names:
        found = [name.removeprefix(FOLD_PREFIX) for name in names if name.startswith(FOLD_PREFIX)]
        raise DatasetError(
            f"{where}: no split {fold_column!r}; it has {', '.join(found) or 'none'}, and 'diptych dataset split' "
            "adds some"
        )
    return list(rows.column(FOLD_PREFIX + fold_column))


def _fold_rows(rows: Dataset, folds: Sequence[str]) -> list[FoldRow]:
    names = ("identifier", "inchikey_first_block", "smiles", "formula", "adduct")
    columns = [[str(value or "") for value in rows.column(name)] for name in names]
    return [FoldRow(*values) for values in zip(*columns, map(str, folds), strict=True)]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
